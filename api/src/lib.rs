//! Say what goes over the wire: proto, JSON shapes, methods, reasons.

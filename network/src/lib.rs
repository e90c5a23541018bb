//! Carry messages between authenticated validators.

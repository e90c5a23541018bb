//! What goes over the wire between validators.

use cloverleaf_network::Class;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::count;

metrics!(
    /// What is counted of `cloverleaf-network`.
    NetworkMetrics, "network", {
        /// Validators that this node has a session with.
        connected_validators: Gauge;
        /// 1 when this node and they could decide a block.
        has_quorum: Gauge;
        /// Frames queued for a validator or received from one.
        frames: Counter["class", "direction"];
        /// Their bytes.
        bytes: Counter["class", "direction"];
        /// Frames that waited to be sent and were dropped, since this node started.
        dropped_frames: Gauge["class"];
        /// Frames that a validator announced and that were longer than their class allows.
        oversize_frames: Counter["class"];
        /// Connections of strangers that were refused, since this node started.
        refused_connections: Gauge;
        /// Votes and sync messages that were none.
        bad_messages: Counter["class"];
        /// Parcel messages that were not well-formed (L5).
        bad_parcels: Counter;
    }
);

impl NetworkMetrics {
    /// A frame was queued for so many validators.
    pub(crate) fn sent(&self, class: Class, bytes: usize, validators: usize) {
        self.moved(class, "out", bytes, validators);
    }

    /// A frame came.
    pub(crate) fn received(&self, class: Class, bytes: usize) {
        self.moved(class, "in", bytes, 1);
    }

    fn moved(&self, class: Class, direction: &'static str, bytes: usize, times: usize) {
        let labels = [class.name(), direction];
        self.frames.of(labels).inc_by(times as u64);
        self.bytes.of(labels).inc_by((bytes * times) as u64);
    }

    /// Notes what the network has dropped and refused.
    pub(crate) fn observe(&self, dropped: impl Fn(Class) -> u64, refused: u64) {
        for class in Class::ALL {
            self.dropped_frames
                .of([class.name()])
                .set(count(dropped(class)));
        }
        self.refused_connections.set(count(refused));
    }
}

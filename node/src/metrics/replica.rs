//! How far a validator is.

use cloverleaf_replica::Observation;
use cloverleaf_types::Bound;
use prometheus_client::metrics::gauge::Gauge;

use super::kinds::Seconds;
use super::{count, seconds};

metrics!(
    /// What is counted of `cloverleaf-replica`.
    ReplicaMetrics, "replica", {
        /// Height of the latest durable block.
        height: Gauge;
        /// Time of the latest durable block, since 1970.
        block_timestamp_seconds: Seconds;
        /// The highest height that peers of power f + 1 say they have applied.
        vouched_height: Gauge;
        /// Heights that such peers have applied and this node has not.
        behind_heights: Gauge;
        /// Parcels held above the cuts, own ones included.
        parcels_held: Gauge;
        /// What queues and maps hold, as they were looked at last, within a second.
        bounded_len: Gauge ["of"];
        /// What each of them may hold at most; a node in which one holds more ends with 72.
        bounded_cap: Gauge ["of"];
    }
);

impl ReplicaMetrics {
    /// Notes what queues and maps hold; the first that holds more than it may.
    pub(crate) fn bounds(&self, bounds: &[Bound]) -> Option<Bound> {
        for bound in bounds {
            self.bounded_len.of([bound.of]).set(count(bound.len));
            self.bounded_cap.of([bound.of]).set(count(bound.cap));
        }
        bounds.iter().find(|bound| !bound.holds()).copied()
    }

    /// Notes how a replica is.
    pub(crate) fn observe(&self, seen: &Observation) {
        self.height.set(count(seen.height.0));
        self.block_timestamp_seconds.set(seconds(seen.timestamp_ms));
        self.vouched_height.set(count(seen.vouched_tip.0));
        let behind = seen.vouched_tip.0.saturating_sub(seen.height.0);
        self.behind_heights.set(count(behind));
        self.parcels_held.set(count(seen.parcels_held));
    }
}

//! What the store does.

use cloverleaf_replica::Room;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::count;

metrics!(
    /// What is counted of `cloverleaf-storage`.
    StorageMetrics, "storage", {
        /// How long one block's synced write took.
        commit_seconds: Histogram;
        /// How long the places of its transactions took after that; the next block waits for it.
        index_seconds: Histogram;
        /// How long reading blocks for a peer took.
        read_seconds: Histogram;
        /// Bytes that are free where the node writes.
        disk_free_bytes: Gauge;
        /// How many of the two floors they are below (D6): above 0 nothing new is taken in, at 2 nothing
        /// is written.
        disk_floors: Gauge;
    }
);

impl StorageMetrics {
    /// Notes how much is free, and what there is room for.
    pub(crate) fn disk(&self, free_bytes: u64, room: Room) {
        self.disk_free_bytes.set(count(free_bytes));
        self.disk_floors.set(match room {
            Room::Ample => 0,
            Room::Low => 1,
            Room::Exhausted => 2,
        });
    }
}

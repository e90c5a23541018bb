//! What journals do with the disk.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::count;
use crate::clock::Stopwatch;

metrics!(
    /// What is counted of `cloverleaf-journal`: the journals are `votes`, `lane` and `parcels`.
    JournalMetrics, "journal", {
        /// Records appended.
        records: Counter["journal"];
        /// How long a sync took: nothing is sent or acknowledged before it is over.
        sync_seconds: Histogram["journal"];
        /// Bytes of all files of a journal.
        size_bytes: Gauge["journal"];
    }
);

impl JournalMetrics {
    /// A journal was synced.
    pub(crate) fn synced(&self, journal: &'static str, records: usize, size: u64, took: Stopwatch) {
        self.records.of([journal]).inc_by(records as u64);
        self.sync_seconds.of([journal]).observe(took.seconds());
        self.size_bytes.of([journal]).set(count(size));
    }
}

//! What an embedded rollup follows and executes, under `rollup run`.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::kinds::Seconds;
use super::{count, seconds};
use crate::clock::Stopwatch;

metrics!(
    /// What is counted of `cloverleaf-client` and `cloverleaf-evm`.
    ClientMetrics, "evm", {
        /// Number of the last batch that was executed.
        batch_seq: Gauge;
        /// Time of the block that it is in, since 1970.
        batch_timestamp_seconds: Seconds;
        /// Batches that were verified and handed over for execution.
        batches: Counter;
        /// Transactions in them.
        transactions: Counter;
        /// How long a batch's execution took, its durable write included.
        execute_seconds: Histogram;
        /// Times that the rollup could not go on and tried again.
        failures: Counter;
    }
);

impl ClientMetrics {
    /// A verified batch is handed over for execution.
    pub(crate) fn handed_over(&self, transactions: usize) {
        self.batches.inc();
        self.transactions.inc_by(transactions as u64);
    }

    /// It was executed.
    pub(crate) fn executed(&self, seq: u64, timestamp_ms: u64, took: Stopwatch) {
        self.batch_seq.set(count(seq));
        self.batch_timestamp_seconds.set(seconds(timestamp_ms));
        self.execute_seconds.observe(took.seconds());
    }
}

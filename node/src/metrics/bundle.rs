//! What blocks hold, and what they leave out.

use cloverleaf_replica::Commit;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::count;

metrics!(
    /// What is counted of `cloverleaf-bundle`.
    BundleMetrics, "bundle", {
        /// Blocks that became durable here, decided here or fetched.
        blocks: Counter;
        /// Transactions placed in them.
        transactions: Counter;
        /// Bytes of their batches.
        batch_bytes: Counter;
        /// Bundles placed in them, whole.
        bundles: Counter;
        /// Transactions in the latest block.
        block_transactions: Gauge;
        /// Bytes of the batches of the latest block.
        block_bytes: Gauge;
        /// Batches in the latest block: rollups that got something.
        block_batches: Gauge;
        /// Items that blocks computed here left out (O2).
        drops: Counter["reason"];
    }
);

impl BundleMetrics {
    /// A block goes to the disk.
    pub(crate) fn commit(&self, commit: &Commit) {
        let block = &commit.block.block;
        let transactions = block.transaction_count();
        let lengths = block.batches.iter().map(|batch| batch.encoded().len());
        let bytes: usize = lengths.sum();
        self.blocks.inc();
        self.transactions.inc_by(transactions as u64);
        self.batch_bytes.inc_by(bytes as u64);
        self.bundles.inc_by(block.manifests.len() as u64);
        self.block_transactions.set(count(transactions));
        self.block_bytes.set(count(bytes));
        self.block_batches.set(count(block.batches.len()));
        for dropped in commit.drops.iter().flatten() {
            self.drops.of([dropped.reason.text()]).inc();
        }
    }
}

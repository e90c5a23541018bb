//! What the store does.

use prometheus_client::metrics::histogram::Histogram;

metrics!(
    /// What is counted of `cloverleaf-storage`.
    StorageMetrics, "storage", {
        /// How long one block's synced write took.
        commit_seconds: Histogram;
        /// How long reading blocks for a peer took.
        read_seconds: Histogram;
    }
);

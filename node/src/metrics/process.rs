//! The process itself.

use prometheus_client::metrics::gauge::Gauge;

use super::kinds::Seconds;
use super::seconds;
use crate::clock::now_ms;

metrics!(
    /// What is counted of the process.
    ProcessMetrics, "node", {
        /// When the process started, since 1970.
        start_timestamp_seconds: Seconds;
        /// 1; what runs is in the label.
        build_info: Gauge["version"];
    }
);

impl ProcessMetrics {
    /// The process starts.
    pub(crate) fn begin(&self) {
        self.start_timestamp_seconds.set(seconds(now_ms()));
        self.build_info.of([env!("CARGO_PKG_VERSION")]).set(1);
    }
}

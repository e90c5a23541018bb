//! The process itself.

use prometheus_client::metrics::gauge::Gauge;
use tokio::runtime::Handle;

use super::kinds::Seconds;
use super::{count, seconds};
use crate::clock::now_ms;

metrics!(
    /// What is counted of the process.
    ProcessMetrics, "node", {
        /// When the process started, since 1970.
        start_timestamp_seconds: Seconds;
        /// 1; what runs is in the label.
        build_info: Gauge["version"];
        /// Tasks of the process that are not over: of connections, streams and what its nodes do beside. With an unchanged load they stay as many.
        tasks: Gauge;
    }
);

impl ProcessMetrics {
    /// The process starts.
    pub(crate) fn begin(&self) {
        self.start_timestamp_seconds.set(seconds(now_ms()));
        self.build_info.of([env!("CARGO_PKG_VERSION")]).set(1);
    }

    /// Somebody asks.
    pub(crate) fn look(&self) {
        if let Ok(runtime) = Handle::try_current() {
            self.tasks.set(count(runtime.metrics().num_alive_tasks()));
        }
    }
}

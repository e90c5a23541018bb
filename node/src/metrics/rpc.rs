//! What the JSON-RPC port answers.

use cloverleaf_api::methods::{Class, METHODS};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

use crate::clock::Stopwatch;

metrics!(
    /// What is counted of JSON-RPC. A method's class is that of the table in `api`; what is not in it
    /// is passed on and counts as `other`; what is no call has no method and counts as `none`.
    RpcMetrics, "rpc", {
        /// Calls answered, each of a batch by itself: `ok`, or the reason of the error, or `rollup`
        /// for an error that the rollup's own RPC gave.
        requests: Counter["class", "outcome"];
        /// How long a call took.
        request_seconds: Histogram["class"];
    }
);

impl RpcMetrics {
    /// A call was answered.
    pub(crate) fn answered(&self, method: &str, outcome: &'static str, took: Stopwatch) {
        let class = class_of(method);
        self.requests.of([class, outcome]).inc();
        self.request_seconds.of([class]).observe(took.seconds());
    }
}

impl RpcMetrics {
    /// What came was no call; it has no method, and so the class `none`.
    pub(crate) fn malformed(&self, reason: &'static str) {
        self.requests.of(["none", reason]).inc();
    }
}

fn class_of(method: &str) -> &'static str {
    let listed = METHODS.iter().find(|listed| listed.name == method);
    match listed.map(|listed| listed.class) {
        Some(Class::Ours) => "ours",
        Some(Class::Seq) => "seq",
        Some(Class::Overlay) => "overlay",
        Some(Class::Read) => "read",
        Some(Class::Rollup) => "rollup",
        None => "other",
    }
}

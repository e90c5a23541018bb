//! What the gRPC port answers.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

use tonic::Code;

use crate::clock::Stopwatch;

metrics!(
    /// What is counted of gRPC. Methods are those of our services; what else is asked counts as
    /// `other`.
    GrpcMetrics, "grpc", {
        /// Calls answered, or streams begun, with their status.
        requests: Counter["method", "code"];
        /// How long a call took, or how long until a stream began.
        request_seconds: Histogram["method"];
    }
);

impl GrpcMetrics {
    /// A call was answered.
    pub(crate) fn answered(&self, method: &str, code: Code, took: Stopwatch) {
        let (method, code) = (method.to_owned(), format!("{code:?}"));
        self.requests.of([method.clone(), code]).inc();
        self.request_seconds.of([method]).observe(took.seconds());
    }
}

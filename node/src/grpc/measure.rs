//! Counts calls of the gRPC port.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::{Request, Response};
use tonic::Code;
use tower::Service;

use crate::clock::Stopwatch;
use crate::metrics::GrpcMetrics;

/// What the paths of our own services begin with.
const OWN: &str = "/cloverleaf.";

/// A service whose calls are counted.
#[derive(Clone, Debug)]
pub(super) struct Measured<S> {
    inner: S,
    metrics: GrpcMetrics,
}

impl<S> Measured<S> {
    /// Counts the calls of a service.
    pub(super) fn new(inner: S, metrics: GrpcMetrics) -> Self {
        Self { inner, metrics }
    }
}

impl<S, B, R> Service<Request<B>> for Measured<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (took, metrics) = (Stopwatch::start(), self.metrics.clone());
        let path = request.uri().path().to_owned();
        let answered = self.inner.call(request);
        Box::pin(async move {
            let response = answered.await?;
            let code = code_of(&response);
            metrics.answered(method(&path, code), code, took);
            Ok(response)
        })
    }
}

/// An error stands in the head of the answer; otherwise the call went well, or a stream began.
fn code_of<R>(response: &Response<R>) -> Code {
    let status = response.headers().get("grpc-status");
    status.map_or(Code::Ok, |status| Code::from_bytes(status.as_bytes()))
}

/// The label of a method: whatever is not ours, or does not exist, has one together.
fn method(path: &str, code: Code) -> &str {
    let is_ours = path.starts_with(OWN) && code != Code::Unimplemented;
    let name = path.rsplit('/').next().filter(|_| is_ours);
    name.unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_methods_that_exist_have_a_label_of_their_own() {
        let submit = "/cloverleaf.sequencer.v1.SequencerService/Submit";
        assert_eq!(method(submit, Code::Ok), "Submit");
        assert_eq!(
            method("/cloverleaf.sequencer.v1.X/Any", Code::Unimplemented),
            "other"
        );
        assert_eq!(method("/grpc.health.v1.Health/Check", Code::Ok), "other");
    }

    #[test]
    fn code_is_that_of_the_head_and_ok_without_one() {
        let mut response = Response::new(());
        assert_eq!(code_of(&response), Code::Ok);
        response.headers_mut().insert("grpc-status", 5.into());
        assert_eq!(code_of(&response), Code::NotFound);
    }
}

//! JSON-RPC errors of this endpoint.

use alloy_primitives::Bytes;
use serde::Serialize;
use serde_json::Value;

/// An error as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RpcError {
    pub(crate) code: i64,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Value>,
}

impl RpcError {
    fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    /// The body is no JSON.
    pub(crate) fn parse(error: &serde_json::Error) -> Self {
        Self::new(-32700, format!("parse error: {error}"))
    }

    /// JSON, but no request.
    pub(crate) fn invalid_request(problem: &str) -> Self {
        Self::new(-32600, format!("invalid request: {problem}"))
    }

    /// In exactly these words: viem and ethers take them as "try another way".
    pub(crate) fn unknown_method(method: &str) -> Self {
        Self::new(
            -32601,
            format!("the method {method} does not exist/is not available"),
        )
    }

    /// A parameter is missing or cannot be read.
    pub(crate) fn params(problem: impl Into<String>) -> Self {
        Self::new(-32602, problem)
    }

    /// The request is beyond a limit of this endpoint.
    pub(crate) fn limit(problem: impl Into<String>) -> Self {
        Self::new(-32005, problem)
    }

    /// The request is fine and cannot be served, for the reason given.
    pub(crate) fn server(problem: impl Into<String>) -> Self {
        Self::new(-32000, problem)
    }

    /// A defect of this program.
    pub(crate) fn internal(problem: impl Into<String>) -> Self {
        Self::new(-32603, problem)
    }

    /// A simulated call reverted; code 3 and the bytes are what contract libraries decode.
    pub(crate) fn reverted(reason: Option<&str>, output: &Bytes) -> Self {
        let message = reason.map_or_else(
            || "execution reverted".to_owned(),
            |reason| format!("execution reverted: {reason}"),
        );
        Self {
            code: 3,
            message,
            data: Some(Value::String(output.to_string())),
        }
    }
}

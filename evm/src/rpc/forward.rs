//! Hands transactions on to the sequencer, as any rollup's node with a forwarding flag does: its
//! users change nothing, and see the sequencer's answers and refusals as they came.

use cloverleaf_client::{Error, RpcClient};
use serde_json::Value;

use super::error::RpcError;

/// What is handed on.
const FORWARDED: [&str; 3] = [
    "eth_sendRawTransaction",
    "eth_sendRawTransactionConditional",
    "eth_sendRawTransactionSync",
];

/// True for what only a sequencer can answer.
pub(super) fn is_forwarded(method: &str) -> bool {
    FORWARDED.contains(&method)
}

/// The sequencer's answer.
pub(super) async fn forward(
    sequencer: &RpcClient,
    method: &str,
    params: Vec<Value>,
) -> Result<Value, RpcError> {
    let answer = sequencer.call(method, Value::Array(params)).await;
    answer.map_err(|error| match error {
        Error::Refused {
            code,
            message,
            data,
            ..
        } => RpcError {
            code,
            message,
            data: (!data.is_null()).then_some(data),
        },
        unreachable => RpcError::internal(unreachable.to_string()),
    })
}

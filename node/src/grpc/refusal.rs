//! Refusals as gRPC statuses.

use cloverleaf_api::error::{RpcError, WireError, hex};
use cloverleaf_api::reason::Reason;
use cloverleaf_stream::StreamError;
use tonic::{Code, Status};

use crate::rpc::desk::pruned;

/// A refusal as a status; its details carry the reason and the evidence.
pub(super) fn status(error: &RpcError) -> Status {
    let code = Code::from_i32(error.reason.grpc_code().number());
    Status::with_details(code, error.message.clone(), error.grpc_details())
}

/// What is not here, or not committed yet.
pub(super) fn not_found(what: impl core::fmt::Display) -> Status {
    status(&RpcError::because(Reason::NotFound, what))
}

/// A request that is not what its proto file says.
pub(super) fn malformed(error: &WireError) -> Status {
    let refusal = RpcError::because(Reason::MalformedJson, error);
    let (WireError::Decode { field, .. }
    | WireError::Missing { field }
    | WireError::OutOfRange { field }) = error;
    status(&refusal.with("field", *field))
}

/// Why a stream ends, and from where it may be resumed.
pub(super) fn ended(error: &StreamError, cursor: u64) -> Status {
    let refusal = match error {
        StreamError::UnknownRollup { chain_id } => {
            RpcError::because(Reason::UnknownRollup, error).with("chainId", hex(chain_id.0))
        }
        StreamError::Pruned {
            asked,
            first_available,
        } => pruned(*asked, *first_available),
        StreamError::Closed => RpcError::because(Reason::ShuttingDown, error),
        StreamError::Source(_) | StreamError::Missing { .. } | StreamError::OutOfOrder { .. } => {
            tracing::error!(%error, "a stream failed");
            RpcError::new(Reason::Internal)
        }
    };
    status(&refusal.with("cursor", hex(cursor)))
}

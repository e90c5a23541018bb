//! Refusals as gRPC statuses.

use cloverleaf_api::error::{RpcError, WireError};
use cloverleaf_api::reason::Reason;
use tonic::{Code, Status};

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

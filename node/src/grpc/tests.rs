//! Tests of what is pure in the services; `tests/wire.rs` asks them over a connection.

use cloverleaf_api::error::{RpcError, WireError};
use cloverleaf_api::grpc::ErrorInfo;
use cloverleaf_api::reason::Reason;
use cloverleaf_stream::StreamError;
use cloverleaf_types::ChainId;
use tonic::Code;

use super::refusal::{malformed, status};
use crate::streams;

fn ended(error: &StreamError, cursor: u64) -> tonic::Status {
    status(&streams::ended(error, cursor))
}

fn info(status: &tonic::Status) -> ErrorInfo {
    ErrorInfo::from_details(status.details()).unwrap()
}

#[test]
fn every_reason_is_a_status_with_its_code_and_its_name() {
    for reason in Reason::ALL {
        let status = status(&RpcError::new(*reason));
        assert_eq!(status.code(), Code::from_i32(reason.grpc_code().number()));
        assert_eq!(info(&status).reason(), Some(*reason));
    }
}

#[test]
fn stream_that_ends_tells_from_where_it_goes_on() {
    let status = ended(&StreamError::Closed, 18);
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(info(&status).metadata["cursor"], "0x12");
}

#[test]
fn pruned_start_is_out_of_range_with_the_first_available() {
    let status = ended(
        &StreamError::Pruned {
            asked: 3,
            first_available: 10,
        },
        3,
    );
    assert_eq!(status.code(), Code::OutOfRange);
    assert_eq!(info(&status).metadata["firstAvailable"], "0xa");
}

#[test]
fn unknown_rollup_is_not_found() {
    let status = ended(
        &StreamError::UnknownRollup {
            chain_id: ChainId(903),
        },
        1,
    );
    assert_eq!(
        (status.code(), &*info(&status).reason),
        (Code::NotFound, "unknownRollup")
    );
}

#[test]
fn request_of_another_shape_names_its_field() {
    let status = malformed(&WireError::OutOfRange {
        field: "bundle_hash",
    });
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(info(&status).metadata["field"], "bundle_hash");
}

//! Answers: a shape, or a refusal under the status of its reason.

use axum::http::StatusCode;
use axum::response::Response;
use cloverleaf_api::error::RpcError;
use cloverleaf_api::reason::Reason;
use serde::Serialize;

use crate::rpc::{json, refused};

/// A shape as the body of an answer.
pub(super) fn answer<T: Serialize>(answered: Result<T, RpcError>) -> Response {
    match answered {
        Ok(shape) => json(StatusCode::OK, &shape),
        Err(error) => refusal(&error),
    }
}

/// A shape that may be absent: what a path names and is not here is not found.
pub(super) fn found<T: Serialize>(
    answered: Result<Option<T>, RpcError>,
    what: impl core::fmt::Display,
) -> Response {
    let not_found = || RpcError::because(Reason::NotFound, what);
    answer(answered.and_then(|shape| shape.ok_or_else(not_found)))
}

/// A refusal. Beside JSON-RPC nobody reads a code in the body of a 200: a refusal is the request's
/// fault.
pub(super) fn refusal(error: &RpcError) -> Response {
    let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
    let status = if status.is_success() {
        StatusCode::BAD_REQUEST
    } else {
        status
    };
    refused(status, error, Some(error))
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    #[test]
    fn refusal_has_the_status_of_its_reason_and_never_a_good_one() {
        for reason in Reason::ALL {
            let response = refusal(&RpcError::new(*reason));
            assert!(!response.status().is_success(), "{reason}");
            if reason.http_status() >= 400 {
                assert_eq!(response.status().as_u16(), reason.http_status());
            }
        }
    }

    #[test]
    fn limit_says_when_to_come_back() {
        let response = refusal(&RpcError::new(Reason::PoolFull).retry_after(1_200));
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }

    #[test]
    fn what_is_absent_is_not_found() {
        let response = found(Ok(None::<u8>), "block 7");
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(found(Ok(Some(7)), "").status(), StatusCode::OK);
    }
}

//! `POST /v1/faucet`: something to spend, in dev networks.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use cloverleaf_api::error::RpcError;
use cloverleaf_api::reason::Reason;

use super::Rest;
use super::answer::answer;

pub(super) async fn give(
    State(rest): State<Rest>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let request = body
        .map_err(|error| RpcError::because(Reason::BodyTooLarge, error))
        .and_then(|body| {
            serde_json::from_slice(&body)
                .map_err(|error| RpcError::because(Reason::MalformedJson, error))
        });
    match request {
        Ok(request) => answer(rest.methods.faucet(&request).await),
        Err(error) => answer(Err::<(), _>(error)),
    }
}

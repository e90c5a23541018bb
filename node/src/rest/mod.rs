//! REST beside JSON-RPC, on the same port: the reads of `seq_*` by path, and streams as server-sent
//! events.
//!
//! Answers have the shapes of `api::json`; refusals are the same objects as in JSON-RPC, under the
//! HTTP status of their reason.

mod answer;
mod faucet;
mod path;
mod reads;
mod sse;

use axum::Router;
use axum::routing::{get, post};

use crate::rpc::{Desk, Methods};
use crate::streams::JsonStreams;

/// What the routes are answered by.
#[derive(Clone, Debug)]
pub(crate) struct Rest {
    /// Looks up.
    pub(crate) desk: Desk,
    /// Streams.
    pub(crate) streams: JsonStreams,
    /// Gives, in dev networks.
    pub(crate) methods: Methods,
}

/// The routes below `/v1`.
pub(crate) fn router(rest: Rest) -> Router {
    Router::new()
        .route("/v1/rollups", get(reads::rollups))
        .route("/v1/rollups/{chain_id}", get(reads::rollup))
        .route("/v1/rollups/{chain_id}/batches/{seq}", get(reads::batch))
        .route("/v1/rollups/{chain_id}/stream", get(sse::stream))
        .route("/v1/bundles/{hash}", get(reads::bundle))
        .route("/v1/blocks/{height}", get(reads::block))
        .route("/v1/evidence", get(reads::evidence_names))
        .route("/v1/evidence/{name}", get(reads::evidence))
        .route("/v1/faucet", post(faucet::give))
        .with_state(rest)
}

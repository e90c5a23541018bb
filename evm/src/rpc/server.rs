//! HTTP around the methods.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::post,
};
use cloverleaf_client::RpcClient;
use serde_json::Value;
use tokio::sync::{AcquireError, Semaphore};
use tower_http::{cors::CorsLayer, timeout::TimeoutLayer};

use super::{
    envelope::answer,
    error::RpcError,
    forward::{forward, is_forwarded},
    methods,
    params::Params,
};
use crate::{
    limits::{BODY_BYTES_MAX, FORWARDS_CONCURRENT_MAX, REQUEST_TIMEOUT_S, REQUESTS_CONCURRENT_MAX},
    rollup::{Rollup, off_async_threads},
};

/// Who answers a rollup's calls.
#[derive(Clone)]
pub(super) struct Endpoint {
    rollup: Rollup,
    /// Takes transactions, if there is one.
    sequencer: Option<RpcClient>,
    /// Bounds the threads that answer calls.
    turns: Arc<Semaphore>,
    /// Bounds the calls that wait for the sequencer; they take no turn from others.
    forwards: Arc<Semaphore>,
}

impl Endpoint {
    /// Answers a call: the sequencer what is its own, the rollup all else, off the async threads.
    pub(super) async fn call(&self, method: String, params: Vec<Value>) -> Result<Value, RpcError> {
        if let Some(sequencer) = self.sequencer.as_ref().filter(|_| is_forwarded(&method)) {
            let _turn = self.forwards.acquire().await.map_err(stopping)?;
            return forward(sequencer, &method, params).await;
        }
        let turn = self.turns.clone().acquire_owned().await;
        let turn = turn.map_err(stopping)?;
        let rollup = self.rollup.clone();
        let answered = off_async_threads(move || {
            let _turn = turn;
            methods::call(&rollup, &method, &Params::new(params))
        });
        let cut_off = |_| RpcError::internal("the call was cut off");
        answered.await.map_err(cut_off)?
    }
}

fn stopping(_: AcquireError) -> RpcError {
    RpcError::internal("the rollup is stopping")
}

/// The endpoint as a service: `POST /` with a JSON-RPC call or an array of calls. Any origin may
/// ask, since pages of wallets and dapps do; it serves only reads of public data, and hands
/// transactions on to `sequencer`, if there is one. Who serves it limits connections and their time.
pub fn router(rollup: Rollup, sequencer: Option<RpcClient>) -> Router {
    let turns = Arc::new(Semaphore::new(REQUESTS_CONCURRENT_MAX));
    let forwards = Arc::new(Semaphore::new(FORWARDS_CONCURRENT_MAX));
    Router::new()
        .route("/", post(handle))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            Duration::from_secs(REQUEST_TIMEOUT_S),
        ))
        .layer(CorsLayer::permissive())
        .with_state(Endpoint {
            rollup,
            sequencer,
            turns,
            forwards,
        })
}

async fn handle(State(endpoint): State<Endpoint>, body: Bytes) -> Response {
    match answer(&endpoint, &body).await {
        Some(answer) => ([(CONTENT_TYPE, "application/json")], answer).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

//! HTTP around the methods.

use std::{future::Future, io, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::post,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tower_http::{cors::CorsLayer, timeout::TimeoutLayer};

use super::envelope::answer;
use crate::{
    limits::{BODY_BYTES_MAX, REQUEST_TIMEOUT_S, REQUESTS_CONCURRENT_MAX},
    rollup::{Rollup, off_async_threads},
};

#[derive(Clone)]
struct Shared {
    rollup: Rollup,
    /// Bounds the threads that answer requests.
    turns: Arc<Semaphore>,
}

/// The endpoint as a service: `POST /` with a JSON-RPC call or an array of calls. Any origin may
/// ask, since pages of wallets and dapps do; it serves only reads of public data.
pub fn router(rollup: Rollup) -> Router {
    let turns = Arc::new(Semaphore::new(REQUESTS_CONCURRENT_MAX));
    Router::new()
        .route("/", post(handle))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            Duration::from_secs(REQUEST_TIMEOUT_S),
        ))
        .layer(CorsLayer::permissive())
        .with_state(Shared { rollup, turns })
}

/// Serves the endpoint on `listener` until `shutdown` resolves and open requests are answered.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    rollup: Rollup,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router(rollup))
        .with_graceful_shutdown(shutdown)
        .await
}

async fn handle(State(shared): State<Shared>, body: Bytes) -> Response {
    let Ok(turn) = shared.turns.acquire_owned().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let answered = off_async_threads(move || {
        let _turn = turn;
        answer(&shared.rollup, &body)
    })
    .await;
    match answered {
        Ok(Some(answer)) => ([(CONTENT_TYPE, "application/json")], answer).into_response(),
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(_cut_off) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

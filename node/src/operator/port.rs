//! The operator's port: metrics and health, for whoever watches this machine.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::health::{self, Health};
use crate::metrics::{CONTENT_TYPE, Metered};
use crate::rpc::{self, Connections};

/// Serves until `stop` is cancelled and open requests are answered.
pub(crate) async fn serve(
    listener: TcpListener,
    health: Arc<dyn Health>,
    metered: Metered,
    stop: CancellationToken,
) {
    let metrics = Router::new()
        .route("/metrics", get(metrics))
        .with_state(metered);
    let router = health::router(health).merge(metrics);
    rpc::serve(listener, Connections::of_node(), router, stop).await;
}

async fn metrics(State(metered): State<Metered>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], metered.text())
}

//! `/livez`, `/readyz` and `/healthz`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::{Health, Report};

/// The routes: 200 when all is well, else 503 with the names of what is not. `?verbose` asks for all
/// checks, as JSON.
pub(crate) fn router(health: Arc<dyn Health>) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        // For those who know only this name.
        .route("/healthz", get(readyz))
        .with_state(health)
}

async fn livez(State(health): State<Arc<dyn Health>>, RawQuery(query): RawQuery) -> Response {
    answer(&Report::new(health.live()), query.as_deref())
}

async fn readyz(State(health): State<Arc<dyn Health>>, RawQuery(query): RawQuery) -> Response {
    answer(&Report::new(health.ready()), query.as_deref())
}

fn answer(report: &Report, query: Option<&str>) -> Response {
    let status = if report.ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let is_verbose = query.is_some_and(|query| query.split(['&', '=']).any(|it| it == "verbose"));
    match (is_verbose, serde_json::to_string(report)) {
        (true, Ok(json)) => {
            (status, [(header::CONTENT_TYPE, "application/json")], json).into_response()
        }
        _ => (status, report.text() + "\n").into_response(),
    }
}

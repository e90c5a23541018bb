//! Routes of the public port: JSON-RPC at `/` and `/rollup/<id>`, and what is served beside it.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use cloverleaf_api::error::RpcError;
use cloverleaf_api::reason::Reason;
use cloverleaf_types::ChainId;
use serde::Serialize;
use tower_http::cors::CorsLayer;
use tower_http::timeout::TimeoutLayer;

use super::envelope::{Answer, Body, Call, Outcome, parse};
use super::limits::{BODY_BYTES_MAX, REQUEST_TIMEOUT};
use super::methods::{Endpoint, Methods};

/// The public port's routes; `beside` are those of other protocols, under the same limits.
pub(crate) fn router(methods: Methods, beside: Router, any_origin: bool) -> Router {
    let router = Router::new()
        .route("/", post(at_root))
        .route("/rollup/{chain_id}", post(at_rollup))
        .with_state(methods)
        .merge(beside)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            REQUEST_TIMEOUT,
        ));
    if any_origin {
        router.layer(CorsLayer::permissive())
    } else {
        router
    }
}

async fn at_root(State(methods): State<Methods>, body: BodyBytes) -> Response {
    match body {
        Ok(body) => answer(&methods, Endpoint::Root, &body).await,
        Err(_) => too_large(),
    }
}

async fn at_rollup(
    State(methods): State<Methods>,
    Path(chain_id): Path<String>,
    body: BodyBytes,
) -> Response {
    let known = chain_id
        .parse()
        .ok()
        .map(ChainId)
        .filter(|id| methods.is_registered(*id));
    let Some(chain_id) = known else {
        let error = RpcError::because(Reason::UnknownRollup, &chain_id);
        let answer = Answer::new(None, Outcome::Error(error));
        return json(StatusCode::NOT_FOUND, &answer);
    };
    match body {
        Ok(body) => answer(&methods, Endpoint::Rollup(chain_id), &body).await,
        Err(_) => too_large(),
    }
}

/// A body that was read whole, or was longer than its limit.
type BodyBytes = Result<Bytes, axum::extract::rejection::BytesRejection>;

async fn answer(methods: &Methods, endpoint: Endpoint, body: &[u8]) -> Response {
    match parse(body) {
        Body::Single(call) => match one(methods, endpoint, call).await {
            Some(answer) => single(answer),
            None => StatusCode::NO_CONTENT.into_response(),
        },
        Body::Batch(calls) => {
            let mut answers = Vec::with_capacity(calls.len());
            // One after the other: a batch may hold one sender's transactions in nonce order.
            for call in calls {
                answers.extend(one(methods, endpoint, call).await);
            }
            if answers.is_empty() {
                return StatusCode::NO_CONTENT.into_response();
            }
            json(StatusCode::OK, &answers)
        }
    }
}

async fn one(
    methods: &Methods,
    endpoint: Endpoint,
    call: Result<Call, RpcError>,
) -> Option<Answer> {
    match call {
        Ok(Call { id, method, params }) => {
            let outcome = methods.call(endpoint, &method, params.as_deref()).await;
            id.map(|id| Answer::new(Some(id), outcome))
        }
        Err(error) => Some(Answer::new(None, Outcome::Error(error))),
    }
}

/// A call that is not part of a batch says in the HTTP status what proxies and retries look at.
fn single(answer: Answer) -> Response {
    let refusal = answer.refusal();
    let status = match refusal.map_or(200, RpcError::http_status) {
        // The path exists; what the call asks about does not.
        404 | 410 => 200,
        status => status,
    };
    let retry_after = refusal.and_then(RpcError::retry_after_seconds);
    let mut response = json(
        StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
        &answer,
    );
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn too_large() -> Response {
    let detail = format_args!("at most {BODY_BYTES_MAX} bytes");
    let error = RpcError::because(Reason::BodyTooLarge, detail).with("limit", BODY_BYTES_MAX);
    single(Answer::new(None, Outcome::Error(error)))
}

fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

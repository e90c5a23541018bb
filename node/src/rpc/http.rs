//! Routes of the public port: JSON-RPC at `/` and `/rollup/<id>`, and what is served beside it.

use std::time::Duration;

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

use super::envelope::{Answer, Outcome, Reply};
use super::limits::{BODY_BYTES_MAX, REQUEST_TIMEOUT};
use super::methods::{Endpoint, Methods};

/// The public port's routes; `beside` are those of other protocols, under the same limits.
pub(crate) fn router(methods: Methods, beside: Router, any_origin: bool) -> Router {
    let router = Router::new()
        .route("/", post(at_root))
        .route("/rollup/{chain_id}", post(at_rollup))
        .with_state(methods)
        .merge(beside);
    let router = limited(router, REQUEST_TIMEOUT);
    if any_origin {
        router.layer(CorsLayer::permissive())
    } else {
        router
    }
}

/// A request has a longest body, and so much time for it and for its answer.
fn limited<S: Clone + Send + Sync + 'static>(router: Router<S>, timeout: Duration) -> Router<S> {
    let status = StatusCode::REQUEST_TIMEOUT;
    router
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(TimeoutLayer::with_status_code(status, timeout))
}

async fn at_root(State(methods): State<Methods>, body: BodyBytes) -> Response {
    match body {
        Ok(body) => answer(&methods, Endpoint::Root, &body).await,
        Err(_) => {
            methods.is_no_call(Reason::BodyTooLarge.text());
            too_large()
        }
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
        Err(_) => {
            methods.is_no_call(Reason::BodyTooLarge.text());
            too_large()
        }
    }
}

/// A body that was read whole, or was longer than its limit.
type BodyBytes = Result<Bytes, axum::extract::rejection::BytesRejection>;

async fn answer(methods: &Methods, endpoint: Endpoint, body: &[u8]) -> Response {
    match methods.answer(endpoint, body).await {
        Reply::Nothing => StatusCode::NO_CONTENT.into_response(),
        Reply::Single(answer) => single(*answer),
        Reply::Batch(answers) => json(StatusCode::OK, &answers),
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
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    refused(status, &answer, refusal)
}

/// A value as JSON; in the header what a refusal in it says of when to come back.
pub(crate) fn refused<T: Serialize>(
    status: StatusCode,
    value: &T,
    refusal: Option<&RpcError>,
) -> Response {
    let mut response = json(status, value);
    if let Some(seconds) = refusal.and_then(RpcError::retry_after_seconds) {
        let value = HeaderValue::from(seconds);
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

fn too_large() -> Response {
    let detail = format_args!("at most {BODY_BYTES_MAX} bytes");
    let error = RpcError::because(Reason::BodyTooLarge, detail).with("limit", BODY_BYTES_MAX);
    single(Answer::new(None, Outcome::Error(error)))
}

/// A value as JSON.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;

    async fn echo(body: BodyBytes) -> Response {
        body.map_or_else(|_| too_large(), |body| body.into_response())
    }

    async fn status(body: Body, timeout: Duration) -> StatusCode {
        let router = limited(Router::new().route("/", post(echo)), timeout);
        let request = Request::post("/").body(body).unwrap();
        router.oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn body_has_a_limit_at_a_mebibyte() {
        let long = Duration::from_secs(600);
        for (bytes, expected) in [
            (BODY_BYTES_MAX - 1, StatusCode::OK),
            (BODY_BYTES_MAX, StatusCode::OK),
            (BODY_BYTES_MAX + 1, StatusCode::PAYLOAD_TOO_LARGE),
        ] {
            let found = status(Body::from(vec![b' '; bytes]), long).await;
            assert_eq!(found, expected, "{bytes} bytes");
        }
    }

    #[tokio::test]
    async fn body_that_does_not_come_is_not_waited_for() {
        let never = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        let found = status(Body::from_stream(never), Duration::from_millis(20)).await;
        assert_eq!(found, StatusCode::REQUEST_TIMEOUT);
    }
}

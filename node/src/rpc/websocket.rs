//! JSON-RPC over WebSocket, at the paths of JSON-RPC over HTTP.

mod connection;
mod subscriptions;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use cloverleaf_types::ChainId;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::task::TaskTracker;

use super::connections::Place;
use super::limits::{BODY_BYTES_MAX, QUEUED_BYTES_MAX};
use super::methods::{Endpoint, Methods};
use crate::streams::JsonStreams;
use connection::Connection;
use subscriptions::Subscriptions;

/// Bytes that are read, or written, at once: connections are many, and mostly quiet.
const BUFFER_BYTES: usize = 8 * 1024;

/// What WebSockets are answered by.
#[derive(Clone, Debug)]
pub(crate) struct WebSockets {
    /// Answers calls.
    pub(crate) methods: Methods,
    /// Streams.
    pub(crate) streams: JsonStreams,
    /// Owns the connections.
    pub(crate) tasks: TaskTracker,
    /// Pages of any origin may connect: in dev networks only.
    pub(crate) any_origin: bool,
}

/// The routes: those of JSON-RPC.
pub(crate) fn router(sockets: WebSockets) -> Router {
    Router::new()
        .route("/", get(at_root))
        .route("/rollup/{chain_id}", get(at_rollup))
        .with_state(sockets)
}

async fn at_root(State(sockets): State<WebSockets>, request: Request) -> Response {
    sockets.accept(Endpoint::Root, request)
}

async fn at_rollup(
    State(sockets): State<WebSockets>,
    Path(chain_id): Path<String>,
    request: Request,
) -> Response {
    let known = chain_id.parse().ok().map(ChainId);
    match known.filter(|id| sockets.methods.is_registered(*id)) {
        Some(chain_id) => sockets.accept(Endpoint::Rollup(chain_id), request),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

impl WebSockets {
    /// Answers a handshake; the connection then goes on in a task of its own.
    fn accept(&self, endpoint: Endpoint, mut request: Request) -> Response {
        if !self.any_origin && is_foreign(request.headers()) {
            // Browsers let every page open a WebSocket to every host: the server has to refuse.
            return (
                StatusCode::FORBIDDEN,
                "pages of other origins may not connect",
            )
                .into_response();
        }
        let response = match create_response_with_body(&request, Body::empty) {
            Ok(response) => response,
            Err(error) => {
                let upgrade = [(header::UPGRADE, "websocket")];
                let detail = format!("JSON-RPC by POST, or by WebSocket: {error}");
                return (StatusCode::UPGRADE_REQUIRED, upgrade, detail).into_response();
            }
        };
        let upgrade = hyper::upgrade::on(&mut request);
        let place = request.extensions_mut().remove::<Arc<Place>>();
        let sockets = self.clone();
        let taken_back = place.as_ref().map(|place| place.taken_back().clone());
        self.tasks.spawn(async move {
            let served = async {
                match upgrade.await {
                    Ok(upgraded) => sockets.serve(endpoint, TokioIo::new(upgraded)).await,
                    Err(error) => tracing::debug!(%error, "a WebSocket did not come to be"),
                }
            };
            let _ended = taken_back
                .unwrap_or_default()
                .run_until_cancelled(served)
                .await;
            drop(place); // only now may another connection take it
        });
        response
    }

    async fn serve(self, endpoint: Endpoint, stream: TokioIo<hyper::upgrade::Upgraded>) {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
            .max_write_buffer_size(QUEUED_BYTES_MAX + BODY_BYTES_MAX)
            .max_message_size(Some(BODY_BYTES_MAX))
            .max_frame_size(Some(BODY_BYTES_MAX));
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
        let patience = self.streams.patience().clone();
        let subscriptions = Subscriptions::new(self.streams, endpoint);
        Connection::new(socket, self.methods, endpoint, subscriptions)
            .run(&patience)
            .await;
    }
}

/// True for a page that was not served by this host.
fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return false;
    };
    let authority = origin.to_str().ok().and_then(|it| it.split_once("://"));
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok());
    authority.map(|(_, authority)| authority) != host
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn page_of_another_origin_is_foreign_and_a_program_is_not() {
        let is_foreign = |origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:4545"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            super::is_foreign(&headers)
        };
        assert!(!is_foreign(None));
        assert!(!is_foreign(Some("http://127.0.0.1:4545")));
        assert!(is_foreign(Some("http://127.0.0.1:4546")));
        assert!(is_foreign(Some("https://example.org")));
        assert!(is_foreign(Some("null")));
    }
}

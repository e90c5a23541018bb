//! `GET /v1/rollups/<id>/stream`: a rollup's batches as server-sent events.
//!
//! ```text
//!  event: batch          one a batch; `id` is the cursor: a reader that comes back with it in
//!  id: 7                 `Last-Event-ID` goes on with 8
//!  data: {…}
//!
//!  event: lagged         the last event says why the stream ends: `lagged`, `pruned`,
//!  data: {…, cursor}     `shuttingDown`, … with the number to come back with
//!
//!  : ping                a comment when nothing else was sent for a while
//! ```

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::ProofsWanted;
use cloverleaf_api::reason::Reason;
use futures::{Stream, StreamExt as _};
use serde::Deserialize;
use tokio::time::timeout;

use super::Rest;
use super::answer::refusal;
use super::path;
use crate::streams::{JsonItems, JsonStream};

/// Silence after which a comment is sent, so that readers and proxies see a living connection.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// The first bytes, sent at once: how long a reader waits before it connects again.
const BEGINNING: &[u8] = b"retry: 1000\n\n";

/// What is sent after silence.
const PING: &[u8] = b": ping\n\n";

/// The header in which a reader that comes back names its cursor.
const LAST_EVENT_ID: &str = "last-event-id";

/// What a query may ask.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The first batch; without it, the one that comes next.
    from: Option<String>,
    /// `every`, `never` (without it), or n for every n-th batch.
    proofs: Option<String>,
}

pub(super) async fn stream(
    State(rest): State<Rest>,
    Path(chain_id): Path<String>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let asked = asked.map_err(|error| RpcError::because(Reason::UnknownField, error.body_text()));
    let opened = asked.and_then(|Query(asked)| open(&rest, &chain_id, &asked, &headers));
    match opened {
        Ok(stream) => {
            let headers = [
                (header::CONTENT_TYPE, "text/event-stream"),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (headers, Body::from_stream(events(stream.items))).into_response()
        }
        Err(error) => refusal(&error),
    }
}

fn open(
    rest: &Rest,
    chain_id: &str,
    asked: &Asked,
    headers: &HeaderMap,
) -> Result<JsonStream, RpcError> {
    let chain_id = path::chain_id(chain_id)?;
    let from = begins_at(asked.from.as_deref(), headers)?;
    let proofs = match &asked.proofs {
        Some(text) => ProofsWanted::parse(text).ok_or_else(|| {
            let detail = "`proofs` is `every`, `never`, or n for every n-th batch";
            RpcError::because(Reason::MalformedJson, detail).with("field", "proofs")
        })?,
        None => ProofsWanted::default(),
    };
    rest.streams.batches(chain_id, from, proofs)
}

/// Where a reader begins: after its cursor, which browsers repeat beside the first query.
fn begins_at(from: Option<&str>, headers: &HeaderMap) -> Result<Option<u64>, RpcError> {
    if let Some(cursor) = headers.get(LAST_EVENT_ID) {
        let text = cursor.to_str().unwrap_or_default();
        let cursor = path::number("Last-Event-ID", text)?;
        return Ok(Some(cursor.saturating_add(1)));
    }
    from.map(|text| path::number("from", text)).transpose()
}

/// The bytes of a stream, pulled as fast as the reader takes them.
fn events(items: JsonItems) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let beginning = futures::stream::once(async { vec![Bytes::from_static(BEGINNING)] });
    let events = futures::stream::unfold(Some(items), |items| async move {
        let mut items = items?;
        match timeout(PING_INTERVAL, items.next()).await {
            Err(_silence) => Some((vec![Bytes::from_static(PING)], Some(items))),
            Ok(Some(Ok(item))) => {
                Some((event("batch", Some(item.position), item.text), Some(items)))
            }
            Ok(Some(Err(error))) => Some((last_event(&error), None)),
            Ok(None) => None,
        }
    });
    let chunks = beginning.chain(events).flat_map(futures::stream::iter);
    chunks.map(Ok)
}

/// An event around a text of one line, which all its readers share.
fn event(name: &str, id: Option<u64>, text: Bytes) -> Vec<Bytes> {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    let head = format!("event: {name}\n{id}data: ");
    vec![head.into(), text, Bytes::from_static(b"\n\n")]
}

/// Why the stream ends; the reader's cursor stays what it is.
fn last_event(error: &RpcError) -> Vec<Bytes> {
    let text = serde_json::to_vec(error).unwrap_or_default();
    event(error.reason.text(), None, text.into())
}

#[cfg(test)]
mod tests;

//! The public HTTP listener. axum's own server sets no header timeout and no connection limits, so
//! connections are accepted here and given to hyper one by one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::join;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::connections::{Connections, Place};
use super::limits::{BUFFER_BYTES_MAX, HEADER_TIMEOUT};
use super::write_limit::{WRITE_STALL_MAX_MS, WriteLimit};

/// Serves the router until `stop` is cancelled and open requests are answered.
pub(crate) async fn serve(
    listener: TcpListener,
    connections: Connections,
    router: Router,
    stop: CancellationToken,
) {
    let accepting = (listener, connections);
    serve_with(accepting, router, HEADER_TIMEOUT, stop).await;
}

async fn serve_with(
    (listener, connections): (TcpListener, Connections),
    router: Router,
    header_timeout: Duration,
    stop: CancellationToken,
) {
    let tracker = TaskTracker::new();
    loop {
        let (stream, remote, place) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = connections.accept(&listener) => accepted,
        };
        let (router, stop) = (router.clone(), stop.clone());
        tracker.spawn(async move {
            let caller = (remote, Arc::new(place));
            serve_connection(stream, caller, router, header_timeout, stop).await;
        });
    }
    tracker.close();
    tracker.wait().await;
}

async fn serve_connection(
    stream: TcpStream,
    (remote, place): (SocketAddr, Arc<Place>),
    router: Router,
    header_timeout: Duration,
    stop: CancellationToken,
) {
    let taken_back = place.taken_back().clone();
    let service = router.map_request(move |mut request: hyper::Request<_>| {
        let extensions = request.extensions_mut();
        extensions.insert(ConnectInfo(remote));
        // A connection that becomes a WebSocket takes its place along.
        extensions.insert(Arc::clone(&place));
        request
    });
    let (reading, writing) = stream.into_split();
    let stream = join(reading, WriteLimit::new(writing, WRITE_STALL_MAX_MS));
    // HTTP/1.1 alone: a server that tells versions apart waits for the first bytes without a timer.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = taken_back.cancelled() => {
            tracing::debug!(%remote, "hung up on: its address has the most connections");
            return;
        }
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%remote, %error, "connection ended");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Sends bytes and waits until the server ends the connection.
    async fn until_ended(sent: &[u8]) -> Vec<u8> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let header_timeout = Duration::from_millis(50);
        let accepting = (listener, Connections::of_node());
        let serving = serve_with(accepting, Router::new(), header_timeout, stop.clone());
        let asking = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(sent).await.unwrap();
            let mut answer = Vec::new();
            // A server that does not read all that came resets the connection when it ends it.
            let _ended_or_reset = stream.read_to_end(&mut answer).await;
            stop.cancel();
            answer
        };
        tokio::join!(serving, asking).1
    }

    // axum::serve 0.8: half a header keeps a connection open for ever.
    #[tokio::test]
    async fn connection_that_sends_half_a_header_or_nothing_is_ended() {
        for sent in [
            "",
            "P",
            "PRI * HTTP/2.0\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\n",
        ] {
            until_ended(sent.as_bytes()).await;
        }
    }

    #[tokio::test]
    async fn headers_have_a_limit_at_the_buffer() {
        for (bytes, is_served) in [
            (BUFFER_BYTES_MAX - 1024, true),
            // What has come already is read as one piece.
            (2 * BUFFER_BYTES_MAX + 1024, false),
        ] {
            let long = "a".repeat(bytes);
            let asked = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n");
            let answer = until_ended(asked.as_bytes()).await;
            assert_eq!(answer.starts_with(b"HTTP/1.1 404"), is_served, "{bytes}");
        }
    }

    #[tokio::test]
    async fn connection_that_stays_idle_after_its_answer_is_ended() {
        let answer = until_ended(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with(b"HTTP/1.1 404"));
    }
}

//! The public HTTP listener. axum's own server sets no header timeout and no connection limits, so
//! connections are accepted here and given to hyper one by one.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::limits::{CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, HEADER_TIMEOUT};

/// Serves the router until `stop` is cancelled and open requests are answered.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let connections = Connections::default();
    let tracker = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or a connection that is gone already: others go on.
                tracing::warn!(%error, "a connection was not accepted");
                continue;
            }
        };
        let Some(place) = connections.enter(remote.ip()) else {
            tracing::debug!(%remote, "connection refused: too many are open");
            continue;
        };
        tracker.spawn(serve_connection(stream, remote, router.clone(), stop.clone(), place));
    }
    tracker.close();
    tracker.wait().await;
}

async fn serve_connection(
    stream: TcpStream,
    remote: SocketAddr,
    router: Router,
    stop: CancellationToken,
    _place: Place,
) {
    // Small answers must not wait for more to come.
    let _ = stream.set_nodelay(true);
    let service = router.map_request(move |mut request: hyper::Request<_>| {
        request.extensions_mut().insert(ConnectInfo(remote));
        request
    });
    let mut builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let connection = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%remote, %error, "connection ended");
    }
}

/// Open connections of one listener, in all and by address.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    all: Arc<Semaphore>,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Default for Connections {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(CONNECTIONS_MAX)), by_address: Arc::default() }
    }
}

/// One open connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    address: IpAddr,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    /// A place for one more connection of an address, if there is one.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Place> {
        let permit = self.all.clone().try_acquire_owned().ok()?;
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let open = by_address.entry(address).or_default();
        if *open >= CONNECTIONS_PER_ADDRESS_MAX {
            return None;
        }
        *open += 1;
        Some(Place { address, by_address: Arc::clone(&self.by_address), _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = by_address.get_mut(&self.address) {
            *open -= 1;
            if *open == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_a_limit_and_gets_its_places_back() {
        let connections = Connections::default();
        let here = IpAddr::from([127, 0, 0, 1]);
        let mut places: Vec<Place> =
            (0..CONNECTIONS_PER_ADDRESS_MAX).filter_map(|_| connections.enter(here)).collect();
        assert_eq!(places.len(), CONNECTIONS_PER_ADDRESS_MAX);
        assert!(connections.enter(here).is_none());
        assert!(connections.enter(IpAddr::from([127, 0, 0, 2])).is_some());
        places.pop();
        assert!(connections.enter(here).is_some());
    }
}

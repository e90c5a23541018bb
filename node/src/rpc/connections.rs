//! Connections of a public port: as many as there are places for, in all and for one address.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::{ACCEPT_PAUSE, CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX};

/// Open connections of one listener, in all and by address.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    all: Arc<Semaphore>,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            by_address: Arc::default(),
        }
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
    /// The next connection that there is a place for; when all are taken, callers are hung up on.
    pub(crate) async fn accept(&self, listener: &TcpListener) -> (TcpStream, SocketAddr, Place) {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => {
                    let Some(place) = self.enter(remote.ip()) else {
                        tracing::debug!(%remote, "connection refused: too many are open");
                        continue;
                    };
                    // Small answers must not wait for more to come.
                    let _ = stream.set_nodelay(true);
                    return (stream, remote, place);
                }
                Err(error) => {
                    // Out of descriptors: until others end there is nothing to do.
                    tracing::warn!(%error, "a connection was not accepted");
                    let _paused =
                        tokio::time::timeout(ACCEPT_PAUSE, std::future::pending::<()>()).await;
                }
            }
        }
    }

    /// A place for one more connection of an address, if there is one.
    fn enter(&self, address: IpAddr) -> Option<Place> {
        let permit = self.all.clone().try_acquire_owned().ok()?;
        let mut by_address = self
            .by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let open = by_address.entry(address).or_default();
        if *open >= CONNECTIONS_PER_ADDRESS_MAX {
            return None;
        }
        *open += 1;
        Some(Place {
            address,
            by_address: Arc::clone(&self.by_address),
            _permit: permit,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_address = self
            .by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
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
        let mut places: Vec<Place> = (0..CONNECTIONS_PER_ADDRESS_MAX)
            .filter_map(|_| connections.enter(here))
            .collect();
        assert_eq!(places.len(), CONNECTIONS_PER_ADDRESS_MAX);
        assert!(connections.enter(here).is_none());
        assert!(connections.enter(IpAddr::from([127, 0, 0, 2])).is_some());
        places.pop();
        assert!(connections.enter(here).is_some());
    }

    #[test]
    fn all_addresses_together_have_a_limit() {
        let connections = Connections::default();
        let address = |number: usize| IpAddr::from(u32::try_from(number).unwrap().to_be_bytes());
        let mut places: Vec<Place> = (0..CONNECTIONS_MAX)
            .filter_map(|number| connections.enter(address(number)))
            .collect();
        assert_eq!(places.len(), CONNECTIONS_MAX);
        assert!(connections.enter(address(CONNECTIONS_MAX)).is_none());
        places.pop();
        assert!(connections.enter(address(CONNECTIONS_MAX)).is_some());
    }
}

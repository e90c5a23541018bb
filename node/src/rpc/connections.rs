//! Connections of a public port: as many as there are places for, in all and for one address.
//!
//! When all places are taken, a newcomer gets one from the address that has the most, if that still
//! has more than the newcomer then: whoever wants to keep others out needs as many addresses as there
//! are places, and not a sixteenth of them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::limits::{
    ACCEPT_PAUSE, CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, ROLLUP_CONNECTIONS_PER_ADDRESS_MAX,
};

/// Bits of an IPv6 address that name who has it: a network gets 64 bits to itself, and with them
/// more addresses than there are places.
const IPV6_NETWORK_BITS: u32 = 64;

/// Open connections of one listener.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    open: Arc<Mutex<Open>>,
    per_address_max: usize,
}

#[derive(Debug, Default)]
struct Open {
    /// Those of each address, the newest last.
    by_address: BTreeMap<IpAddr, Vec<Held>>,
    count: usize,
    /// Places given out so far.
    last: u64,
}

#[derive(Debug)]
struct Held {
    number: u64,
    taken_back: CancellationToken,
}

/// One open connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    address: IpAddr,
    number: u64,
    taken_back: CancellationToken,
    open: Arc<Mutex<Open>>,
}

/// Who an address stands for: itself, or its network.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mask = u128::MAX << (u128::BITS - IPV6_NETWORK_BITS);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
        address @ IpAddr::V4(_) => address,
    }
}

impl Connections {
    /// Those of a node's port; none yet.
    pub(crate) fn of_node() -> Self {
        Self::new(CONNECTIONS_PER_ADDRESS_MAX)
    }

    /// Those of a rollup's.
    pub(crate) fn of_rollup() -> Self {
        Self::new(ROLLUP_CONNECTIONS_PER_ADDRESS_MAX)
    }

    fn new(per_address_max: usize) -> Self {
        Self {
            open: Arc::default(),
            per_address_max,
        }
    }

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
        let address = network_of(address);
        let mut open = locked(&self.open);
        let own = open.by_address.get(&address).map_or(0, Vec::len);
        if own >= self.per_address_max {
            return None;
        }
        if open.count >= CONNECTIONS_MAX && !open.take_back(own + 1) {
            return None;
        }
        open.count += 1;
        open.last += 1;
        let (number, taken_back) = (open.last, CancellationToken::new());
        let held = Held {
            number,
            taken_back: taken_back.clone(),
        };
        open.by_address.entry(address).or_default().push(held);
        Some(Place {
            address,
            number,
            taken_back,
            open: Arc::clone(&self.open),
        })
    }
}

impl Open {
    /// Takes the newest place of the address with the most, if it has more than this many: what was
    /// open for long is the last to go. True if one is free now.
    fn take_back(&mut self, more_than: usize) -> bool {
        let most = self.by_address.values_mut().max_by_key(|held| held.len());
        let newest = most.filter(|held| held.len() > more_than);
        let Some(newest) = newest.and_then(Vec::pop) else {
            return false;
        };
        newest.taken_back.cancel();
        self.count -= 1;
        true
    }

    fn give_back(&mut self, address: IpAddr, number: u64) {
        let Some(held) = self.by_address.get_mut(&address) else {
            return;
        };
        // One that was taken back is not there any more.
        if let Some(at) = held.iter().position(|held| held.number == number) {
            held.remove(at);
            self.count -= 1;
        }
        if held.is_empty() {
            self.by_address.remove(&address);
        }
    }
}

impl Place {
    /// Cancelled when the connection is to end: somebody else has its place.
    pub(crate) fn taken_back(&self) -> &CancellationToken {
        &self.taken_back
    }

    /// Whose it is.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        locked(&self.open).give_back(self.address, self.number);
    }
}

fn locked(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_a_limit_and_gets_its_places_back() {
        let connections = Connections::of_node();
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
    fn rollup_has_places_for_four_nodes_and_their_users_at_one_address() {
        let connections = Connections::of_rollup();
        let here = IpAddr::from([127, 0, 0, 1]);
        let places = std::iter::from_fn(|| connections.enter(here));
        let places: Vec<Place> = places.collect();
        assert_eq!(places.len(), 32 + 4 * 16);
    }

    fn address(number: usize) -> IpAddr {
        IpAddr::from(u32::try_from(number).unwrap().to_be_bytes())
    }

    // Nitro: a feed has no limit of connections unless one is set.
    #[test]
    fn all_addresses_together_have_a_limit() {
        let connections = Connections::of_node();
        let mut places: Vec<Place> = (0..CONNECTIONS_MAX)
            .filter_map(|number| connections.enter(address(number)))
            .collect();
        assert_eq!(places.len(), CONNECTIONS_MAX);
        assert!(connections.enter(address(CONNECTIONS_MAX)).is_none());
        places.pop();
        assert!(connections.enter(address(CONNECTIONS_MAX)).is_some());
    }

    #[test]
    fn newcomer_gets_the_newest_place_of_the_address_with_the_most_until_it_has_as_many() {
        let connections = Connections::of_node();
        let greedy = CONNECTIONS_MAX / CONNECTIONS_PER_ADDRESS_MAX;
        let held: Vec<Place> = (0..CONNECTIONS_MAX)
            .filter_map(|number| connections.enter(address(number % greedy)))
            .collect();
        assert_eq!(held.len(), CONNECTIONS_MAX);
        let newcomers: Vec<Place> = (0..CONNECTIONS_MAX)
            .map_while(|_| connections.enter(address(greedy)))
            .collect();
        let taken_back = held.iter().filter(|it| it.taken_back().is_cancelled());
        assert_eq!(taken_back.count(), newcomers.len());
        assert!(!held[0].taken_back().is_cancelled(), "the oldest stays");
        // Each of the others has as many as it, or one more.
        let fair = CONNECTIONS_MAX / (greedy + 1);
        assert!((fair..=fair + 1).contains(&newcomers.len()));
        let count = || locked(&connections.open).count;
        assert_eq!(count(), CONNECTIONS_MAX);
        drop((held, newcomers));
        assert_eq!(count(), 0, "what was taken back is not given back again");
    }

    #[test]
    fn network_of_ipv6_counts_as_one_address_and_a_mapped_address_as_what_it_maps() {
        let of = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1:2:3"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}

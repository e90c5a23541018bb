//! Where the networks of one machine listen.
//!
//! ```text
//! 11000 ..< 16000   nodes: base + 10 × node + {0: JSON-RPC, 1: gRPC, 3: metrics, 4: validators}
//! 16000 ..< 21000   the demo rollups: base + 5000 + {0, 1}
//! ```
//! All of it is below the range from which the system gives ports to connections.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use super::Error;

/// The first base.
const FIRST: u16 = 11_000;

/// From one network to the next: nine nodes.
const STEP: u16 = 100;

/// How many networks there is room for.
const BASES: u32 = 50;

/// How far the demo rollups are above their network's base.
const ROLLUPS_OFFSET: u16 = 5_000;

/// The base from which all ports of a network follow: held until it is dropped, since the ports of a
/// network that is down for a moment look free.
#[derive(Debug)]
pub struct PortBase {
    number: u16,
    _held: File,
}

impl PortBase {
    /// A base that no process of this machine holds and whose ports are free.
    ///
    /// # Errors
    /// There is none.
    pub fn free() -> Result<Self, Error> {
        static TAKEN: AtomicU32 = AtomicU32::new(0);
        // Each begins elsewhere: ports that were just in use may have connections that linger.
        let start = std::process::id().wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        for next in 0..BASES {
            let place = u16::try_from(start.wrapping_add(next) % BASES).unwrap_or(0);
            let held = Self::hold(FIRST + STEP * place);
            if let Some(base) = held.filter(Self::is_free) {
                return Ok(base);
            }
        }
        Err(Error::NoPorts {
            first: FIRST,
            last: FIRST + STEP * 49,
        })
    }

    /// Takes a base if nobody has it.
    fn hold(number: u16) -> Option<Self> {
        let name = format!("cloverleaf-ports-{number}.lock");
        let held = File::create(std::env::temp_dir().join(name)).ok()?;
        held.try_lock().ok()?;
        Some(Self {
            number,
            _held: held,
        })
    }

    /// The number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// JSON-RPC of a node.
    #[must_use]
    pub fn http_url(&self, node: usize) -> String {
        url(self.of_node(node))
    }

    /// gRPC of a node.
    #[must_use]
    pub fn grpc_url(&self, node: usize) -> String {
        url(self.of_node(node) + 1)
    }

    /// Metrics and health of a node.
    #[must_use]
    pub fn metrics_url(&self, node: usize) -> String {
        url(self.of_node(node) + 3)
    }

    /// Where a node listens for other validators.
    #[must_use]
    pub fn peer_address(&self, node: usize) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.of_node(node) + 4).into()
    }

    /// The port of the i-th demo rollup.
    #[must_use]
    pub fn rollup(&self, index: u16) -> u16 {
        self.number + ROLLUPS_OFFSET + index
    }

    /// The port from which those of a node follow.
    ///
    /// # Panics
    /// A network of one machine has few nodes.
    #[must_use]
    pub fn of_node(&self, node: usize) -> u16 {
        self.number + 10 * u16::try_from(node).expect("a network of one machine has few nodes")
    }

    fn is_free(&self) -> bool {
        let rollups = [self.rollup(0), self.rollup(1)];
        let mut ports = (self.number..self.number + STEP).chain(rollups);
        ports.all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
    }
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_networks_share_a_port_and_none_is_one_that_the_system_gives_away() {
        let used = |base: u16| {
            let rollups = base + ROLLUPS_OFFSET;
            (base..base + STEP).chain([rollups, rollups + 1])
        };
        let all: Vec<u16> = (0..u16::try_from(BASES).unwrap())
            .flat_map(|place| used(FIRST + STEP * place))
            .collect();
        let distinct: std::collections::BTreeSet<&u16> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert!(all.iter().all(|port| *port < 32_768));
    }

    #[test]
    fn base_with_a_listener_is_not_given_out() {
        let base = PortBase::free().unwrap();
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, base.number() + 31)).unwrap();
        assert!(!base.is_free());
        assert_ne!(PortBase::free().unwrap().number(), base.number());
    }

    #[test]
    fn base_of_a_network_that_is_down_is_not_given_out_until_it_is_dropped() {
        let base = PortBase::free().unwrap();
        assert!(PortBase::hold(base.number()).is_none());
        let number = base.number();
        drop(base);
        assert!(PortBase::hold(number).is_some());
    }
}

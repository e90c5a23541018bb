//! What `testnet/docker-compose.yml` fixes: names, addresses, ports.
//!
//! ```text
//! 10.45.45.11 … .14   validators     127.0.0.1:4545 + 10·i JSON-RPC, + 1 gRPC, + 3 metrics
//! 10.45.45.21, .22    rollups        127.0.0.1:9545, 9546
//! 10.45.45.31, .32    Prometheus, Grafana (profile `monitoring`)
//! ```

use std::net::Ipv4Addr;

use crate::external::NodeUrls;

/// The compose file, from the root of a checkout.
pub const COMPOSE_FILE: &str = "testnet/docker-compose.yml";

/// The image that everything runs, when nothing else is said.
pub const IMAGE: &str = "cloverleaf:testnet";

/// How many validators run: the fewest that tolerate a fault.
pub const VALIDATORS: u16 = 4;

/// The rollups that run, in the order of their addresses and ports.
pub const ROLLUPS: [u64; 2] = [901, 902];

/// The network's name at the engine.
pub(super) const NETWORK: &str = "cloverleaf";

/// The first validator's JSON-RPC on loopback; the others follow 10 apart.
const PORT_BASE: u16 = 4545;

/// A validator's address.
///
/// # Panics
/// There is none so far up.
#[must_use]
pub fn validator_address(index: u16) -> Ipv4Addr {
    address(11, index)
}

/// A rollup's address.
///
/// # Panics
/// There is none so far up.
#[must_use]
pub fn rollup_address(index: u16) -> Ipv4Addr {
    address(21, index)
}

fn address(first: u8, index: u16) -> Ipv4Addr {
    let index = u8::try_from(index).expect("few containers");
    Ipv4Addr::new(10, 45, 45, first + index)
}

/// The container of a validator, or of another service.
#[must_use]
pub fn container_of(service: &str) -> String {
    format!("cloverleaf-{service}")
}

/// Where a validator answers on loopback.
#[must_use]
pub fn node_urls(index: u16) -> NodeUrls {
    let port = PORT_BASE + 10 * index;
    NodeUrls {
        http: format!("http://127.0.0.1:{port}"),
        grpc: format!("http://127.0.0.1:{}", port + 1),
        metrics: Some(format!("http://127.0.0.1:{}", port + 3)),
    }
}

/// Where a rollup answers on loopback.
#[must_use]
pub fn rollup_url(index: u16) -> String {
    format!("http://127.0.0.1:{}", PORT_BASE + 5_000 + index)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPOSE: &str = include_str!("../../docker-compose.yml");

    /// The lines of a service.
    fn service(name: &str) -> Vec<&'static str> {
        let start = format!("  {name}:");
        let lines = COMPOSE.lines().skip_while(|line| *line != start).skip(1);
        let lines: Vec<&str> = lines.take_while(|line| line.starts_with("    ")).collect();
        assert!(!lines.is_empty(), "no service {name}");
        lines
    }

    fn says(name: &str, what: &str) {
        let lines = service(name);
        let said = lines.iter().any(|line| line.contains(what));
        assert!(said, "{name} does not say {what}: {lines:?}");
    }

    #[test]
    fn compose_file_has_the_addresses_names_and_ports_that_are_believed() {
        for index in 0..VALIDATORS {
            let name = format!("node{index}");
            says(
                &name,
                &format!("ipv4_address: {}", validator_address(index)),
            );
            says(&name, &format!("container_name: {}", container_of(&name)));
            let urls = node_urls(index);
            for (url, port) in [(urls.http, 4545), (urls.grpc, 4546)] {
                let outside = url.strip_prefix("http://").unwrap();
                says(&name, &format!("\"{outside}:{port}\""));
            }
        }
        for (index, chain_id) in (0..).zip(ROLLUPS) {
            let name = format!("rollup{chain_id}");
            says(&name, &format!("ipv4_address: {}", rollup_address(index)));
            says(&name, &format!("container_name: {}", container_of(&name)));
            let url = rollup_url(index);
            let outside = url.strip_prefix("http://").unwrap();
            says(
                &name,
                &format!("\"{outside}:{}\"", PORT_BASE + 5_000 + index),
            );
            for node in 0..VALIDATORS {
                says(&name, &format!("http://{}:4546", validator_address(node)));
            }
        }
        assert!(COMPOSE.contains(&format!("name: {NETWORK}")));
        assert!(COMPOSE.contains(IMAGE));
    }

    #[test]
    fn every_port_of_the_compose_file_is_bound_to_loopback() {
        let published = COMPOSE.lines().map(str::trim);
        let published: Vec<&str> = published.filter(|line| line.starts_with("- \"")).collect();
        assert!(published.len() > 10, "{published:?}");
        let outside = published
            .iter()
            .find(|line| !line.starts_with("- \"127.0.0.1:"));
        assert_eq!(outside, None);
    }
}

//! How a network of processes is made, and where its nodes run.

use std::net::Ipv4Addr;
use std::path::Path;

use cloverleaf_types::rollup::Verification;

/// How a network is made.
#[derive(Clone, Copy, Debug)]
pub struct NetworkPlan {
    /// How many validators.
    pub validators: usize,
    /// How many rollups are registered; the demo's two without.
    pub rollups: Option<usize>,
    /// Who verifies their transactions.
    pub verification: Verification,
    /// Shortest time between two blocks, in milliseconds; the usual one without.
    pub block_time_ms: Option<u64>,
    /// Largest block, as a weight; the usual one without.
    pub block_weight: Option<u64>,
}

/// Where a node runs when nodes do not share this machine's loopback: a network namespace, which is
/// there already, and its address in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The namespace, as `ip netns` names it.
    pub namespace: String,
    /// The node's address.
    pub address: Ipv4Addr,
}

impl Default for NetworkPlan {
    fn default() -> Self {
        Self {
            validators: 4,
            rollups: None,
            verification: Verification::default(),
            block_time_ms: None,
            block_weight: None,
        }
    }
}

impl NetworkPlan {
    /// The command that makes it under a directory.
    pub(super) fn arguments(&self, dir: &Path, port_base: u16, hosts: &[Host]) -> Vec<String> {
        let mut arguments = vec!["testnet".to_owned(), "init".to_owned()];
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        option("--validators", self.validators.to_string());
        option("--out", dir.display().to_string());
        option("--port-base", port_base.to_string());
        if let Some(rollups) = self.rollups {
            option("--rollups", rollups.to_string());
        }
        // The binaries of earlier tags know the usual one alone.
        if self.verification != Verification::default() {
            option("--verification", self.verification.text().to_owned());
        }
        if let Some(block_time_ms) = self.block_time_ms {
            option("--block-time-ms", block_time_ms.to_string());
        }
        if let Some(block_weight) = self.block_weight {
            option("--parameter", format!("block_weight={block_weight}"));
        }
        for host in hosts {
            option("--host", host.address.to_string());
        }
        arguments
    }
}

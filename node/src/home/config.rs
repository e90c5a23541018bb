//! A node's settings: `node.toml`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use cloverleaf_types::ChainId;
use eyre::{Context as _, Result, eyre};
use serde::{Deserialize, Serialize};

/// What an operator sets for one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// All ports follow from it; see [`Ports`].
    pub port_base: u16,
    /// The address that the public ports listen on.
    #[serde(default = "loopback")]
    pub listen_address: IpAddr,
    /// The other validators.
    #[serde(default)]
    pub peers: Vec<Peer>,
    /// Where this node asks about rollups' own state; never replicated.
    #[serde(default)]
    pub execution: Vec<ExecutionRpc>,
}

/// Another validator: who it is, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its libp2p peer id, as genesis names it.
    pub peer_id: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// A rollup's own JSON-RPC endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutionRpc {
    /// The rollup.
    pub chain_id: ChainId,
    /// Its `http://` URL.
    pub url: String,
}

/// The ports of one node, all from one base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    base: u16,
}

impl Ports {
    /// The base that a node has when nothing else is said.
    pub const DEFAULT_BASE: u16 = 4545;

    /// Highest base: the demo rollups are 5,001 above it, other nodes of a testnet up to 1,270.
    pub const BASE_MAX: u16 = u16::MAX - 6_300;

    /// The ports of a base.
    ///
    /// # Errors
    /// The base leaves no room for the ports above it.
    pub fn new(base: u16) -> Result<Self> {
        if base == 0 || base > Self::BASE_MAX {
            return Err(eyre!(
                "port base {base} is out of range: 1 to {}",
                Self::BASE_MAX
            ));
        }
        Ok(Self { base })
    }

    /// The ports of the i-th node of a testnet.
    #[must_use]
    pub fn of_node(self, index: u16) -> Self {
        Self {
            base: self.base + 10 * index,
        }
    }

    /// The base.
    #[must_use]
    pub fn base(self) -> u16 {
        self.base
    }

    /// JSON-RPC and REST.
    #[must_use]
    pub fn http(self) -> u16 {
        self.base
    }

    /// gRPC.
    #[must_use]
    pub fn grpc(self) -> u16 {
        self.base + 1
    }

    /// Validators among themselves.
    #[must_use]
    pub fn network(self) -> u16 {
        self.base + 4
    }

    /// The i-th demo rollup's own JSON-RPC.
    #[must_use]
    pub fn rollup(self, index: u16) -> u16 {
        self.base + 5_000 + index
    }
}

impl NodeConfig {
    /// A node on loopback that asks no rollups.
    #[must_use]
    pub fn new(ports: Ports, peers: Vec<Peer>) -> Self {
        Self {
            port_base: ports.base(),
            listen_address: loopback(),
            peers,
            execution: Vec::new(),
        }
    }

    /// Reads and checks the file.
    ///
    /// # Errors
    /// It is missing, has an unknown key, or a value is out of range.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .wrap_err_with(|| format!("reading {}", path.display()))?;
        let config: Self = toml::from_str(&text)
            .wrap_err_with(|| format!("{} is not a node's configuration", path.display()))?;
        Ports::new(config.port_base).wrap_err_with(|| format!("{}", path.display()))?;
        Ok(config)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = toml::to_string_pretty(self)?;
        std::fs::write(path, text).wrap_err_with(|| format!("writing {}", path.display()))
    }

    /// The node's ports.
    ///
    /// # Errors
    /// The base leaves no room for the ports above it.
    pub fn ports(&self) -> Result<Ports> {
        Ports::new(self.port_base)
    }
}

pub(super) fn loopback() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

//! The ports of a node.

use eyre::{Result, eyre};

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

    /// Metrics and health.
    #[must_use]
    pub fn metrics(self) -> u16 {
        self.base + 3
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

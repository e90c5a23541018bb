//! Why a stream ends.

use cloverleaf_types::ChainId;

/// Storage could not answer. The node is at fault; the consumer may resume elsewhere.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(Box<dyn std::error::Error + Send + Sync>);

impl SourceError {
    /// Wraps what went wrong in storage.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// Why a subscription hands out no further item. Its cursor stays valid.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The consumer asked for a rollup that is not registered.
    #[error("rollup {chain_id} is not registered; check the chain id, or register it first")]
    UnknownRollup {
        /// The rollup asked for.
        chain_id: ChainId,
    },
    /// The consumer asked for what this node no longer keeps.
    #[error(
        "position {asked} is pruned here, the first available is {first_available}; \
         read the older ones from a node that keeps them"
    )]
    Pruned {
        /// The position asked for.
        asked: u64,
        /// The first position that this node still has.
        first_available: u64,
    },
    /// The node is shutting down; resume at the same position later or at another node.
    #[error("the node is shutting down; resume at the same position")]
    Closed,
    /// Storage failed: the node's fault.
    #[error("decided blocks could not be read: {0}")]
    Source(#[from] SourceError),
    /// Something was announced that storage does not have: the node's fault, and it must stop.
    #[error("position {position} was announced as durable, but storage does not have it")]
    Missing {
        /// The position announced.
        position: u64,
    },
    /// Ring or storage answered with another position: the node's fault, and it must stop.
    #[error("position {expected} is next, but storage answered with {found}")]
    OutOfOrder {
        /// The position due.
        expected: u64,
        /// The position that came.
        found: u64,
    },
}

//! The seams to storage: where the backlog comes from.
//!
//! Both are called by [`Hub`](crate::Hub) and its subscriptions, `read` on threads that may block.
//! A call cannot be cancelled: one whose subscriber has gone runs to its end, unheard. Nothing is
//! retried; an error ends the subscription, and the consumer resumes where it was. There is no
//! silence: whatever is durable is answered at once.

use std::sync::Arc;

use cloverleaf_types::{ChainId, Height};

use crate::error::SourceError;
use crate::item::{StreamBlock, StreamItem};

/// What storage has from a position on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read<T> {
    /// The item at the position and those right after it, at least one.
    Items(Vec<Arc<T>>),
    /// The position is not durable here yet.
    AtTip,
    /// The position is no longer kept.
    Pruned {
        /// The first one that is.
        first_available: u64,
    },
}

/// Reads the durable batches of rollups.
pub trait BatchSource: Send + Sync + 'static {
    /// The rollup's latest durable batch, 0 before its first; nothing if it was never registered.
    /// Must be cheap: it is asked on an async thread, by whoever names a chain id.
    ///
    /// # Errors
    /// Storage failed.
    fn head(&self, chain_id: ChainId) -> Result<Option<u64>, SourceError>;

    /// The batch at `from_seq` and up to `items_max` in all while they fit into `bytes_max`; the
    /// first is given whatever its size.
    ///
    /// # Errors
    /// Storage failed.
    fn read(
        &self,
        chain_id: ChainId,
        from_seq: u64,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Read<StreamItem>, SourceError>;
}

/// Reads durable blocks.
pub trait BlockSource: Send + Sync + 'static {
    /// The latest durable block; genesis before the first.
    ///
    /// # Errors
    /// Storage failed.
    fn tip(&self) -> Result<Height, SourceError>;

    /// The block at `from` and up to `items_max` in all while they fit into `bytes_max`; the first
    /// is given whatever its size.
    ///
    /// # Errors
    /// Storage failed.
    fn read_blocks(
        &self,
        from: Height,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Read<StreamBlock>, SourceError>;
}

//! A network small enough to see through: items with names, lanes that seal, blocks that follow.

pub(crate) mod controls;
pub(crate) mod items;
pub(crate) mod network;
pub(crate) mod oracle;
mod registry;

use cloverleaf_bundle::{Dropped, Ordered};
use cloverleaf_types::{Block, ChainId, DropReason};

pub(crate) use items::{bundle, bundle_in, checked, sized, tx};
pub(crate) use network::{Network, Proposal, genesis, rollup};

/// The names of the transactions that a block places on a rollup, in order.
pub(crate) fn names(block: &Block, chain_id: u64) -> Vec<u64> {
    let batch = block.batch(ChainId(chain_id));
    let raws = batch.map_or(&[][..], |batch| batch.transactions());
    raws.iter().map(|raw| items::name_of(raw)).collect()
}

/// The reasons of a block's drops, in the block's linear order.
pub(crate) fn reasons(ordered: &Ordered) -> Vec<DropReason> {
    ordered.drops.iter().map(|drop| drop.reason).collect()
}

/// The drop of a block that has just one.
pub(crate) fn only_drop(ordered: &Ordered) -> &Dropped {
    assert_eq!(ordered.drops.len(), 1, "drops: {:?}", ordered.drops);
    &ordered.drops[0]
}

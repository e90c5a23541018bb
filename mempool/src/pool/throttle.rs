//! Rollups that were full for this lane (O3): what the author seals for them until they are not.
//!
//! A block that closes a rollup for a lane drops what the lane carries for it until the lane's cut
//! has seen that block. Whatever is sealed before that is dropped and comes back; nothing new may
//! overtake it. So the rollup waits until all parcels sealed before are decided, then gets at most
//! what the block placed for it, until a block closes nothing.

use std::collections::BTreeMap;

use cloverleaf_types::{ChainId, Slot};

/// The rollups that are held back.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    rollups: BTreeMap<ChainId, Held>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    /// The last parcel sealed before the block that found the rollup full.
    drain: Option<Slot>,
    /// The weight that the block placed for this lane.
    budget: u64,
    used: u64,
}

impl Throttle {
    /// A block found the rollup full for this lane, after placing weight `placed`; `sealed` is the
    /// last undecided parcel.
    pub(super) fn hold(&mut self, chain_id: ChainId, placed: u64, sealed: Option<Slot>) {
        self.rollups.insert(
            chain_id,
            Held {
                drain: sealed,
                budget: placed,
                used: 0,
            },
        );
    }

    /// A block decided the lane up to a parcel; the rollups that it found full are held again after
    /// this.
    pub(super) fn release(&mut self, decided: Slot) {
        self.rollups
            .retain(|_, held| held.drain.is_some_and(|drain| drain >= decided));
    }

    /// True when the rollup gets nothing of this weight now; `undecided` is the first undecided
    /// parcel. One item always fits, or a large one would wait for ever.
    pub(super) fn refuses(&self, chain_id: ChainId, weight: u64, undecided: Option<Slot>) -> bool {
        self.rollups.get(&chain_id).is_some_and(|held| {
            held.drains(undecided)
                || (held.used > 0 && held.used.saturating_add(weight) > held.budget)
        })
    }

    /// True when what was refused for the rollup still is: only a block changes that.
    pub(super) fn is_shut(&self, chain_id: ChainId, undecided: Option<Slot>) -> bool {
        let held = self.rollups.get(&chain_id);
        held.is_some_and(|held| held.drains(undecided) || held.used > 0)
    }

    pub(super) fn charge(&mut self, chain_id: ChainId, weight: u64) {
        if let Some(held) = self.rollups.get_mut(&chain_id) {
            held.used = held.used.saturating_add(weight);
        }
    }
}

impl Held {
    /// What was sealed before the block is not all decided.
    fn drains(&self, undecided: Option<Slot>) -> bool {
        let drain = self.drain;
        drain.is_some_and(|drain| undecided.is_some_and(|undecided| undecided <= drain))
    }
}

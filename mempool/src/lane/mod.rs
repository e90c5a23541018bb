//! The author's side of lanes: when to seal a parcel, and who still needs it.
//!
//! ```text
//!  take ─► seal ─► append to the lane log, sync ─► on_stored ─► send to all ─► acks ─► available
//!                                                      ▲                        │
//!                                                      └── resend, per peer ◄───┘
//! ```
//! Sealing is clocked by acks and beats (A2): on a beat when a quorum has all that was sealed before, at once
//! when that was long ago, so an idle lane is fast; else when a parcel is full or old enough, so a busy
//! lane makes large parcels.
//!
//! # Recovery
//! The lane log is the guard against signing a slot twice (L3): a parcel is appended and synced before
//! it leaves, and [`Lane::restore`] goes on behind the last one.

mod peer;
mod round_trip;
mod seal;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use cloverleaf_bundle::LastCut;
use cloverleaf_types::{
    Address, B256, Epoch, Height, NetworkId, Parameters, Parcel, Slot, ValidatorSet, Verified,
};

use crate::error::LaneLogError;
use peer::Peer;

pub use peer::{RESEND_DELAY_MAX_MS, RESEND_PARCELS_MAX};
pub use seal::Due;

/// What a lane needs to know of its network and its author.
#[derive(Clone, Copy, Debug)]
pub struct LaneConfig {
    /// The network.
    pub network: NetworkId,
    /// The lane's owner.
    pub author: Address,
    /// The height from which the author may sign (L2).
    pub epoch: Epoch,
    /// `lane_outstanding_weight` of the network: most weight that is not cut yet.
    pub outstanding_weight_max: u64,
    /// `parcel_age_ms` of the network: longest wait for a parcel to fill.
    pub parcel_age_ms: u64,
    /// `block_time_ms` of the network: a tenth of it is a beat.
    pub block_time_ms: u64,
    /// `fetch_delay_ms` of the network: how much later than usual an ack may be.
    pub fetch_delay_ms: u64,
}

/// The own lane, above its last cut.
#[derive(Debug)]
pub struct Lane {
    config: LaneConfig,
    validators: Arc<ValidatorSet>,
    /// What the next parcel follows.
    next: Next,
    uncut: Uncut,
    uncut_weight: u64,
    /// Own parcels with a lower number are durable here.
    durable: u64,
    /// Own parcels with a lower number were announced as available.
    available: u64,
    peers: BTreeMap<Address, Peer>,
    /// Since when something waits to be sealed.
    waiting_since_ms: Option<u64>,
    /// When the last parcel was sealed, in this life.
    sealed_ms: Option<u64>,
    /// The height that marked this author absent (P1).
    marked: Option<Height>,
}

/// Own parcels that no block has cut, by their number.
type Uncut = BTreeMap<u64, Arc<Verified<Parcel>>>;

/// L2: number, link, and what never falls.
#[derive(Clone, Copy, Debug, Default)]
struct Next {
    seq: u64,
    prev: B256,
    seen: Height,
    time_ms: u64,
}

impl Lane {
    /// Goes on after the last cut and the own parcels that the lane log holds, in their order; the log
    /// keeps at least the last one, cut or not. Nobody is known to hold anything yet.
    ///
    /// # Errors
    /// The log is not that of this lane and epoch, or the blocks know more of it than the log: the
    /// author must not sign in this epoch.
    pub fn restore(
        config: LaneConfig,
        validators: Arc<ValidatorSet>,
        last_cut: Option<&LastCut>,
        log: impl IntoIterator<Item = Arc<Verified<Parcel>>>,
    ) -> Result<Self, LaneLogError> {
        let behind = |cut: &LastCut| LaneLogError::Behind {
            slot: Slot {
                author: config.author,
                epoch: cut.epoch,
                seq: cut.seq,
            },
        };
        if let Some(later) = last_cut.filter(|cut| cut.epoch > config.epoch) {
            return Err(behind(later));
        }
        let cut = last_cut.filter(|cut| cut.epoch == config.epoch);
        let mut next = Next {
            seq: cut.map_or(0, |cut| cut.seq + 1),
            prev: cut.map_or(B256::ZERO, |cut| cut.hash),
            seen: last_cut.map_or(Height::GENESIS, |cut| cut.seen),
            time_ms: 0,
        };
        let first = next.seq;
        let mut uncut = BTreeMap::new();
        let mut reaches_cut = cut.is_none();
        for parcel in log {
            let slot = parcel.slot();
            if (slot.author, slot.epoch) != (config.author, config.epoch) {
                return Err(LaneLogError::Foreign { slot });
            }
            next.time_ms = next.time_ms.max(parcel.header().time_ms);
            if slot.seq < first {
                reaches_cut |= slot.seq + 1 == first && parcel.hash() == next.prev;
                continue;
            }
            if slot.seq != next.seq || parcel.header().prev != next.prev {
                return Err(LaneLogError::Broken { slot });
            }
            next.seq = slot.seq + 1;
            next.prev = parcel.hash();
            next.seen = next.seen.max(parcel.header().seen);
            uncut.insert(slot.seq, parcel);
        }
        // A parcel above the cut chains to it, so the log is at least as new.
        if let Some(cut) = cut.filter(|_| !reaches_cut && uncut.is_empty()) {
            return Err(behind(cut));
        }
        Ok(Self {
            uncut_weight: uncut.values().map(|parcel| parcel.weight()).sum(),
            durable: next.seq,
            available: first,
            next,
            uncut,
            ..Self::idle(config, validators)
        })
    }

    /// The lane of a node that is no validator: nothing of it is known, and nothing may be sealed
    /// until it begins an epoch.
    #[must_use]
    pub fn idle(config: LaneConfig, validators: Arc<ValidatorSet>) -> Self {
        Self {
            config,
            validators,
            next: Next::default(),
            uncut: BTreeMap::new(),
            uncut_weight: 0,
            durable: 0,
            available: 0,
            peers: BTreeMap::new(),
            waiting_since_ms: None,
            sealed_ms: None,
            marked: None,
        }
    }

    /// L2: its author has joined, and may sign from a height on: a new chain begins. Whatever was
    /// there before has ended.
    pub fn begin(&mut self, epoch: Epoch, last_cut: Option<&LastCut>) {
        self.config.epoch = epoch;
        self.next = Next {
            seen: last_cut.map_or(Height::GENESIS, |cut| cut.seen),
            time_ms: self.next.time_ms,
            ..Next::default()
        };
        self.end();
        (self.durable, self.available) = (0, 0);
        self.peers.values_mut().for_each(Peer::forget);
    }

    /// L2: its author is removed: nothing that is uncut will be cut any more.
    pub fn end(&mut self) {
        self.uncut.clear();
        (self.uncut_weight, self.waiting_since_ms, self.marked) = (0, None, None);
    }

    /// The slot of the next parcel.
    #[must_use]
    pub fn next_slot(&self) -> Slot {
        self.slot(self.next.seq)
    }

    /// The last own parcel of the epoch, cut or not: what the lane log must keep, since it shows up to
    /// where the author has signed (L3).
    #[must_use]
    pub fn last_hash(&self) -> Option<B256> {
        (!self.next.prev.is_zero()).then_some(self.next.prev)
    }

    /// The own parcels that are not cut yet, in order: after a restart their items are still sealed.
    pub fn uncut(&self) -> impl Iterator<Item = &Arc<Verified<Parcel>>> {
        self.uncut.values()
    }

    /// Whether what is said to be in a slot of this lane is what this author knows of: it is of an
    /// earlier epoch, or was sealed here or found in the lane log. What is cut already is taken for it.
    #[must_use]
    pub fn knows(&self, slot: Slot, hash: B256) -> bool {
        if slot.epoch != self.config.epoch {
            return slot.epoch < self.config.epoch;
        }
        let is_last = slot.seq.checked_add(1) == Some(self.next.seq);
        let held = self.uncut.get(&slot.seq).map(|parcel| parcel.hash());
        let known = held.or(is_last.then_some(self.next.prev));
        slot.seq < self.next.seq && known.is_none_or(|known| known == hash)
    }

    /// The weight (W4) of the parcels that are not cut yet.
    #[must_use]
    pub fn uncut_weight(&self) -> u64 {
        self.uncut_weight
    }

    /// Follows a decided block: how far it cut this lane, and the validators from then on.
    pub fn on_decided(&mut self, last_cut: Option<&LastCut>, validators: Arc<ValidatorSet>) {
        self.validators = validators;
        let Some(cut) = last_cut.filter(|cut| cut.epoch == self.config.epoch) else {
            return;
        };
        self.uncut = self.uncut.split_off(&(cut.seq + 1));
        let peers = self.peers.values_mut();
        peers.for_each(|peer| peer.on_cut(cut.seq));
        self.uncut_weight = self.uncut.values().map(|parcel| parcel.weight()).sum();
        // What a block has taken is held by more than f, acknowledged or not.
        self.available = self.available.max(cut.seq + 1);
    }

    /// S1: the network's parameters from the next height on.
    pub fn on_parameters(&mut self, parameters: &Parameters) {
        self.config.outstanding_weight_max = parameters.lane_outstanding_weight;
        self.config.parcel_age_ms = parameters.parcel_age_ms;
        self.config.block_time_ms = parameters.block_time_ms;
        self.config.fetch_delay_ms = parameters.fetch_delay_ms;
    }

    /// P1: the height that marked this author absent; nothing when it counts as present.
    pub fn on_absent(&mut self, marked: Option<Height>) {
        self.marked = marked;
    }

    fn slot(&self, seq: u64) -> Slot {
        Slot {
            author: self.config.author,
            epoch: self.config.epoch,
            seq,
        }
    }
}

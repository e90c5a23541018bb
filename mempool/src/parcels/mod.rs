//! The receiver's side of lanes: what is held of every author, who else holds it, and which cut may
//! be proposed or accepted.
//!
//! ```text
//!  parcel ─ verify ─ prepare ─► accept ─► (store, sync) ─► stored ─► ack to all
//!                                 │                           │
//!  reply ◄─ serve ◄─ fetch        ├─ evidence                 ├─► plan_cut ─► proposal
//!  fetches ─► peers that acked ◄──┴─ what an ack or a         └─► resolve ◄── proposal
//!                                    proposal names
//! ```
//! Contents are in memory above the last cut; the caller keeps the bytes durable. Own parcels are
//! taken in like all others. Parcels above the cut are never evicted (L6); a second parcel of a slot
//! is kept only while a proposal of the running height names it (L4).

mod accept;
mod acks;
mod chain;
mod ended;
mod fetch;
mod marked;
mod plan;
mod resolve;
mod serve;

pub mod message;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cloverleaf_bundle::{LastCut, Prepared};
use cloverleaf_types::{Address, B256, Bound, Epoch, Height, Parameters, Slot, ValidatorSet};

use crate::holding::{Holding, held_by_enough};
use acks::{Acks, Here, LaneEpoch};
use chain::{Chain, Held256};
use fetch::Fetches;

pub use accept::{Accept, Evidence};
pub use fetch::{EXCLUSION_MS, FETCH_TIMEOUT_MS};
pub use marked::{FalseSender, check_marked};
pub use message::{AckEntry, Fetch, Message};
pub use resolve::{InvalidCut, Missing, Resolved};

/// What the store needs to know of its network and itself.
#[derive(Clone, Copy, Debug)]
pub struct ParcelsConfig {
    /// This validator.
    pub own: Address,
    /// `block_weight` of the network.
    pub block_weight: u64,
    /// `lane_outstanding_weight` of the network.
    pub outstanding_weight_max: u64,
    /// `fetch_delay_ms` of the network.
    pub fetch_delay_ms: u64,
}

/// The replicated state after a block, as far as lanes are concerned.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The block's height.
    pub height: Height,
    /// The validators of the next height.
    pub validators: &'a Arc<ValidatorSet>,
    /// How far every lane is cut.
    pub last_cuts: &'a BTreeMap<Address, LastCut>,
    /// From which height on validators that joined later decide: the first epoch of their lanes (L2).
    pub joined: &'a BTreeMap<Address, Height>,
}

/// The parcels above the last cut.
#[derive(Debug)]
pub struct Parcels {
    config: ParcelsConfig,
    height: Height,
    validators: Arc<ValidatorSet>,
    held: Held256,
    lanes: BTreeMap<Address, Chain>,
    acks: Acks,
    fetches: Fetches,
    /// Something became durable since the last ack.
    ack_due: bool,
}

impl Parcels {
    /// An empty store at a decided block.
    #[must_use]
    pub fn new(config: ParcelsConfig, view: &View<'_>) -> Self {
        let mut parcels = Self {
            height: view.height,
            validators: Arc::clone(view.validators),
            held: HashMap::new(),
            lanes: BTreeMap::new(),
            acks: Acks::default(),
            fetches: Fetches::default(),
            ack_due: false,
            config,
        };
        parcels.on_decided(view);
        parcels
    }

    /// Follows a decided block, once it is durable here. Returns the parcels that are forgotten: the
    /// caller may delete them (L6).
    pub fn on_decided(&mut self, view: &View<'_>) -> Vec<(Slot, B256)> {
        self.height = view.height;
        self.validators = Arc::clone(view.validators);
        self.fetches.forget_named();
        self.fetches.forget_wants();
        self.acks
            .keep(|peer| view.validators.index_of(peer).is_some());
        let mut forgotten = Vec::new();
        for (author, cut) in view.last_cuts {
            let chain = self.lanes.entry(*author).or_default();
            forgotten.extend(chain.cut_at(*cut, &mut self.held));
        }
        for (author, height) in view.joined {
            let chain = self.lanes.entry(*author).or_default();
            forgotten.extend(chain.begin_at(Epoch(height.0), &mut self.held));
        }
        for (author, chain) in &mut self.lanes {
            forgotten.extend(chain.forget_others(&mut self.held));
            if view.validators.index_of(*author).is_none() {
                forgotten.extend(chain.end(&mut self.held));
            }
        }
        for (author, chain) in &self.lanes {
            let cut_epoch = chain.cut().map(|cut| cut.epoch);
            for epoch in chain.epochs().chain(cut_epoch) {
                self.acks.settle((*author, epoch), |slot| here(chain, slot));
            }
        }
        self.ack_due = true;
        forgotten
    }

    /// S1: the network's parameters from the next height on.
    pub fn on_parameters(&mut self, parameters: &Parameters) {
        self.config.block_weight = parameters.block_weight;
        self.config.outstanding_weight_max = parameters.lane_outstanding_weight;
        self.config.fetch_delay_ms = parameters.fetch_delay_ms;
    }

    /// The store is durable up to here: takes in parcels from disk after a restart, in the order in
    /// which they were stored, so that the first of a slot stays the first.
    pub fn restore(&mut self, stored: impl IntoIterator<Item = Arc<Prepared>>) {
        for prepared in stored {
            let hash = prepared.parcel.hash();
            if let Accept::Store = self.accept(prepared) {
                self.stored(hash);
            }
        }
    }

    /// A parcel is durable here: from now on it is acked, once all before it are (A1).
    pub fn stored(&mut self, hash: B256) {
        let Some(held) = self.held.get_mut(&hash) else {
            return; // a block took it meanwhile
        };
        held.stored = true;
        self.fetches.forget_wants();
        let slot = held.prepared.parcel.slot();
        let Some(chain) = self.lanes.get_mut(&slot.author) else {
            return;
        };
        if chain.advance_tip(slot.epoch, &self.held) {
            self.ack_due = true;
            let lane = (slot.author, slot.epoch);
            self.acks.settle(lane, |slot| here(chain, slot));
        }
    }

    /// The parcel of a hash, if it is held.
    #[must_use]
    pub fn get(&self, hash: &B256) -> Option<&Arc<Prepared>> {
        self.held.get(hash).map(|held| &held.prepared)
    }

    /// How many parcels are held above the cuts, own ones included.
    #[must_use]
    pub fn held_count(&self) -> usize {
        self.held.len()
    }

    /// What grows in it with what others send: the fullest lane's slots, and what proposals name.
    #[must_use]
    pub fn bounds(&self) -> [Bound; 2] {
        let fullest = self.lanes.values().map(Chain::slot_count).max();
        [
            Bound::new("lane_slots", fullest.unwrap_or(0), chain::SLOTS_MAX),
            Bound::new(
                "named_parcels",
                self.fetches.named_count(),
                fetch::NAMED_MAX,
            ),
        ]
    }

    /// The ack to send, if it names more than the last one; at most one every 5 ms and with votes.
    pub fn take_ack(&mut self) -> Option<Vec<AckEntry>> {
        core::mem::take(&mut self.ack_due).then(|| self.ack())
    }

    /// What is durable here (A1): of every lane above its cut the last parcel without a gap below it.
    /// The own lane is left out: its author holds what it signed (L6).
    #[must_use]
    pub fn ack(&self) -> Vec<AckEntry> {
        let mut entries = Vec::new();
        for (author, chain) in &self.lanes {
            if *author == self.config.own || self.validators.index_of(*author).is_none() {
                continue;
            }
            for epoch in chain.epochs() {
                let tip = chain
                    .tip(epoch)
                    .filter(|tip| tip.count > 0 && !tip.hash.is_zero());
                if let Some(tip) = tip {
                    let slot = Slot {
                        author: *author,
                        epoch,
                        seq: tip.count - 1,
                    };
                    entries.push(AckEntry {
                        slot,
                        hash: tip.hash,
                    });
                }
            }
        }
        entries
    }

    /// A peer's ack. Only validators' acks matter.
    pub fn on_ack(&mut self, peer: Address, ack: &[AckEntry], now_ms: u64) {
        if self.validators.index_of(peer).is_none() || peer == self.config.own {
            return;
        }
        let known: Vec<AckEntry> = ack
            .iter()
            .filter(|entry| self.validators.index_of(entry.slot.author).is_some())
            .copied()
            .collect();
        self.fetches.forget_wants();
        let lanes = &self.lanes;
        let empty = Chain::default();
        self.acks.replace(peer, &known, now_ms, |slot| {
            here(lanes.get(&slot.author).unwrap_or(&empty), slot)
        });
    }

    /// How many parcels of a lane's epoch enough power holds, of the chain that is durable here.
    fn held_by(&self, lane: LaneEpoch, count_here: u64, enough: impl Fn(u64) -> bool) -> u64 {
        let holdings = self.validators.validators().iter().map(|validator| {
            let address = validator.address;
            let is_here = address == self.config.own || address == lane.0;
            let count = if is_here {
                count_here
            } else {
                self.acks.of(address, lane).map_or(0, |holds| holds.count)
            };
            Holding {
                count,
                power: validator.power,
            }
        });
        held_by_enough(holdings.collect(), enough).min(count_here)
    }
}

/// What is held at a slot, without a gap below it.
fn here(chain: &Chain, slot: Slot) -> Here {
    let Some(tip) = chain.tip(slot.epoch) else {
        return Here::Below;
    };
    if slot.seq >= tip.count {
        return Here::NotYet;
    }
    match chain.cut() {
        Some(cut) if cut.epoch == slot.epoch && slot.seq < cut.seq => Here::Below,
        Some(cut) if cut.epoch == slot.epoch && slot.seq == cut.seq => Here::Held(cut.hash),
        _ => chain
            .first(slot.epoch, slot.seq)
            .map_or(Here::Below, Here::Held),
    }
}

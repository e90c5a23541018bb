//! From a cut to the parcels that it adds (V2, V3).

use std::sync::Arc;

use cloverleaf_bundle::{LaneSlice, LastCut};
use cloverleaf_types::limits::LANE_WINDOW_PARCELS;
use cloverleaf_types::{Address, B256, CutEntry, Slot};

use super::Parcels;

/// A parcel that a cut needs and that is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its place.
    pub slot: Slot,
    /// Its hash.
    pub hash: B256,
}

/// Why a cut can never be accepted (V2): a pure function of the state and the parcels it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCut {
    /// A lane that no validator of the height has, or lanes that do not rise.
    #[error("the cut names lane {lane}, which does not exist or is out of order")]
    BadLane {
        /// The lane's index.
        lane: u32,
    },
    /// The chain does not end at the lane's last cut, or goes back (L2).
    #[error("the cut's chain to parcel {slot} does not end at the lane's last cut")]
    Unchained {
        /// The parcel.
        slot: Slot,
    },
    /// The chain is longer than a lane may be (L2).
    #[error("the cut's chain to parcel {slot} is longer than {LANE_WINDOW_PARCELS} parcels")]
    TooLong {
        /// The parcel.
        slot: Slot,
    },
    /// `seen` falls, is not below the height, or is not what the cut says (L2).
    #[error("the `seen` of parcel {slot} falls, is not below the height, or is not the cut's")]
    BadSeen {
        /// The parcel.
        slot: Slot,
    },
    /// The parcels weigh more than a block may (W4).
    #[error("the cut's parcels weigh {weight}; a block may weigh {weight_max}")]
    TooHeavy {
        /// Their weight.
        weight: u64,
        /// The limit.
        weight_max: u64,
    },
}

/// What is known of a cut.
#[derive(Clone, Debug)]
pub enum Resolved {
    /// Every parcel is durable here: for each entry those that it adds, in order.
    Ready(Vec<LaneSlice>),
    /// Parcels are missing, or not durable yet. Not ready is not invalid (V3).
    NotReady {
        /// The last link of each chain that is missing; none if only syncs are.
        missing: Vec<Missing>,
    },
    /// Its proposer is at fault.
    Invalid(InvalidCut),
}

/// One lane's part of the answer.
enum Slice {
    Ready(LaneSlice),
    NotStored,
    Missing(Missing),
}

impl Parcels {
    /// The parcels that a cut of the next height adds.
    #[must_use]
    pub fn resolve(&self, cut: &[CutEntry]) -> Resolved {
        let mut slices = Vec::with_capacity(cut.len());
        let mut missing = Vec::new();
        let mut ready = true;
        let mut last_lane = None;
        for entry in cut {
            let lane = entry.lane;
            let rises = last_lane.is_none_or(|last| last < lane);
            let Some(author) = self.author(lane).filter(|_| rises) else {
                return Resolved::Invalid(InvalidCut::BadLane { lane });
            };
            last_lane = Some(lane);
            match self.slice(author, entry) {
                Ok(Slice::Ready(slice)) => slices.push(slice),
                Ok(Slice::NotStored) => ready = false,
                Ok(Slice::Missing(link)) => missing.push(link),
                Err(invalid) => return Resolved::Invalid(invalid),
            }
        }
        if !ready || !missing.is_empty() {
            return Resolved::NotReady { missing };
        }
        let weight = slices
            .iter()
            .flatten()
            .map(|prepared| prepared.parcel.weight())
            .sum();
        let weight_max = self.config.block_weight;
        if weight > weight_max {
            return Resolved::Invalid(InvalidCut::TooHeavy { weight, weight_max });
        }
        Resolved::Ready(slices)
    }

    /// The first link that is not held of the chain that ends at a parcel, walking down to the last
    /// cut; nothing when all are here, or when the chain leads nowhere.
    pub(super) fn missing_link(&self, slot: Slot, hash: B256) -> Option<Missing> {
        let bottom = self.bottom(slot)?;
        let (mut seq, mut hash) = (slot.seq, hash);
        loop {
            let Some(held) = self.held.get(&hash) else {
                return Some(Missing {
                    slot: Slot { seq, ..slot },
                    hash,
                });
            };
            if held.prepared.parcel.slot() != (Slot { seq, ..slot }) || seq <= bottom {
                return None;
            }
            (seq, hash) = (seq - 1, held.prepared.parcel.header().prev);
        }
    }

    fn author(&self, lane: u32) -> Option<Address> {
        self.validators.get(lane).map(|validator| validator.address)
    }

    fn last_cut(&self, author: Address) -> Option<&LastCut> {
        self.lanes.get(&author)?.cut()
    }

    /// The number of the first parcel of an epoch above the last cut; nothing if the slot is below.
    fn bottom(&self, slot: Slot) -> Option<u64> {
        let bottom = match self.lanes.get(&slot.author) {
            Some(chain) => chain.base(slot.epoch)?.count,
            None => 0,
        };
        (slot.seq >= bottom).then_some(bottom)
    }

    fn slice(&self, author: Address, entry: &CutEntry) -> Result<Slice, InvalidCut> {
        let named = Slot {
            author,
            epoch: entry.epoch,
            seq: entry.seq,
        };
        let Some(bottom) = self.bottom(named) else {
            return Err(InvalidCut::Unchained { slot: named });
        };
        if named.seq - bottom >= LANE_WINDOW_PARCELS {
            return Err(InvalidCut::TooLong { slot: named });
        }
        // From the named parcel down, so that every hash is vouched for by the one above it.
        let mut slice: LaneSlice = Vec::new();
        let mut stored = true;
        let mut hash = entry.parcel_hash;
        for seq in (bottom..=named.seq).rev() {
            let slot = Slot { seq, ..named };
            let Some(held) = self.held.get(&hash) else {
                return Ok(Slice::Missing(Missing { slot, hash }));
            };
            if held.prepared.parcel.slot() != slot {
                return Err(InvalidCut::Unchained { slot: named });
            }
            let seen_max = match slice.last() {
                Some(above) => above.parcel.header().seen,
                None => entry.seen,
            };
            let seen = held.prepared.parcel.header().seen;
            let is_last = seq == named.seq;
            if seen > seen_max || (is_last && seen != entry.seen) || seen > self.height {
                return Err(InvalidCut::BadSeen { slot });
            }
            stored &= held.stored;
            hash = held.prepared.parcel.header().prev;
            slice.push(Arc::clone(&held.prepared));
        }
        self.check_bottom(named, hash, &slice)?;
        slice.reverse();
        Ok(if stored {
            Slice::Ready(slice)
        } else {
            Slice::NotStored
        })
    }

    /// L2: the lowest link continues the last cut, or begins an epoch.
    fn check_bottom(&self, named: Slot, prev: B256, slice: &LaneSlice) -> Result<(), InvalidCut> {
        let Some(cut) = self.last_cut(named.author) else {
            return Ok(());
        };
        if cut.epoch == named.epoch && cut.hash != prev {
            return Err(InvalidCut::Unchained { slot: named });
        }
        match slice.last() {
            Some(lowest) if lowest.parcel.header().seen < cut.seen => Err(InvalidCut::BadSeen {
                slot: lowest.parcel.slot(),
            }),
            _ => Ok(()),
        }
    }
}

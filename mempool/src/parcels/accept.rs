//! Which parcels are taken in (L4).

use std::sync::Arc;

use cloverleaf_bundle::Prepared;

use super::Parcels;
use super::chain::{Held, Place};

/// What to do with a parcel.
#[derive(Clone, Debug)]
pub enum Accept {
    /// It was taken in: make it durable, then call [`Parcels::stored`].
    Store,
    /// It is here already.
    Duplicate,
    /// A block has taken its slot, or the one before it with another parcel than it follows.
    Old,
    /// Its author is no validator of the next height.
    Stranger,
    /// It is further ahead than a receiver holds: of a later height, beyond the window or the weight
    /// of a lane, or of a third epoch. Its author sends it again later.
    OutOfWindow,
    /// Its author signed another parcel for the slot. It is taken in only if a proposal names it:
    /// then `store` asks for it to be made durable.
    Evidence {
        /// Both parcels.
        evidence: Evidence,
        /// Make it durable, then call [`Parcels::stored`].
        store: bool,
    },
}

/// Two parcels of one slot: proof that their author signed twice. Both are signed by it.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The one that came first.
    pub first: Arc<Prepared>,
    /// The other.
    pub second: Arc<Prepared>,
}

impl Parcels {
    /// Takes in a well-formed parcel, or says why not (L4).
    pub fn accept(&mut self, prepared: Arc<Prepared>) -> Accept {
        let (slot, hash) = (prepared.parcel.slot(), prepared.parcel.hash());
        if self.held.contains_key(&hash) {
            return Accept::Duplicate;
        }
        if self.validators.index_of(slot.author).is_none() {
            return Accept::Stranger;
        }
        if slot.epoch.0 > self.height.next().0 {
            return Accept::OutOfWindow;
        }
        self.fetches.forget_wants();
        let named = self.is_named(slot, hash);
        let chain = self.lanes.entry(slot.author).or_default();
        let weight = chain
            .weight(slot.epoch)
            .saturating_add(prepared.parcel.weight());
        let fits = weight <= self.config.outstanding_weight_max || slot.author == self.config.own;
        // One that a proposal names is taken in to be judged, until the height is decided.
        if chain.is_dead(prepared.parcel.header()) && !named {
            return Accept::Old;
        }
        match chain.place(slot) {
            Place::Old => Accept::Old,
            Place::Beyond => Accept::OutOfWindow,
            Place::Free if !fits && !named => Accept::OutOfWindow, // W4
            Place::Free => {
                self.insert(prepared);
                Accept::Store
            }
            Place::Taken(first) => {
                let first = Arc::clone(&self.held[&first].prepared);
                let evidence = Evidence {
                    first,
                    second: Arc::clone(&prepared),
                };
                if named {
                    self.insert(prepared);
                }
                Accept::Evidence {
                    evidence,
                    store: named,
                }
            }
        }
    }

    fn insert(&mut self, prepared: Arc<Prepared>) {
        let chain = self.lanes.entry(prepared.parcel.slot().author).or_default();
        chain.insert(&prepared);
        self.held.insert(
            prepared.parcel.hash(),
            Held {
                prepared,
                stored: false,
            },
        );
    }
}

//! Why an item is not placed (O2): closed, total, in this order, for a bundle each check over all
//! legs before the next.

use cloverleaf_types::rollup::{Status, Verification};
use cloverleaf_types::{Atomicity, DropReason, Height, Plan, Terms};

use super::DropPlace;
use super::linear::LinearParcel;
use super::room::{Room, Rooms};
use crate::key_set::{KeyHash, KeySet};
use crate::prepare::{Prepared, PreparedBundle, PreparedItem, PreparedLeg};
use crate::state::State;
use crate::window::Window;

/// A parcel whose items are next, with what was looked up for all of them at once.
pub(super) struct Candidates<'a> {
    pub(super) parcel: LinearParcel<'a>,
    /// The height that its author had applied.
    seen: Height,
    is_stale: bool,
    /// Of each transaction, its hash, and whether the window holds its id.
    looked_up: Vec<(KeyHash, bool)>,
}

/// An item that is next.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a, 'r> {
    pub(super) of: &'a Candidates<'a>,
    /// Its position in the parcel.
    pub(super) index: usize,
    pub(super) legs: &'a [PreparedLeg],
    pub(super) bundle: Option<&'a PreparedBundle>,
    /// The rooms of the parcel's rollups.
    rooms: &'r [Option<usize>],
}

/// What the checks read.
pub(super) struct Checks<'a> {
    pub(super) parent: &'a State,
    pub(super) plan: &'a Plan,
    pub(super) placed: &'a KeySet,
    pub(super) rooms: &'a Rooms<'a>,
}

/// A reason and where it was found.
pub(super) type Refusal = (DropReason, DropPlace);

impl<'a> Candidates<'a> {
    /// Looks up what depends on no other item.
    pub(super) fn of(parcel: LinearParcel<'a>, window: &Window) -> Self {
        let prepared = parcel.prepared;
        let keys = prepared.legs.iter().flat_map(|leg| {
            let ids = prepared.ids(leg).iter();
            ids.map(|id| (leg.chain_id, *id))
        });
        let seen = prepared.parcel.header().seen;
        Self {
            seen,
            is_stale: !window.covers(seen),
            looked_up: window.look_up(keys),
            parcel,
        }
    }

    pub(super) fn prepared(&self) -> &'a Prepared {
        self.parcel.prepared
    }

    /// Its transactions' hashes, by their positions in the parcel.
    pub(super) fn hash(&self, transaction: usize) -> KeyHash {
        self.looked_up[transaction].0
    }

    /// An item of the parcel.
    pub(super) fn item<'r>(
        &'a self,
        index: usize,
        item: &'a PreparedItem,
        rooms: &'r [Option<usize>],
    ) -> Candidate<'a, 'r> {
        Candidate {
            of: self,
            index,
            legs: self.prepared().legs(item),
            bundle: self.prepared().bundle(item),
            rooms,
        }
    }
}

impl Candidate<'_, '_> {
    /// The room of a leg; nothing where the rollup is unknown.
    pub(super) fn room_of(&self, leg: &PreparedLeg) -> Option<usize> {
        self.rooms[leg.rollup]
    }

    fn place_of(&self, leg: usize) -> DropPlace {
        DropPlace {
            leg: self.bundle.map(|_| leg),
            transaction: None,
        }
    }
}

impl Checks<'_> {
    /// The first check that fails, but for `badControl`, which is [`super::place`]'s: it depends on
    /// the control transactions placed before.
    pub(super) fn refusal(&self, item: &Candidate<'_, '_>) -> Option<Refusal> {
        stale(item)
            .or_else(|| self.malformed(item))
            .or_else(|| self.outside_terms(item))
            .or_else(|| self.unregistered(item))
            .or_else(|| self.too_large(item))
            .or_else(|| self.duplicate(item))
            .or_else(|| self.full(item))
    }

    fn room(&self, item: &Candidate<'_, '_>, leg: &PreparedLeg) -> Option<&Room<'_>> {
        item.room_of(leg).map(|position| self.rooms.room(position))
    }

    /// L1: a rollup that wants everybody's check takes nothing unchecked.
    fn malformed(&self, item: &Candidate<'_, '_>) -> Option<Refusal> {
        let unchecked = |leg: &PreparedLeg| {
            let room = leg.unchecked.and_then(|_| self.room(item, leg))?;
            let wants_check = room.rollup.rollup.verification == Verification::Everywhere;
            leg.unchecked.filter(|_| wants_check)
        };
        let mut found = item.legs.iter().map(unchecked).enumerate();
        let (leg, transaction) = found.find_map(|(leg, found)| Some((leg, found?)))?;
        let place = place_in(item, leg, transaction);
        Some((DropReason::Malformed, place))
    }

    /// B4, B11: the block's height and time decide.
    fn outside_terms(&self, item: &Candidate<'_, '_>) -> Option<Refusal> {
        let Terms {
            min_height,
            max_height,
            min_timestamp_ms,
            max_timestamp_ms,
            ..
        } = item.bundle?.terms;
        let (height, now_ms) = (self.plan.height, self.plan.timestamp_ms);
        if height < min_height || now_ms < min_timestamp_ms {
            return Some((DropReason::TooEarly, DropPlace::default()));
        }
        if height > max_height || now_ms > max_timestamp_ms {
            return Some((DropReason::Expired, DropPlace::default()));
        }
        None
    }

    /// B2.
    fn unregistered(&self, item: &Candidate<'_, '_>) -> Option<Refusal> {
        let unknown = self.first_leg(item, |_, room| room.is_none());
        let inactive = || {
            self.first_leg(item, |_, room| {
                room.is_some_and(|room| room.rollup.rollup.status != Status::Active)
            })
        };
        let refuses = || {
            let Atomicity::Inclusion = item.bundle?.terms.atomicity;
            self.first_leg(item, |_, room| {
                room.is_some_and(|room| !room.rollup.rollup.bundles)
            })
        };
        unknown
            .map(|place| (DropReason::UnknownRollup, place))
            .or_else(|| inactive().map(|place| (DropReason::InactiveRollup, place)))
            .or_else(|| refuses().map(|place| (DropReason::AtomicityRefused, place)))
    }

    /// It would not fit an empty batch, now or later.
    fn too_large(&self, item: &Candidate<'_, '_>) -> Option<Refusal> {
        let bytes_max = self.parent.parameters().transaction_bytes_max;
        if item.legs.iter().any(|leg| leg.longest_bytes > bytes_max) {
            return Some((DropReason::TooLarge, DropPlace::default()));
        }
        let is_heavy = |leg: &PreparedLeg, room: Option<&Room<'_>>| {
            room.is_some_and(|room| leg.weight > room.limit)
        };
        self.first_leg(item, is_heavy)
            .map(|place| (DropReason::TooLarge, place))
    }

    /// B7, W1.
    fn duplicate(&self, item: &Candidate<'_, '_>) -> Option<Refusal> {
        let prepared = item.of.prepared();
        let looked_up = &item.of.looked_up;
        item.legs.iter().enumerate().find_map(|(leg, found)| {
            let mut ids = found.transactions.clone();
            let transaction = ids.position(|at| {
                let (hash, is_known) = looked_up[at];
                let key = (found.chain_id, prepared.ids[at]);
                is_known || self.placed.contains(hash, &key)
            })?;
            Some((DropReason::Duplicate, place_in(item, leg, transaction)))
        })
    }

    /// O3: closed before, or no room now.
    fn full(&self, item: &Candidate<'_, '_>) -> Option<Refusal> {
        self.first_closed(item)
            .or_else(|| self.first_without_room(item))
            .map(|leg| (DropReason::RollupFull, item.place_of(leg)))
    }

    /// The first listed leg whose rollup is closed for the item's lane: in this block, or since a
    /// block that the parcel's author had not seen when it sealed.
    pub(super) fn first_closed(&self, item: &Candidate<'_, '_>) -> Option<usize> {
        let (lane, seen) = (item.of.parcel.lane, item.of.seen);
        let mut legs = item.legs.iter();
        legs.position(|leg| {
            let room = self.room(item, leg);
            room.is_some_and(|room| room.is_closed(lane, seen))
        })
    }

    /// The first listed leg without room.
    pub(super) fn first_without_room(&self, item: &Candidate<'_, '_>) -> Option<usize> {
        let lane = item.of.parcel.lane;
        let mut legs = item.legs.iter();
        legs.position(|leg| {
            let room = item.room_of(leg);
            room.is_some_and(|room| !self.rooms.has_room(room, lane, leg.weight))
        })
    }

    fn first_leg(
        &self,
        item: &Candidate<'_, '_>,
        refuses: impl Fn(&PreparedLeg, Option<&Room<'_>>) -> bool,
    ) -> Option<DropPlace> {
        let mut legs = item.legs.iter();
        let leg = legs.position(|leg| refuses(leg, self.room(item, leg)))?;
        Some(item.place_of(leg))
    }
}

/// W1.
fn stale(item: &Candidate<'_, '_>) -> Option<Refusal> {
    let stale = (DropReason::Stale, DropPlace::default());
    item.of.is_stale.then_some(stale)
}

/// A transaction of a bundle; a transaction alone needs no place.
fn place_in(item: &Candidate<'_, '_>, leg: usize, transaction: usize) -> DropPlace {
    match item.bundle {
        Some(_) => DropPlace {
            leg: Some(leg),
            transaction: Some(transaction),
        },
        None => DropPlace::default(),
    }
}

//! Placing (O1, B5, B6): each item in turn at the end of its rollups' batches, or not at all.

use std::borrow::Cow;

use cloverleaf_types::{
    Atomicity, ChainId, ControlTransaction, DropReason, Item, Manifest, ManifestLeg, Plan, Span,
    Transaction,
};

use super::Dropped;
use super::check::{Candidate, Candidates, Checks, Refusal};
use super::room::{Draft, Rooms};
use crate::error::ControlError;
use crate::key_set::KeySet;
use crate::prepare::{PreparedBundle, PreparedLeg};
use crate::state::{RollupState, State};

/// A block in the making.
pub(super) struct Placement<'a> {
    parent: &'a State,
    /// The parent's state with the control transactions that were placed so far (S1).
    controlled: Cow<'a, State>,
    plan: &'a Plan,
    rooms: Rooms<'a>,
    placed: KeySet,
    manifests: Vec<Manifest>,
    drops: Vec<Dropped>,
}

/// What was placed and what was not.
pub(super) struct Placed<'a> {
    pub(super) drafts: Vec<(&'a RollupState, Draft<'a>)>,
    pub(super) manifests: Vec<Manifest>,
    pub(super) drops: Vec<Dropped>,
}

impl<'a> Placement<'a> {
    /// A block of which nothing is placed.
    pub(super) fn new(parent: &'a State, plan: &'a Plan, rooms: Rooms<'a>, placed: KeySet) -> Self {
        Self {
            parent,
            controlled: Cow::Borrowed(parent),
            plan,
            rooms,
            placed,
            manifests: Vec::new(),
            drops: Vec::new(),
        }
    }

    /// The limits divided by what was placed without any, or nothing if all of it fits.
    pub(super) fn divided(&self) -> Option<Rooms<'a>> {
        self.rooms.divided()
    }

    /// Places all items of a parcel, or drops them.
    pub(super) fn take(&mut self, candidates: &'a Candidates<'a>) {
        let prepared = candidates.prepared();
        let rooms = self.rooms.of(&prepared.rollups);
        for (index, item) in prepared.items.iter().enumerate() {
            self.take_item(&candidates.item(index, item, &rooms));
        }
    }

    /// Places the item or drops it; checks come first, so that a drop leaves no trace (B12).
    fn take_item(&mut self, item: &Candidate<'a, '_>) {
        let checks = Checks {
            parent: self.parent,
            plan: self.plan,
            placed: &self.placed,
            rooms: &self.rooms,
        };
        match checks.refusal(item) {
            None => match self.control(item) {
                Ok(()) => self.place(item),
                Err(_) => self.drop(item, (DropReason::BadControl, Default::default())),
            },
            Some(refusal) => {
                let closes = match refusal.0 {
                    DropReason::RollupFull if checks.first_closed(item).is_none() => {
                        checks.first_without_room(item)
                    }
                    _ => None,
                };
                if let Some(leg) = closes {
                    self.close(item, leg);
                }
                self.drop(item, refusal);
            }
        }
    }

    /// S1: does what a control transaction says, if the state and those placed before allow it. No
    /// bundle has a leg on chain 0 (B1).
    fn control(&mut self, item: &Candidate<'_, '_>) -> Result<(), ControlError> {
        let [leg] = item.legs else {
            return Ok(());
        };
        if leg.chain_id != ChainId::CONTROL {
            return Ok(());
        }
        let [transaction] = transactions(item, 0) else {
            return Ok(());
        };
        let transaction = ControlTransaction::decode(&transaction.raw)?;
        self.controlled.check_control(transaction.claimed())?;
        self.controlled.to_mut().enact(transaction.claimed())
    }

    fn drop(&mut self, item: &Candidate<'_, '_>, (reason, place): Refusal) {
        self.drops.push(Dropped {
            slot: item.of.prepared().parcel.slot(),
            item: item.index,
            reason,
            place,
        });
    }

    pub(super) fn finish(self) -> Placed<'a> {
        Placed {
            drafts: self.rooms.into_drafts(),
            manifests: self.manifests,
            drops: self.drops,
        }
    }

    /// O3: the first listed leg without room closes its rollup for the lane, and no other.
    fn close(&mut self, item: &Candidate<'_, '_>, leg: usize) {
        let room = item.room_of(&item.legs[leg]);
        let room = room.expect("O3: what is full is registered");
        let parcel = &item.of.parcel;
        self.rooms.room_mut(room).close(parcel.lane, parcel.author);
    }

    fn place(&mut self, item: &Candidate<'a, '_>) {
        let manifest = item.bundle.map(|bundle| {
            let hashes = item.of.prepared().leg_hashes(bundle);
            let legs = item.legs.iter().zip(hashes);
            let legs = legs.map(|(leg, hash)| self.manifest_leg(item, leg, *hash));
            self.manifest(bundle, legs.collect())
        });
        for (position, leg) in item.legs.iter().enumerate() {
            let prepared = item.of.prepared();
            let ids = prepared.ids(leg);
            for (transaction, id) in leg.transactions.clone().zip(ids) {
                let hash = item.of.hash(transaction);
                self.placed.push(hash, (leg.chain_id, *id));
            }
            let room = item.room_of(leg).expect("B2: the rollup is registered");
            let room = self.rooms.room_mut(room);
            if manifest.is_some() {
                room.draft.spans.push(Span {
                    manifest: count(self.manifests.len()),
                    leg: count(position),
                    legs: count(item.legs.len()),
                    first: count(room.draft.ids.len()),
                    count: count(ids.len()),
                });
            }
            let raws = transactions(item, position).iter();
            room.draft.transactions.extend(raws.map(|it| &*it.raw));
            room.draft.ids.extend_from_slice(ids);
            room.draft
                .leaves
                .extend_from_slice(&prepared.leaves[leg.transactions.clone()]);
            room.take(item.of.parcel.lane, leg.weight);
        }
        self.manifests.extend(manifest);
    }

    fn manifest(&self, bundle: &PreparedBundle, legs: Vec<ManifestLeg>) -> Manifest {
        Manifest {
            index: count(self.manifests.len()),
            terms_hash: bundle.terms_hash,
            atomicity: Atomicity::Inclusion,
            legs,
        }
    }

    /// Where a leg will be.
    fn manifest_leg(
        &self,
        item: &Candidate<'_, '_>,
        leg: &PreparedLeg,
        leg_hash: alloy_primitives::B256,
    ) -> ManifestLeg {
        let room = item.room_of(leg).expect("B2: the rollup is registered");
        let room = self.rooms.room(room);
        ManifestLeg {
            chain_id: leg.chain_id,
            seq: room.rollup.head.seq + 1,
            first: count(room.draft.ids.len()),
            count: count(leg.transactions.len()),
            leg_hash,
        }
    }
}

/// The transactions of a leg.
fn transactions<'a>(item: &Candidate<'a, '_>, leg: usize) -> &'a [Transaction] {
    match &item.of.prepared().parcel.items()[item.index] {
        Item::Transaction { transaction, .. } => std::slice::from_ref(transaction),
        Item::Bundle(bundle) => &bundle.legs[leg].transactions,
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("a block's weight bounds its counts")
}

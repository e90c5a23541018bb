//! A lane that a behaviour seals itself, beside its replica's, which nobody submits to.

use std::collections::VecDeque;
use std::sync::Arc;

use cloverleaf_mempool::Message;
use cloverleaf_replica::{Class, Recipient};
use cloverleaf_types::{B256, Epoch, Height, Item, Parcel, ParcelDraft, Slot, Verified};

use super::{Outgoing, Scene};

/// Parcels above the lane's cut, and where the next one goes.
pub(super) struct ForgedLane {
    sealed: VecDeque<Arc<Verified<Parcel>>>,
    next_seq: u64,
    prev: B256,
    seen: Height,
}

impl ForgedLane {
    pub(super) fn new() -> Self {
        Self {
            sealed: VecDeque::new(),
            next_seq: 0,
            prev: B256::ZERO,
            seen: Height::GENESIS,
        }
    }

    /// L2: what a lane has seen never falls, but nothing says that it must rise.
    pub(super) fn see(&mut self, height: Height) {
        self.seen = self.seen.max(height);
    }

    /// The next parcel of the lane, whether it will ever be one of it or not.
    pub(super) fn parcel(&self, scene: &Scene<'_>, items: Vec<Item>) -> Arc<Verified<Parcel>> {
        let slot = Slot {
            author: scene.signer.address(),
            epoch: Epoch(0),
            seq: self.next_seq,
        };
        let draft = ParcelDraft {
            network: scene.state.network(),
            slot,
            prev: self.prev,
            seen: self.seen,
            time_ms: scene.now_ms,
            items,
        };
        Arc::new(Parcel::seal(draft, scene.signer))
    }

    /// Makes the next parcel a part of the lane.
    pub(super) fn seal(&mut self, scene: &Scene<'_>, items: Vec<Item>) {
        let parcel = self.parcel(scene, items);
        self.next_seq += 1;
        self.prev = parcel.hash();
        self.sealed.push_back(parcel);
    }

    /// How many parcels no block has taken; the others are forgotten.
    pub(super) fn uncut(&mut self, scene: &Scene<'_>) -> usize {
        let cut = scene.state.last_cut(scene.signer.address());
        let first_uncut = cut.map_or(0, |cut| cut.seq + 1);
        self.sealed
            .retain(|parcel| parcel.header().seq >= first_uncut);
        self.sealed.len()
    }

    /// All of them, for all others.
    pub(super) fn messages(&self) -> Vec<Outgoing> {
        self.sealed.iter().map(|parcel| message(parcel)).collect()
    }
}

/// A parcel, for all others.
pub(super) fn message(parcel: &Verified<Parcel>) -> Outgoing {
    Outgoing {
        to: Recipient::All,
        class: Class::Parcels,
        bytes: Message::Parcel(parcel.encoded().clone()).encode(),
    }
}

/// The replica's own lane gives way to the forged one.
pub(super) fn but_own_parcels(scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
    if is_own_parcel(scene, &message) {
        Vec::new()
    } else {
        vec![message]
    }
}

/// True for a parcel of the validator's own lane.
fn is_own_parcel(scene: &Scene<'_>, message: &Outgoing) -> bool {
    let parcel = match Message::decode(&message.bytes) {
        Ok(Message::Parcel(encoded)) if message.class == Class::Parcels => Parcel::decode(encoded),
        _ => return false,
    };
    parcel.is_ok_and(|parcel| parcel.claimed().header().author == scene.signer.address())
}

//! Byzantine validators: a correct replica whose messages pass through a behaviour, one file each.

mod blocks;
mod items;
mod lane;
mod marks;
mod votes;
mod withhold;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_bundle::State;
use cloverleaf_mempool::Message;
use cloverleaf_replica::{Class, Recipient};
use cloverleaf_types::{Address, Parcel, Signer, Verified};

use super::random::Random;

/// How a validator misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It votes and proposes twice in a slot.
    Votes,
    /// It signs two parcels for a slot and sends each to others.
    Lane,
    /// It seals items that no correct author seals.
    Items,
    /// It marks transactions as checked that their senders did not sign.
    Marks,
    /// It gives one peer other parcels than the rest, has a block with them locked, and falls silent.
    Withhold,
    /// It serves decided blocks with other batches than their headers say.
    Blocks,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Votes,
        Self::Lane,
        Self::Items,
        Self::Marks,
        Self::Withhold,
        Self::Blocks,
    ];
}

/// What a behaviour can see and use.
pub(crate) struct Scene<'a> {
    pub(crate) signer: &'a dyn Signer,
    /// The state after the latest block that is durable at the validator.
    pub(crate) state: &'a State,
    pub(crate) peers: &'a [Address],
    pub(crate) now_ms: u64,
}

/// A message to one or all others.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) to: Recipient,
    pub(crate) class: Class,
    pub(crate) bytes: Bytes,
}

/// A way to misbehave.
pub(crate) trait Behaviour: Send {
    /// What leaves in place of a message of the correct replica.
    fn instead_of(&mut self, scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing>;

    /// What leaves now and then without any reason.
    fn unasked(&mut self, _scene: &Scene<'_>) -> Vec<Outgoing> {
        Vec::new()
    }
}

/// The behaviour of a kind.
pub(crate) fn behaviour(kind: Kind, random: Random) -> Box<dyn Behaviour> {
    match kind {
        Kind::Votes => Box::new(votes::VoteEquivocator::new(random)),
        Kind::Lane => Box::new(lane::LaneEquivocator::new(random)),
        Kind::Withhold => Box::new(withhold::Withholder::default()),
        Kind::Items => Box::new(items::ItemForger::new(random)),
        Kind::Blocks => Box::new(blocks::BlockForger::new(random)),
        Kind::Marks => Box::new(marks::FalseMarker::new(random)),
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

/// The validator's own lane gives way to a forged one.
fn but_own_parcels(scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
    if is_own_parcel(scene, &message) {
        Vec::new()
    } else {
        vec![message]
    }
}

/// Forgets parcels of the validator's own lane that a block has taken.
fn forget_cut(scene: &Scene<'_>, sealed: &mut VecDeque<Arc<Verified<Parcel>>>) {
    let cut = scene.state.last_cut(scene.signer.address());
    let first_uncut = cut.map_or(0, |cut| cut.seq + 1);
    sealed.retain(|parcel| parcel.header().seq >= first_uncut);
}

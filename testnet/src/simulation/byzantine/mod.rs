//! Byzantine validators: a correct replica whose messages pass through a behaviour, one file each.

mod items;
mod lane;
mod votes;
mod withhold;

use bytes::Bytes;
use cloverleaf_bundle::State;
use cloverleaf_replica::{Class, Recipient};
use cloverleaf_types::{Address, Signer};

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
    /// It gives one peer other parcels than the rest, has a block with them locked, and falls silent.
    Withhold,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Votes, Self::Lane, Self::Items, Self::Withhold];
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
    }
}

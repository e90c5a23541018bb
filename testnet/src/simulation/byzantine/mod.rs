//! Byzantine validators: a correct replica whose messages pass through a behaviour, one file each.

mod blocks;
mod censor;
mod cut;
mod duplicate;
mod flood;
mod forged_lane;
mod forgetful;
mod header;
mod items;
mod lane;
mod marks;
mod oversize;
mod proposals;
mod silent;
mod twin;
mod votes;
mod withhold;

use bytes::Bytes;
use cloverleaf_bundle::State;
use cloverleaf_replica::{Class, Recipient};
use cloverleaf_types::{Address, Signer};

use super::random::Random;

/// How a validator misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// It proposes headers that no correct proposer makes.
    Header,
    /// It proposes cuts that no correct proposer makes.
    Cut,
    /// It neither hears nor speaks of one lane.
    Censor,
    /// It seals what it and others have sealed already.
    Duplicate,
    /// It sends what is larger than allowed.
    Oversize,
    /// It falls silent for a while, again and again.
    Silent,
    /// It votes as if it had locked nothing.
    Forgetful,
    /// It sends far more than anybody asked for.
    Flood,
    /// It is one of two machines with one key, each of which believes itself correct.
    Twin,
}

impl Kind {
    /// Every kind that one machine can be.
    pub const ALL: [Self; 14] = [
        Self::Votes,
        Self::Lane,
        Self::Items,
        Self::Marks,
        Self::Withhold,
        Self::Blocks,
        Self::Header,
        Self::Cut,
        Self::Censor,
        Self::Duplicate,
        Self::Oversize,
        Self::Silent,
        Self::Forgetful,
        Self::Flood,
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
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// Whether its replica is told what arrived.
    fn hears(&mut self, _scene: &Scene<'_>, _class: Class, _bytes: &Bytes) -> bool {
        true
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
        Kind::Header => Box::new(header::HeaderForger::new(random)),
        Kind::Cut => Box::new(cut::CutForger::new(random)),
        Kind::Censor => Box::new(censor::LaneCensor),
        Kind::Duplicate => Box::new(duplicate::Duplicator::new(random)),
        Kind::Oversize => Box::new(oversize::Oversize::new(random)),
        Kind::Silent => Box::new(silent::Silent::new(random)),
        Kind::Forgetful => Box::new(forgetful::Forgetful::default()),
        Kind::Flood => Box::new(flood::Flooder::new(random)),
        Kind::Twin => Box::new(twin::Twin),
    }
}

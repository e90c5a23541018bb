//! What authors were seen doing that no correct author does, with the parcels that they signed.

use std::collections::BTreeMap;

use cloverleaf_mempool::parcels::{Evidence, FalseSender};
use cloverleaf_types::Address;

/// Proof against the author of a lane: parcels that it signed.
#[derive(Clone, Debug)]
pub enum Misdeed {
    /// It signed two parcels for one slot (L4).
    TwoParcels(Box<Evidence>),
    /// It marked a transaction as checked that its claimed sender did not sign (L1).
    FalseSender(Box<FalseSender>),
}

/// How often each was seen, and the first proof of each against every author: a validator can add
/// two of them and no more.
#[derive(Debug, Default)]
pub(crate) struct Misdeeds {
    first: BTreeMap<(Address, &'static str), Misdeed>,
    equivocations: u64,
    false_senders: u64,
}

impl Misdeeds {
    /// An author signed two parcels for one slot.
    pub(crate) fn two_parcels(&mut self, evidence: Evidence) {
        self.equivocations += 1;
        let author = evidence.second.parcel.slot().author;
        let misdeed = || Misdeed::TwoParcels(Box::new(evidence));
        self.first.entry((author, "slot")).or_insert_with(misdeed);
    }

    /// An author marked what its claimed sender did not sign.
    pub(crate) fn false_sender(&mut self, found: FalseSender) {
        self.false_senders += 1;
        let author = found.slot().author;
        let misdeed = || Misdeed::FalseSender(Box::new(found));
        self.first.entry((author, "mark")).or_insert_with(misdeed);
    }

    /// Times that an author was seen with two parcels for one slot.
    pub(crate) fn equivocations(&self) -> u64 {
        self.equivocations
    }

    /// Parcels with a false mark that came.
    pub(crate) fn false_senders(&self) -> u64 {
        self.false_senders
    }

    /// The first proof of each kind against each author.
    pub(crate) fn first(&self) -> impl Iterator<Item = &Misdeed> {
        self.first.values()
    }
}

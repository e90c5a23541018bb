//! No correct key signs two values in one slot, whatever happens to its machine.

use std::collections::{BTreeMap, HashSet};

use cloverleaf_consensus::{Message, Proposal, Signable, Vote};
use cloverleaf_types::{Address, B256, Height, NetworkId, ParcelHeader, Round, Slot, VoteKind};

use super::Violation;

/// Where a key may sign once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Place {
    Proposal(Height, Round),
    Vote(Height, Round, VoteKind),
    Parcel(u64, u64),
}

/// The slots that a key has signed.
pub struct Signed(HashSet<Place>);

/// Everything that was seen signed.
pub struct SignatureWatch {
    network: NetworkId,
    signed: BTreeMap<(Address, Place), B256>,
}

impl SignatureWatch {
    /// Watches a network.
    #[must_use]
    pub fn new(network: NetworkId) -> Self {
        Self {
            network,
            signed: BTreeMap::new(),
        }
    }

    /// A message of the votes stream left a node.
    ///
    /// # Errors
    /// Its signer signed something else in its slot before.
    pub fn message(&mut self, message: &Message) -> Result<(), Violation> {
        match message {
            Message::Vote(signed) => self.vote(&signed.message),
            Message::Proposal(signed) => {
                let Proposal {
                    height,
                    round,
                    proposer,
                    ..
                } = signed.message;
                let digest = signed.message.digest(self.network);
                self.note(proposer, Place::Proposal(height, round), digest)
            }
            Message::Polka(_) | Message::Round(_) | Message::Want(_) => Ok(()),
        }
    }

    /// A vote left its voter.
    ///
    /// # Errors
    /// Its voter signed another one for its slot before.
    pub fn vote(&mut self, vote: &Vote) -> Result<(), Violation> {
        let place = Place::Vote(vote.height, vote.round, vote.kind);
        self.note(vote.voter, place, vote.digest(self.network))
    }

    /// A parcel left its author.
    ///
    /// # Errors
    /// Its author signed another one for its slot before.
    pub fn parcel(&mut self, header: &ParcelHeader) -> Result<(), Violation> {
        self.named(header.slot(), header.hash())
    }

    /// A parcel was named by its slot and its hash.
    ///
    /// # Errors
    /// As [`SignatureWatch::parcel`].
    pub fn named(&mut self, slot: Slot, parcel_hash: B256) -> Result<(), Violation> {
        let place = Place::Parcel(slot.epoch.0, slot.seq);
        self.note(slot.author, place, parcel_hash)
    }

    /// How many slots a key was seen to have signed, to be gone back to.
    #[must_use]
    pub fn of(&self, signer: Address) -> Signed {
        let of_key = self.signed.keys().filter(|(by, _)| *by == signer);
        Signed(of_key.map(|(_, place)| *place).collect())
    }

    /// A key's disk of before is put back: what it signed since is what a faulty key signed.
    pub fn forget_since(&mut self, signer: Address, before: &Signed) {
        self.signed
            .retain(|(by, place), _| *by != signer || before.0.contains(place));
    }

    fn note(&mut self, signer: Address, place: Place, digest: B256) -> Result<(), Violation> {
        let first = *self.signed.entry((signer, place)).or_insert(digest);
        if first == digest {
            return Ok(());
        }
        Err(Violation::SignedTwice {
            signer,
            slot: format!("{place:?}"),
        })
    }
}

//! The sign guard: one signature per slot, for ever (D2).

use core::fmt;
use std::collections::BTreeMap;

use cloverleaf_types::{Address, B256, Height, NetworkId, Round, Signature, Signer};

use crate::error::{Halt, Refusal};
use crate::journal_entry::JournalEntry;
use crate::message::{Proposal, Signable, Signed, Vote};

/// What a validator signs once in a round, in the order in which it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignStep {
    /// A proposal, by the round's proposer.
    Proposal,
    /// A prevote.
    Prevote,
    /// A precommit.
    Precommit,
}

/// A place for one signature; slots are ordered as a correct validator fills them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignSlot {
    /// The height.
    pub height: Height,
    /// The round.
    pub round: Round,
    /// The step.
    pub step: SignStep,
}

impl fmt::Display for SignSlot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match self.step {
            SignStep::Proposal => "proposal",
            SignStep::Prevote => "prevote",
            SignStep::Precommit => "precommit",
        };
        write!(
            formatter,
            "{step} of height {}, round {}",
            self.height, self.round
        )
    }
}

/// A message with its slot.
pub(crate) trait Slotted: Signable {
    fn slot(&self) -> SignSlot;
    fn block_hash(&self) -> Option<B256>;
    fn entry(signed: Signed<Self>) -> JournalEntry
    where
        Self: Sized;
}

impl Slotted for Vote {
    fn slot(&self) -> SignSlot {
        let step = match self.kind {
            cloverleaf_types::VoteKind::Prevote => SignStep::Prevote,
            cloverleaf_types::VoteKind::Precommit => SignStep::Precommit,
        };
        SignSlot {
            height: self.height,
            round: self.round,
            step,
        }
    }

    fn block_hash(&self) -> Option<B256> {
        self.block_hash
    }

    fn entry(signed: Signed<Self>) -> JournalEntry {
        JournalEntry::Vote(signed)
    }
}

impl Slotted for Proposal {
    fn slot(&self) -> SignSlot {
        SignSlot {
            height: self.height,
            round: self.round,
            step: SignStep::Proposal,
        }
    }

    fn block_hash(&self) -> Option<B256> {
        Some(self.candidate.id())
    }

    fn entry(signed: Signed<Self>) -> JournalEntry {
        JournalEntry::Proposal(signed)
    }
}

#[derive(Clone, Copy, Debug)]
struct Guarded {
    digest: B256,
    block_hash: Option<B256>,
    signature: Signature,
}

/// What this key signed: every slot of the running height, and the latest slot of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    signed: BTreeMap<SignSlot, Guarded>,
    last: Option<(SignSlot, JournalEntry)>,
}

impl Guard {
    /// Takes up what the journal says was signed. The first entry of a slot stays.
    pub(crate) fn load(&mut self, network: NetworkId, own: Address, entry: &JournalEntry) {
        match entry {
            JournalEntry::Vote(signed) if signed.message.voter == own => {
                self.record(network, signed);
            }
            JournalEntry::Proposal(signed) if signed.message.proposer == own => {
                self.record(network, signed);
            }
            _ => {}
        }
    }

    /// Signs, unless the slot holds something else or a later slot is signed already. Asked for
    /// what it signed before, it gives the same signature.
    pub(crate) fn sign<T: Slotted + Clone>(
        &mut self,
        message: T,
        network: NetworkId,
        signer: &dyn Signer,
    ) -> Result<Signed<T>, Halt> {
        let (slot, digest) = (message.slot(), message.digest(network));
        let last = self.last.as_ref().map(|(slot, _)| *slot);
        let held = self.signed.get(&slot);
        if let Some(held) = held.filter(|held| held.digest == digest) {
            return Ok(Signed {
                message,
                signature: held.signature,
            });
        }
        if held.is_some() || last.is_some_and(|last| slot <= last) {
            let refused = message.block_hash();
            let signed = held.map(|held| (held.block_hash, held.signature));
            let refusal = Refusal {
                slot,
                refused,
                signed,
                last,
            };
            return Err(Halt::GuardRefused(Box::new(refusal)));
        }
        let signed = Signed {
            message,
            signature: signer.sign(digest),
        };
        self.record(network, &signed);
        Ok(signed)
    }

    /// Whether this message was signed here.
    pub(crate) fn holds<T: Slotted>(&self, message: &T, network: NetworkId) -> bool {
        let held = self.signed.get(&message.slot());
        held.is_some_and(|held| held.digest == message.digest(network))
    }

    /// Whether a slot was signed here for a block.
    pub(crate) fn holds_block(&self, slot: SignSlot, block_hash: B256) -> bool {
        let held = self.signed.get(&slot);
        held.is_some_and(|held| held.block_hash == Some(block_hash))
    }

    /// Forgets the slots of lower heights, but for the latest slot, which forbids them all.
    pub(crate) fn forget_below(&mut self, height: Height) {
        self.signed.retain(|slot, _| slot.height >= height);
    }

    /// The latest message signed: what a journal carries over when it drops a height.
    pub(crate) fn last(&self) -> Option<&JournalEntry> {
        self.last.as_ref().map(|(_, entry)| entry)
    }

    fn record<T: Slotted + Clone>(&mut self, network: NetworkId, signed: &Signed<T>) {
        let slot = signed.message.slot();
        let guarded = Guarded {
            digest: signed.message.digest(network),
            block_hash: signed.message.block_hash(),
            signature: signed.signature,
        };
        self.signed.entry(slot).or_insert(guarded);
        if self.last.as_ref().is_none_or(|(last, _)| *last < slot) {
            self.last = Some((slot, T::entry(signed.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::VoteKind;

    use super::*;
    use crate::signer::LocalSigner;

    const NETWORK: NetworkId = B256::repeat_byte(9);

    fn signer() -> LocalSigner {
        LocalSigner::new(&[1; 32]).unwrap()
    }

    fn vote(height: u64, round: u32, kind: VoteKind, block: u8) -> Vote {
        Vote {
            height: Height(height),
            round: Round(round),
            kind,
            block_hash: Some(B256::repeat_byte(block)),
            voter: signer().address(),
        }
    }

    #[test]
    fn same_vote_gives_the_stored_signature_and_another_is_refused() {
        let mut guard = Guard::default();
        let first = guard
            .sign(vote(1, 0, VoteKind::Prevote, 1), NETWORK, &signer())
            .unwrap();
        let again = guard.sign(vote(1, 0, VoteKind::Prevote, 1), NETWORK, &signer());
        assert_eq!(again, Ok(first.clone()));
        let refused = guard.sign(vote(1, 0, VoteKind::Prevote, 2), NETWORK, &signer());
        let stands = Some((Some(B256::repeat_byte(1)), first.signature));
        assert!(
            matches!(&refused, Err(Halt::GuardRefused(refusal)) if refusal.signed == stands),
            "{refused:?}"
        );
    }

    #[test]
    fn slot_before_the_latest_is_refused_even_if_nothing_stands_in_it() {
        let mut guard = Guard::default();
        guard
            .sign(vote(5, 1, VoteKind::Prevote, 1), NETWORK, &signer())
            .unwrap();
        for earlier in [
            vote(5, 0, VoteKind::Precommit, 1),
            vote(4, 7, VoteKind::Precommit, 1),
        ] {
            let refused = guard.sign(earlier, NETWORK, &signer());
            assert!(
                matches!(&refused, Err(Halt::GuardRefused(refusal)) if refusal.signed.is_none()),
                "{refused:?}"
            );
        }
        guard
            .sign(vote(5, 1, VoteKind::Precommit, 1), NETWORK, &signer())
            .unwrap();
        guard
            .sign(vote(6, 0, VoteKind::Prevote, 3), NETWORK, &signer())
            .unwrap();
    }

    #[test]
    fn journalled_votes_guard_a_new_process_and_foreign_ones_do_not() {
        let own = vote(3, 0, VoteKind::Prevote, 1);
        let signed = Signed::by(own, NETWORK, &signer());
        let other = LocalSigner::new(&[2; 32]).unwrap();
        let foreign = Vote {
            voter: other.address(),
            ..vote(9, 0, VoteKind::Prevote, 1)
        };
        let foreign = Signed::by(foreign, NETWORK, &other);
        let mut guard = Guard::default();
        let own_address = signer().address();
        guard.load(NETWORK, own_address, &JournalEntry::Vote(signed.clone()));
        guard.load(NETWORK, own_address, &JournalEntry::Vote(foreign));
        assert_eq!(guard.last(), Some(&JournalEntry::Vote(signed)));
        assert!(
            guard
                .sign(vote(3, 0, VoteKind::Prevote, 2), NETWORK, &signer())
                .is_err()
        );
        guard.forget_below(Height(4));
        assert!(
            guard
                .sign(vote(3, 0, VoteKind::Prevote, 2), NETWORK, &signer())
                .is_err()
        );
    }
}

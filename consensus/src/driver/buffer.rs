//! C3: messages for the next two heights, within what each sender may use.
//!
//! The core's own queue is capped per height and not per sender, so that one impatient peer could
//! fill it; it is therefore never fed anything but the running height.

use std::collections::{BTreeMap, BTreeSet};

use cloverleaf_types::limits::VALIDATORS_MAX;
use cloverleaf_types::{Address, Height, Round};

use super::guard::{SignSlot, SignStep, Slotted};
use crate::error::Discard;
use crate::message::{Message, Proposal, Signed};
use crate::verifier::Verifier;

/// How many heights ahead messages are kept.
const HEIGHTS_AHEAD: u64 = 2;

/// How many rounds ahead messages are kept: the core looks no further either.
pub(crate) const ROUNDS_AHEAD_MAX: u32 = 10;

/// Messages that one sender may have kept, or have had refused for a bad signature: its own
/// proposal and votes of both heights over ten rounds, and what it relays in a hurry.
pub(crate) const QUOTA_PER_SENDER: usize = 64;

/// Messages that are kept in all: the quotas of two sets of validators, of whom some are only leaving.
pub(crate) const MESSAGES_MAX: usize = 2 * VALIDATORS_MAX * QUOTA_PER_SENDER;

/// One message per validator and slot.
type Place = (SignSlot, Address);

#[derive(Debug, Default)]
pub(crate) struct Buffer {
    kept: BTreeMap<Place, (Address, Message)>,
    /// What each sender has used of its quota since the last height began.
    used: BTreeMap<Address, usize>,
}

impl Buffer {
    /// Keeps a vote or proposal for a height above `decided`; the first of its place stays.
    /// Anything else is dropped: a later height is a matter of sync, an earlier one is over.
    pub(crate) fn keep(
        &mut self,
        from: Address,
        message: Message,
        decided: Height,
        verifier: &mut Verifier,
    ) -> Result<(), Discard> {
        let Some(place) = place_of(&message) else {
            return Ok(());
        };
        let ahead = place.0.height.0.saturating_sub(decided.0);
        if ahead == 0 || ahead > HEIGHTS_AHEAD || self.kept.contains_key(&place) {
            return Ok(());
        }
        if place.0.round.0 > ROUNDS_AHEAD_MAX {
            return Err(Discard::FarRound {
                round: place.0.round,
            });
        }
        let used = self.used.entry(from).or_default();
        if *used >= QUOTA_PER_SENDER {
            return Err(Discard::QuotaUsed);
        }
        // Charged before it is verified: junk costs its sender as much as it costs this node.
        *used += 1;
        if !signature_holds(&message, verifier) {
            return Err(Discard::BadSignature);
        }
        self.kept.insert(place, (from, message));
        Ok(())
    }

    /// Takes out a height's messages, each with its sender, proposals of a round before its votes,
    /// and forgets the heights below.
    pub(crate) fn take(&mut self, height: Height) -> Vec<(Address, Message)> {
        let first = SignSlot {
            height,
            round: Round::FIRST,
            step: SignStep::Proposal,
        };
        let after = SignSlot {
            height: height.next(),
            ..first
        };
        let mut rest = self.kept.split_off(&(first, Address::ZERO));
        self.kept = rest.split_off(&(after, Address::ZERO));
        self.used.clear();
        for (from, _) in self.kept.values() {
            *self.used.entry(*from).or_default() += 1;
        }
        rest.into_values().collect()
    }

    /// Who has voted at a height.
    pub(crate) fn voters(&self, height: Height) -> BTreeSet<Address> {
        let is_vote = |slot: &SignSlot| slot.height == height && slot.step != SignStep::Proposal;
        self.kept
            .keys()
            .filter(|(slot, _)| is_vote(slot))
            .map(|(_, signer)| *signer)
            .collect()
    }

    /// A validator's proposal for a height's first round.
    pub(crate) fn first_proposal(
        &self,
        height: Height,
        proposer: Address,
    ) -> Option<&Signed<Proposal>> {
        let slot = SignSlot {
            height,
            round: Round::FIRST,
            step: SignStep::Proposal,
        };
        match self.kept.get(&(slot, proposer)) {
            Some((_, Message::Proposal(signed))) => Some(signed),
            _ => None,
        }
    }

    /// How many messages are kept.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }
}

fn place_of(message: &Message) -> Option<Place> {
    match message {
        Message::Vote(signed) => Some((signed.message.slot(), signed.message.voter)),
        Message::Proposal(signed) => Some((signed.message.slot(), signed.message.proposer)),
        Message::Polka(_) | Message::Round(_) | Message::Want(_) => None,
    }
}

fn signature_holds(message: &Message, verifier: &mut Verifier) -> bool {
    match message {
        Message::Vote(signed) => verifier.holds(signed),
        Message::Proposal(signed) => verifier.holds(signed),
        Message::Polka(_) | Message::Round(_) | Message::Want(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cloverleaf_types::{B256, NetworkId, Secp256k1, Signer, VoteKind};

    use super::*;
    use crate::message::Vote;
    use crate::signer::LocalSigner;

    const NETWORK: NetworkId = B256::repeat_byte(9);

    fn vote(name: u8, height: u64, round: u32, kind: VoteKind) -> Message {
        let signer = LocalSigner::new(&[name; 32]).unwrap();
        let vote = Vote {
            height: Height(height),
            round: Round(round),
            kind,
            block_hash: None,
            voter: signer.address(),
        };
        Message::Vote(Signed::by(vote, NETWORK, &signer))
    }

    fn peer(name: u8) -> Address {
        LocalSigner::new(&[name; 32]).unwrap().address()
    }

    #[test]
    fn impatient_peer_stays_within_its_quota_and_others_are_still_heard() {
        let mut verifier = Verifier::new(NETWORK, Arc::new(Secp256k1));
        let mut buffer = Buffer::default();
        let mut refused = 0;
        for count in 0..500_u32 {
            let Message::Vote(mut junk) = vote(1, 8, count % 11, VoteKind::Prevote) else {
                unreachable!("a vote");
            };
            // Every vote claims another voter, so every place is free and every signature wrong.
            junk.message.voter = Address::left_padding_from(&count.to_be_bytes());
            let kept = buffer.keep(peer(1), Message::Vote(junk), Height(7), &mut verifier);
            refused += usize::from(kept == Err(Discard::QuotaUsed));
        }
        assert_eq!((buffer.len(), refused), (0, 500 - QUOTA_PER_SENDER));
        let honest = vote(2, 8, 0, VoteKind::Prevote);
        assert_eq!(
            buffer.keep(peer(2), honest, Height(7), &mut verifier),
            Ok(())
        );
        assert_eq!(buffer.voters(Height(8)), BTreeSet::from([peer(2)]));
        buffer.take(Height(8));
        let later = vote(1, 9, 0, VoteKind::Prevote);
        assert_eq!(
            buffer.keep(peer(1), later, Height(8), &mut verifier),
            Ok(())
        );
    }

    #[test]
    fn only_the_next_two_heights_are_kept_and_each_place_once() {
        let mut verifier = Verifier::new(NETWORK, Arc::new(Secp256k1));
        let mut buffer = Buffer::default();
        for height in [6, 7, 8, 9, 10] {
            for from in [peer(1), peer(2)] {
                let message = vote(1, height, 0, VoteKind::Precommit);
                buffer
                    .keep(from, message, Height(7), &mut verifier)
                    .unwrap();
            }
        }
        assert_eq!(buffer.len(), 2);
        let far = vote(1, 8, ROUNDS_AHEAD_MAX + 1, VoteKind::Prevote);
        let refused = buffer.keep(peer(1), far, Height(7), &mut verifier);
        assert!(matches!(refused, Err(Discard::FarRound { .. })));
        assert_eq!(buffer.take(Height(8)).len(), 1);
        assert_eq!(buffer.take(Height(9)).len(), 1);
        assert_eq!(buffer.len(), 0);
    }
}

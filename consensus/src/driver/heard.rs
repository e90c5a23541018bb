//! Who voted twice in a slot, also in rounds of which the core has forgotten the votes.

use std::collections::{BTreeMap, BTreeSet};

use cloverleaf_types::{Address, Bound, Round};

use super::buffer::ROUNDS_AHEAD_MAX;
use super::guard::{SignSlot, Slotted};
use crate::evidence::Evidence;
use crate::message::{Signed, Vote};

/// The votes of the running height that the core took. When it locks a value it forgets those of the
/// rounds before, and would take a second vote in one of their slots for the first.
///
/// It grows as the core's own votes do without a lock: with the rounds that a height comes to, and those
/// that the core looks ahead.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    first: BTreeMap<(SignSlot, Address), Signed<Vote>>,
    accused: BTreeSet<Address>,
}

impl Heard {
    /// A vote whose signature holds: evidence, if it is the first of its voter that contradicts another.
    pub(crate) fn note(&mut self, signed: &Signed<Vote>) -> Option<Evidence> {
        let vote = &signed.message;
        let place = (vote.slot(), vote.voter);
        let first = self.first.entry(place).or_insert_with(|| signed.clone());
        let contradicts = first.message.block_hash != vote.block_hash;
        (contradicts && self.accused.insert(vote.voter))
            .then(|| Evidence::Votes(first.clone(), signed.clone()))
    }

    /// How many votes there are, and how many there may be: a prevote and a precommit of each validator
    /// for each round up to this one and for those ahead of it.
    pub(crate) fn bound(&self, validators: usize, round: Round) -> Bound {
        let rounds = round.0.saturating_add(ROUNDS_AHEAD_MAX).saturating_add(1);
        let rounds = usize::try_from(rounds).unwrap_or(usize::MAX);
        let cap = rounds.saturating_mul(validators).saturating_mul(2);
        Bound::new("heard_votes", self.first.len(), cap)
    }

    /// What a peer voted in this height, as far as it came here: it goes back to a peer that connects, so
    /// that whoever comes with a journal of before sees what it signed (D4).
    pub(crate) fn votes_of(&self, voter: Address) -> impl Iterator<Item = Signed<Vote>> + '_ {
        let votes = self.first.iter().filter(move |((_, of), _)| *of == voter);
        votes.map(|(_, signed)| signed.clone())
    }

    /// Forgets a height's votes.
    pub(crate) fn clear(&mut self) {
        self.first.clear();
        self.accused.clear();
    }
}

//! What validators sign about a block (K3).

use alloy_primitives::B256;

use crate::hash::{Preimage, Tag};
use crate::{Height, NetworkId, Round};

/// The two votes of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VoteKind {
    /// The first vote.
    Prevote,
    /// The vote that decides.
    Precommit,
}

/// What a vote signs; `None` votes for no block. It names no voter, so that one digest serves a
/// whole certificate.
#[must_use]
pub fn vote_digest(
    network: NetworkId,
    height: Height,
    round: Round,
    kind: VoteKind,
    block_hash: Option<B256>,
) -> B256 {
    let kind: u8 = match kind {
        VoteKind::Prevote => 0,
        VoteKind::Precommit => 1,
    };
    let block_hash = block_hash.as_ref().map_or(&[][..], |hash| hash.as_slice());
    Preimage::new(Tag::VOTE)
        .with(&network)
        .with(&height)
        .with(&round)
        .with(&kind)
        .with(block_hash)
        .hash()
}

/// What a proposal signs; `pol_round` is the round whose prevotes justify proposing a value again.
#[must_use]
pub fn proposal_digest(
    network: NetworkId,
    height: Height,
    round: Round,
    pol_round: Option<Round>,
    block_hash: B256,
) -> B256 {
    let after_pol_round = pol_round.map_or(0_u64, |round| u64::from(round.0) + 1);
    Preimage::new(Tag::PROPOSAL)
        .with(&network)
        .with(&height)
        .with(&round)
        .with(&after_pol_round)
        .with(&block_hash)
        .hash()
}

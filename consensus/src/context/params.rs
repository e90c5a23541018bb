//! What holds for one height: who decides it, who proposes, how long to wait.

use std::sync::Arc;

use cloverleaf_types::{Address, Height, Round, ValidatorSet};

/// Longest wait of one step, in milliseconds: a network that was cut for an hour must not take
/// another hour to notice that it is whole again.
const TIMEOUT_MAX_MS: u64 = 30_000;

/// Everything that a height needs to know of the state before it.
///
/// It is a pure function of the decided blocks, so that every validator runs a height by the same
/// rules; only `may_sign` is this node's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeightParams {
    /// The height.
    pub height: Height,
    /// Who decides it.
    pub validators: Arc<ValidatorSet>,
    /// Who proposes in round 0, 1, …; after the last one it starts over (P1). The state knows.
    pub proposers: Vec<Address>,
    /// How long its steps wait.
    pub timeouts: Timeouts,
    /// When it starts.
    pub pace: Pace,
    /// Whether this node may sign at this height: false for a node that is not a validator, or
    /// that lost its journal and must watch first (D4).
    pub may_sign: bool,
}

/// How long the steps of a round wait, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the proposal, in round 0.
    pub propose_ms: u64,
    /// For the rest of a quorum's votes, in round 0.
    pub vote_ms: u64,
    /// What each further round adds to both.
    pub growth_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            propose_ms: 400,
            vote_ms: 200,
            growth_ms: 200,
        }
    }
}

impl Timeouts {
    /// How long a round waits for its proposal, which is also how often its messages are sent
    /// again.
    #[must_use]
    pub fn proposal_ms(&self, round: Round) -> u64 {
        self.grown_ms(self.propose_ms, round)
    }

    /// How long a round waits for votes once a quorum voted for different things.
    #[must_use]
    pub fn votes_ms(&self, round: Round) -> u64 {
        self.grown_ms(self.vote_ms, round)
    }

    fn grown_ms(&self, base_ms: u64, round: Round) -> u64 {
        let growth_ms = self.growth_ms.saturating_mul(u64::from(round.0));
        base_ms.saturating_add(growth_ms).clamp(1, TIMEOUT_MAX_MS)
    }
}

/// How fast heights follow each other, in milliseconds (C2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From the start of one height to the start of the next, at least; 0 is as fast as the
    /// quorum.
    pub block_time_ms: u64,
    /// From the start of one height to the start of the next, at most, when there is nothing to
    /// order.
    pub empty_block_interval_ms: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            block_time_ms: 200,
            empty_block_interval_ms: 2_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // optimism#18697: leadership went round and round without a pause.
    #[test]
    fn timeouts_grow_by_round_and_end_somewhere() {
        let timeouts = Timeouts::default();
        assert_eq!(timeouts.proposal_ms(Round(0)), 400);
        assert_eq!(timeouts.proposal_ms(Round(2)), 800);
        assert_eq!(timeouts.votes_ms(Round(1)), 400);
        assert_eq!(timeouts.votes_ms(Round(u32::MAX)), TIMEOUT_MAX_MS);
    }
}

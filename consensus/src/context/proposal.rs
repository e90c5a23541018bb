//! Proposals as malachite pairs them with values.

use malachite_core_types as malachite;

use super::{Candidate, CoreAddress, CoreHeight, CoreRound, Ctx};

/// A proposal; only deterministic content, since replay compares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoreProposal {
    pub(crate) height: CoreHeight,
    pub(crate) round: CoreRound,
    pub(crate) value: Candidate,
    pub(crate) pol_round: CoreRound,
    pub(crate) proposer: CoreAddress,
}

impl malachite::Proposal<Ctx> for CoreProposal {
    fn height(&self) -> CoreHeight {
        self.height
    }

    fn round(&self) -> CoreRound {
        self.round
    }

    fn value(&self) -> &Candidate {
        &self.value
    }

    fn take_value(self) -> Candidate {
        self.value
    }

    fn pol_round(&self) -> CoreRound {
        self.pol_round
    }

    fn validator_address(&self) -> &CoreAddress {
        &self.proposer
    }
}

/// Proposals carry the whole value (C1), so there are no parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoParts;

impl malachite::ProposalPart<Ctx> for NoParts {
    fn is_first(&self) -> bool {
        true
    }

    fn is_last(&self) -> bool {
        true
    }
}

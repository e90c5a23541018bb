//! Votes as malachite counts them.

use cloverleaf_types::B256;
use malachite_core_types::{self as malachite, NilOrVal, SignedExtension, VoteType};

use super::{CoreAddress, CoreHeight, CoreRound, Ctx};

/// A prevote or precommit; only deterministic content, since replay compares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoreVote {
    pub(crate) height: CoreHeight,
    pub(crate) round: CoreRound,
    pub(crate) kind: VoteType,
    pub(crate) value: NilOrVal<B256>,
    pub(crate) voter: CoreAddress,
}

impl malachite::Vote<Ctx> for CoreVote {
    fn height(&self) -> CoreHeight {
        self.height
    }

    fn round(&self) -> CoreRound {
        self.round
    }

    fn value(&self) -> &NilOrVal<B256> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<B256> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &CoreAddress {
        &self.voter
    }

    // Vote extensions are disabled at every height, so there is never one to hold.
    fn extension(&self) -> Option<&SignedExtension<Ctx>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Ctx>> {
        None
    }

    fn extend(self, _extension: SignedExtension<Ctx>) -> Self {
        self
    }
}

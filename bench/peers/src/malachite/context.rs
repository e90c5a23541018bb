//! The types and rules that the engine runs with.

use bytes::Bytes;
use malachite_core_types::{Context, LinearTimeouts, NilOrVal, Round, VoteType};

use super::signing::Ed25519;
use super::types::{Address, BlockHash, Height, Part, Proposal, Validator, Validators, Vote};

/// Four validators of the same power, who propose in turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Four;

impl Four {
    fn vote(
        kind: VoteType,
        (height, round): (Height, Round),
        value: NilOrVal<BlockHash>,
        voter: Address,
    ) -> Vote {
        Vote {
            kind,
            height,
            round,
            value,
            voter,
        }
    }
}

impl Context for Four {
    type Address = Address;
    type Height = Height;
    type ProposalPart = Part;
    type Proposal = Proposal;
    type Validator = Validator;
    type ValidatorSet = Validators;
    type Timeouts = LinearTimeouts;
    type Value = BlockHash;
    type Vote = Vote;
    type Extension = Bytes;
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(
        &self,
        validators: &'a Validators,
        height: Height,
        round: Round,
    ) -> &'a Validator {
        let turn = height.0 + u64::from(round.as_u32().unwrap_or_default());
        let index = usize::try_from(turn).expect("fits 64 bits") % validators.0.len();
        &validators.0[index]
    }

    fn new_proposal(
        &self,
        height: Height,
        round: Round,
        value: BlockHash,
        pol_round: Round,
        proposer: Address,
    ) -> Proposal {
        Proposal {
            height,
            round,
            value,
            pol_round,
            proposer,
        }
    }

    fn new_prevote(
        &self,
        height: Height,
        round: Round,
        value: NilOrVal<BlockHash>,
        voter: Address,
    ) -> Vote {
        Self::vote(VoteType::Prevote, (height, round), value, voter)
    }

    fn new_precommit(
        &self,
        height: Height,
        round: Round,
        value: NilOrVal<BlockHash>,
        voter: Address,
    ) -> Vote {
        Self::vote(VoteType::Precommit, (height, round), value, voter)
    }
}

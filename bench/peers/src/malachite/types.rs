//! What the engine agrees on, as small as it lets them be.

use std::fmt::{Display, Formatter, Result};

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use malachite_core_types::{
    NilOrVal, Round, SignedExtension, Validator as _, VoteType, VotingPower,
};
use sha2::{Digest as _, Sha256};

use super::context::Four;
use super::signing::PublicKey;

/// Who votes: its position among the validators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub(crate) struct Address(pub(crate) u8);

/// A height.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
)]
pub(crate) struct Height(pub(crate) u64);

/// What is decided: a block's SHA-256, so that votes, proposals and the log stay small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub(crate) struct BlockHash(pub(crate) [u8; 32]);

/// One validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validator {
    pub(crate) address: Address,
    pub(crate) key: PublicKey,
}

/// All of them, each with a power of 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validators(pub(crate) Vec<Validator>);

/// A piece of a block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Part {
    pub(crate) height: Height,
    pub(crate) round: Round,
    pub(crate) proposer: Address,
    pub(crate) index: u32,
    pub(crate) is_last: bool,
    pub(crate) bytes: Bytes,
}

/// A proposal.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Proposal {
    pub(crate) height: Height,
    pub(crate) round: Round,
    pub(crate) value: BlockHash,
    pub(crate) pol_round: Round,
    pub(crate) proposer: Address,
}

/// A vote. Nobody extends one here.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Vote {
    pub(crate) kind: VoteType,
    pub(crate) height: Height,
    pub(crate) round: Round,
    pub(crate) value: NilOrVal<BlockHash>,
    pub(crate) voter: Address,
}

impl BlockHash {
    /// That of a block's bytes.
    pub(crate) fn of(block: &[u8]) -> Self {
        Self(Sha256::digest(block).into())
    }
}

impl Display for Address {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        self.0.fmt(formatter)
    }
}

impl Display for Height {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        self.0.fmt(formatter)
    }
}

impl Display for BlockHash {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        write!(formatter, "{:02x?}", self.0)
    }
}

impl malachite_core_types::Address for Address {}

impl malachite_core_types::Height for Height {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, count: u64) -> Self {
        Self(self.0 + count)
    }

    fn decrement_by(&self, count: u64) -> Option<Self> {
        self.0.checked_sub(count).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

impl malachite_core_types::Value for BlockHash {
    type Id = Self;

    fn id(&self) -> Self {
        *self
    }
}

impl malachite_core_types::Validator<Four> for Validator {
    fn address(&self) -> &Address {
        &self.address
    }

    fn public_key(&self) -> &PublicKey {
        &self.key
    }

    fn voting_power(&self) -> VotingPower {
        1
    }
}

impl malachite_core_types::ValidatorSet<Four> for Validators {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn total_voting_power(&self) -> VotingPower {
        self.0.iter().map(Validator::voting_power).sum()
    }

    fn get_by_address(&self, address: &Address) -> Option<&Validator> {
        self.get_by_index(address.0.into())
    }

    fn get_by_index(&self, index: usize) -> Option<&Validator> {
        self.0.get(index)
    }
}

impl malachite_core_types::ProposalPart<Four> for Part {
    fn is_first(&self) -> bool {
        self.index == 0
    }

    fn is_last(&self) -> bool {
        self.is_last
    }
}

impl malachite_core_types::Proposal<Four> for Proposal {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &BlockHash {
        &self.value
    }

    fn take_value(self) -> BlockHash {
        self.value
    }

    fn pol_round(&self) -> Round {
        self.pol_round
    }

    fn validator_address(&self) -> &Address {
        &self.proposer
    }
}

impl malachite_core_types::Vote<Four> for Vote {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<BlockHash> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<BlockHash> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &Address {
        &self.voter
    }

    fn extension(&self) -> Option<&SignedExtension<Four>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Four>> {
        None
    }

    fn extend(self, _: SignedExtension<Four>) -> Self {
        self
    }
}

//! Malachite's traits on this protocol's types: the only module that implements them.
//!
//! ```text
//!  message::Vote, Proposal, …  ◄── convert ──►  CoreVote, CoreProposal, …  ◄──►  malachite's core
//! ```
//! Malachite's traits cannot be put on the types crate's types (orphan rule), so each has a thin
//! newtype here. Nothing outside this crate sees them.

mod convert;
mod params;
mod proposal;
mod validators;
mod value;
mod vote;

use core::fmt;

use cloverleaf_types::{Address, Height, Signature};
use malachite_core_types::{self as malachite, NilOrVal, VoteType};

pub(crate) use convert::{core_round, our_round, to_certificate};
pub use params::{HeightParams, Pace, Timeouts};
pub(crate) use proposal::{CoreProposal, NoParts};
pub(crate) use validators::{CoreValidator, CoreValidators};
pub use value::Candidate;
pub(crate) use vote::CoreVote;

/// Malachite's round, which knows a round before the first.
pub(crate) type CoreRound = malachite::Round;

/// The protocol as malachite's core is generic over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ctx;

/// A height that malachite can count with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CoreHeight(pub(crate) Height);

/// A validator's address, which is also what malachite takes for its public key: signatures are
/// recovered (K2), so nobody needs the key itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CoreAddress(pub(crate) Address);

/// Recoverable secp256k1 (K2), as far as malachite needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scheme;

/// Nothing is ever decoded through malachite: messages and journal entries are encoded here.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("malachite decodes nothing in this protocol")]
pub(crate) struct NotDecoded;

impl malachite::SigningScheme for Scheme {
    type DecodingError = NotDecoded;
    type Signature = Signature;
    type PublicKey = CoreAddress;
    type PrivateKey = ();

    fn decode_signature(_bytes: &[u8]) -> Result<Signature, NotDecoded> {
        Err(NotDecoded)
    }

    fn encode_signature(signature: &Signature) -> Vec<u8> {
        signature.0.to_vec()
    }

    fn decode_public_key(_bytes: &[u8]) -> Result<CoreAddress, NotDecoded> {
        Err(NotDecoded)
    }

    fn encode_public_key(public_key: &CoreAddress) -> Vec<u8> {
        public_key.0.to_vec()
    }
}

impl fmt::Display for CoreAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl malachite::Address for CoreAddress {}

impl fmt::Display for CoreHeight {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl malachite::Height for CoreHeight {
    const ZERO: Self = Self(Height::GENESIS);
    const INITIAL: Self = Self(Height(1));

    fn increment_by(&self, count: u64) -> Self {
        Self(Height(self.0.0.saturating_add(count)))
    }

    fn decrement_by(&self, count: u64) -> Option<Self> {
        self.0
            .0
            .checked_sub(count)
            .map(|height| Self(Height(height)))
    }

    fn as_u64(&self) -> u64 {
        self.0.0
    }
}

impl malachite::Context for Ctx {
    type Address = CoreAddress;
    type Height = CoreHeight;
    type ProposalPart = NoParts;
    type Proposal = CoreProposal;
    type Validator = CoreValidator;
    type ValidatorSet = CoreValidators;
    type Timeouts = malachite::LinearTimeouts;
    type Value = Candidate;
    type Vote = CoreVote;
    type Extension = ();
    type SigningScheme = Scheme;

    // P1: the order rides in the set, because malachite hands over nothing else of the state.
    fn select_proposer<'a>(
        &self,
        validators: &'a CoreValidators,
        _height: CoreHeight,
        round: CoreRound,
    ) -> &'a CoreValidator {
        validators.proposer(our_round(round))
    }

    fn new_proposal(
        &self,
        height: CoreHeight,
        round: CoreRound,
        value: Candidate,
        pol_round: CoreRound,
        proposer: CoreAddress,
    ) -> CoreProposal {
        CoreProposal {
            height,
            round,
            value,
            pol_round,
            proposer,
        }
    }

    fn new_prevote(
        &self,
        height: CoreHeight,
        round: CoreRound,
        value: NilOrVal<cloverleaf_types::B256>,
        voter: CoreAddress,
    ) -> CoreVote {
        CoreVote {
            height,
            round,
            kind: VoteType::Prevote,
            value,
            voter,
        }
    }

    fn new_precommit(
        &self,
        height: CoreHeight,
        round: CoreRound,
        value: NilOrVal<cloverleaf_types::B256>,
        voter: CoreAddress,
    ) -> CoreVote {
        CoreVote {
            height,
            round,
            kind: VoteType::Precommit,
            value,
            voter,
        }
    }
}

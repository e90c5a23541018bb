//! What ends a node, and what is thrown away.

use core::fmt;

use cloverleaf_types::error::DecodeError;
use cloverleaf_types::{B256, Height, Round, Signature};

use crate::driver::SignSlot;

/// Bytes that are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Zero, or not below the curve's order.
    #[error("the bytes are not a secp256k1 key; make one with `cloverleaf keys new`")]
    OutOfRange,
}

/// Why this node must not go on. Nothing of the step that led here left the driver, and nothing
/// ever will: the process exits, each variant with its own code, and is not restarted blindly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// The guard refused a signature (D2): this key signed something else in the same slot, or
    /// something later. Another process has the key, or the store is older than the journal.
    #[error("{0}")]
    GuardRefused(Box<Refusal>),
    /// Replaying the journal led to another message than the recorded one: the software is not
    /// deterministic, or the journal is not this node's.
    #[error("replaying the vote journal did not lead to the recorded message: {reason}")]
    ReplayDiverged {
        /// Malachite's words.
        reason: String,
    },
    /// The core decided with precommits that do not certify the block (K3).
    #[error(
        "the block decided at height {height}, round {round} is not certified by its precommits: \
         {reason}"
    )]
    Uncertified {
        /// The height.
        height: Height,
        /// The round of the precommits.
        round: Round,
        /// The decided block.
        block_hash: B256,
        /// What does not hold.
        reason: String,
    },
    /// The core broke one of its own invariants.
    #[error("the consensus core failed at height {height}, round {round}: {reason}")]
    Core {
        /// The running height.
        height: Height,
        /// The running round.
        round: Round,
        /// Malachite's words.
        reason: String,
    },
}

/// What the guard was asked for, and what stands against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Where the signature was asked for.
    pub slot: SignSlot,
    /// The block that it would have been for.
    pub refused: Option<B256>,
    /// What stands in that slot: the block signed there, and the signature.
    pub signed: Option<(Option<B256>, Signature)>,
    /// The latest slot that this key signed.
    pub last: Option<SignSlot>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            slot,
            refused,
            signed,
            last,
        } = self;
        write!(
            formatter,
            "refused to sign the {slot} for {}: ",
            Block(*refused)
        )?;
        match (signed, last) {
            (Some((block, _)), _) => write!(formatter, "this key signed {} there", Block(*block)),
            (None, Some(last)) => write!(formatter, "this key already signed the {last}"),
            (None, None) => formatter.write_str("nothing may be signed"),
        }?;
        formatter.write_str("; is the key in use twice, or the store older than the vote journal?")
    }
}

/// A block hash in a sentence.
struct Block(Option<B256>);

impl fmt::Display for Block {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(hash) => write!(formatter, "block {hash}"),
            None => formatter.write_str("no block"),
        }
    }
}

/// Why a message from a peer was thrown away before it could do anything. Some are the sender's
/// fault, whoever signed: a correct peer checks before it relays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Discard {
    /// Its signer is not a validator of the height.
    #[error("its signer is not a validator of this height")]
    Stranger,
    /// Its signature is not its signer's.
    #[error("its signature is not its signer's")]
    BadSignature,
    /// The proposal is not by the proposer of its round (V1).
    #[error("its signer does not propose in this round")]
    NotProposer,
    /// The value is longer than 16 KiB (V1).
    #[error("the proposed value has {bytes} bytes; at most 16384 are allowed")]
    ValueTooLong {
        /// Its length.
        bytes: usize,
    },
    /// Version, `cut_hash` or the order of the cut is wrong (V1).
    #[error("the proposed value is malformed: {0}")]
    Malformed(DecodeError),
    /// The header names another network or height.
    #[error("the proposed header is for another network or height")]
    WrongHeader,
    /// `pol_round` is not below the round (V1).
    #[error("pol_round {pol_round} is not below round {round}")]
    PolRound {
        /// The proposal's round.
        round: Round,
        /// The round that it builds on.
        pol_round: Round,
    },
    /// The header's round does not fit (V1): a new value names its round, an old one at most
    /// `pol_round`.
    #[error("the header's round {header_round} does not fit a proposal of round {round}")]
    HeaderRound {
        /// The proposal's round.
        round: Round,
        /// The header's.
        header_round: Round,
    },
    /// Too far ahead of the running round.
    #[error("round {round} is too far ahead")]
    FarRound {
        /// The message's round.
        round: Round,
    },
    /// The round's proposer already made as many proposals as prove that it equivocates.
    #[error("two proposals of this round are known already")]
    TooManyProposals,
    /// The sender's share of the buffer for later heights is used up (C3).
    #[error("its sender's quota for later heights is used up")]
    QuotaUsed,
}

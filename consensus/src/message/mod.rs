//! What validators say to each other about a height.
//!
//! ```text
//! message = rlp([kind, height, round, …])                          at most 24 KiB
//!   0  vote               …, vote kind, block hash | "", voter, signature
//!   1  proposal           …, pol_round + 1 | 0, value, proposer, signature
//!   2  polka certificate  …, block hash, [[voter, signature], …]
//!   3  round certificate  …, 0 skip | 1 precommit, [[vote kind, block hash | "", voter, signature], …]
//!   4  want               …, block hash
//! ```
//! Decoded is not verified: whoever takes a message checks its signatures. They cover the digests
//! of K3, so a message may be relayed, and its sender proves nothing.

mod certificate;
mod signed;

use bytes::Bytes;
use cloverleaf_types::codec::Reader;
use cloverleaf_types::error::DecodeError;
use cloverleaf_types::limits::{VALIDATORS_MAX, VALUE_BYTES_MAX};
use cloverleaf_types::{B256, Height, Round, Value};

pub use certificate::{
    Endorsement, PolkaCertificate, RoundCertificate, RoundCertificateKind, RoundVote,
};
pub use signed::{Proposal, Signable, Signed, Vote};

use crate::codec::{
    Encoded, MaybeHash, after_round, encode_fields, kind_number, read_after_round, read_flag,
    read_kind,
};
use crate::context::Candidate;

/// Longest encoded message, in bytes: a value of the largest size and its framing, or a round
/// certificate of [`VALIDATORS_MAX`] signatures (about 17 KiB).
pub const MESSAGE_BYTES_MAX: usize = VALUE_BYTES_MAX + 8 * 1024;

/// A request for a proposal that votes name and that has not arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// The height of the votes.
    pub height: Height,
    /// The round of the votes.
    pub round: Round,
    /// The block that they name.
    pub block_hash: B256,
}

/// A message of the votes stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A vote.
    Vote(Signed<Vote>),
    /// A proposal, with the whole value.
    Proposal(Signed<Proposal>),
    /// Why a value may be proposed or locked again.
    Polka(PolkaCertificate),
    /// Why a round may be entered.
    Round(RoundCertificate),
    /// Please send this proposal.
    Want(Want),
}

impl Message {
    /// The height that it is about.
    #[must_use]
    pub fn height(&self) -> Height {
        match self {
            Self::Vote(signed) => signed.message.height,
            Self::Proposal(signed) => signed.message.height,
            Self::Polka(certificate) => certificate.height,
            Self::Round(certificate) => certificate.height,
            Self::Want(want) => want.height,
        }
    }

    /// The round that it is about.
    #[must_use]
    pub fn round(&self) -> Round {
        match self {
            Self::Vote(signed) => signed.message.round,
            Self::Proposal(signed) => signed.message.round,
            Self::Polka(certificate) => certificate.round,
            Self::Round(certificate) => certificate.round,
            Self::Want(want) => want.round,
        }
    }

    /// The bytes it is sent as.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let (height, round) = (self.height(), self.round());
        let encoded = match self {
            Self::Vote(signed) => {
                let vote = &signed.message;
                let (kind, hash) = (kind_number(vote.kind), MaybeHash(vote.block_hash));
                let signature = &signed.signature;
                encode_fields(&[&0_u8, &height, &round, &kind, &hash, &vote.voter, signature])
            }
            Self::Proposal(signed) => {
                let proposal = &signed.message;
                let (after, value) = (after_round(proposal.pol_round), proposal.candidate.value());
                let (proposer, signature) = (&proposal.proposer, &signed.signature);
                encode_fields(&[&1_u8, &height, &round, &after, value, proposer, signature])
            }
            Self::Polka(polka) => {
                encode_fields(&[&2_u8, &height, &round, &polka.block_hash, &polka.prevotes])
            }
            Self::Round(certificate) => {
                let kind = u8::from(certificate.kind == RoundCertificateKind::Precommit);
                encode_fields(&[&3_u8, &height, &round, &kind, &certificate.votes])
            }
            Self::Want(want) => encode_fields(&[&4_u8, &height, &round, &want.block_hash]),
        };
        encoded.into()
    }

    /// Decodes a message that fills the bytes exactly.
    ///
    /// # Errors
    /// The bytes are longer than [`MESSAGE_BYTES_MAX`] or not canonical: the sender's fault.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            let (length, bytes_max) = (bytes.len(), MESSAGE_BYTES_MAX);
            return Err(DecodeError::TooLong {
                what: "message",
                length,
                bytes_max,
            });
        }
        let mut reader = Reader::new(bytes);
        let message = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(message)
    }

    /// Reads a message as one item.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut list = reader.list()?;
        let kind: u8 = list.value()?;
        let (height, round) = (list.value()?, list.value()?);
        let message = match kind {
            0 => Self::Vote(read_vote(&mut list, height, round)?),
            1 => Self::Proposal(read_proposal(&mut list, height, round)?),
            2 => Self::Polka(PolkaCertificate {
                height,
                round,
                block_hash: list.value()?,
                prevotes: list.items("prevotes", VALIDATORS_MAX, |item| item.value())?,
            }),
            3 => Self::Round(RoundCertificate {
                height,
                round,
                kind: if read_flag(&mut list, "round certificate kind")? {
                    RoundCertificateKind::Precommit
                } else {
                    RoundCertificateKind::Skip
                },
                votes: list.items("votes", VALIDATORS_MAX, RoundVote::read)?,
            }),
            4 => Self::Want(Want {
                height,
                round,
                block_hash: list.value()?,
            }),
            _ => {
                return Err(DecodeError::OutOfRange {
                    what: "message kind",
                });
            }
        };
        list.finish()?;
        Ok(message)
    }

    /// The message as one item of another list.
    pub(crate) fn as_item(&self) -> Encoded {
        Encoded(self.encode().to_vec())
    }
}

fn read_vote(
    list: &mut Reader<'_>,
    height: Height,
    round: Round,
) -> Result<Signed<Vote>, DecodeError> {
    let kind = read_kind(list)?;
    let block_hash = list.value::<MaybeHash>()?.0;
    let vote = Vote {
        height,
        round,
        kind,
        block_hash,
        voter: list.value()?,
    };
    Ok(Signed {
        message: vote,
        signature: list.value()?,
    })
}

fn read_proposal(
    list: &mut Reader<'_>,
    height: Height,
    round: Round,
) -> Result<Signed<Proposal>, DecodeError> {
    let pol_round = read_after_round(list)?;
    let candidate = Candidate::new(list.value::<Value>()?);
    let proposer = list.value()?;
    let proposal = Proposal {
        height,
        round,
        pol_round,
        candidate,
        proposer,
    };
    Ok(Signed {
        message: proposal,
        signature: list.value()?,
    })
}

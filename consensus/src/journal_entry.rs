//! What the vote journal keeps: the inputs that led to own messages, those messages (D2), and from
//! where on the key signs (D4).
//!
//! ```text
//! entry = rlp([version = 1, kind, payload])                        at most 24 KiB + 16
//!   0  message  a vote, proposal or polka certificate, as it was sent
//!   1  value    [height, round, pol_round + 1 | 0, proposer, valid, value]
//!   2  timeout  [height, round, step]
//!   3  signing  [key, height + 1 | 0]
//! ```
//! Entries are both the log and the guard record: whatever is signed with the own key in them was,
//! or may have been, sent. The journal crate frames and checks them on disk.

use bytes::Bytes;
use cloverleaf_types::codec::Reader;
use cloverleaf_types::error::DecodeError;
use cloverleaf_types::{Address, Height, Round, Value};

use crate::codec::{Encoded, after_round, encode_fields, read_after_round, read_flag};
use crate::context::Candidate;
use crate::message::{MESSAGE_BYTES_MAX, Message, PolkaCertificate, Proposal, Signed, Vote};

/// The format's version.
const VERSION: u8 = 1;

/// Longest encoded entry, in bytes.
pub const ENTRY_BYTES_MAX: usize = MESSAGE_BYTES_MAX + 16;

/// The step of a round that a timeout ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Waiting for the proposal.
    Propose,
    /// Waiting for prevotes.
    Prevote,
    /// Waiting for precommits.
    Precommit,
}

/// A value on which the application gave its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedValue {
    /// The height.
    pub height: Height,
    /// The round of the proposal that carried it here.
    pub round: Round,
    /// That proposal's earlier round.
    pub pol_round: Option<Round>,
    /// That proposal's proposer.
    pub proposer: Address,
    /// The verdict, which never changes within the height (V2).
    pub valid: bool,
    /// The value.
    pub candidate: Candidate,
}

/// One entry of the vote journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalEntry {
    /// A vote that was counted.
    Vote(Signed<Vote>),
    /// A proposal that was taken.
    Proposal(Signed<Proposal>),
    /// A polka certificate that was taken.
    Polka(PolkaCertificate),
    /// A value whose verdict is known.
    Value(CheckedValue),
    /// A step that timed out.
    Timeout {
        /// The height.
        height: Height,
        /// The round.
        round: Round,
        /// The step.
        step: Step,
    },
    /// From where on a key signs. The first is written together with a newly made key; the last one of
    /// a key holds (D4).
    Signing {
        /// The key's address.
        key: Address,
        /// The lowest height at which it votes, which its lane's epoch is not below; nothing while what
        /// it signed before is not known.
        from: Option<Height>,
    },
}

impl JournalEntry {
    /// The height that it belongs to. From where on a key signs belongs to none: the journal keeps it,
    /// as if it were of the highest.
    #[must_use]
    pub fn height(&self) -> Height {
        match self {
            Self::Vote(signed) => signed.message.height,
            Self::Proposal(signed) => signed.message.height,
            Self::Polka(certificate) => certificate.height,
            Self::Value(value) => value.height,
            Self::Timeout { height, .. } => *height,
            Self::Signing { .. } => Height(u64::MAX),
        }
    }

    /// Who signed it, if it is a signed message.
    #[must_use]
    pub fn signer(&self) -> Option<Address> {
        match self {
            Self::Vote(signed) => Some(signed.message.voter),
            Self::Proposal(signed) => Some(signed.message.proposer),
            Self::Polka(_) | Self::Value(_) | Self::Timeout { .. } | Self::Signing { .. } => None,
        }
    }

    /// The bytes it is kept as.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let (kind, payload) = match self {
            Self::Vote(signed) => (0_u8, Message::Vote(signed.clone()).as_item()),
            Self::Proposal(signed) => (0, Message::Proposal(signed.clone()).as_item()),
            Self::Polka(certificate) => (0, Message::Polka(certificate.clone()).as_item()),
            Self::Value(value) => (1, encode_value(value)),
            Self::Timeout {
                height,
                round,
                step,
            } => (
                2,
                Encoded(encode_fields(&[height, round, &step_number(*step)])),
            ),
            Self::Signing { key, from } => {
                let after = from.map_or(0, |height| height.next().0);
                (3, Encoded(encode_fields(&[key, &after])))
            }
        };
        encode_fields(&[&VERSION, &kind, &payload]).into()
    }

    /// Decodes an entry that fills the bytes exactly.
    ///
    /// # Errors
    /// The bytes are no entry of this version. The journal's checks passed, so this software did
    /// not write them: the journal is not this node's, or was written by a later version.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            let (length, bytes_max) = (bytes.len(), ENTRY_BYTES_MAX);
            return Err(DecodeError::TooLong {
                what: "journal entry",
                length,
                bytes_max,
            });
        }
        let mut reader = Reader::new(bytes);
        let mut list = reader.list()?;
        if list.value::<u8>()? != VERSION {
            return Err(DecodeError::OutOfRange {
                what: "journal entry version",
            });
        }
        let entry = match list.value::<u8>()? {
            0 => match Message::read(&mut list)? {
                Message::Vote(signed) => Self::Vote(signed),
                Message::Proposal(signed) => Self::Proposal(signed),
                Message::Polka(certificate) => Self::Polka(certificate),
                Message::Round(_) | Message::Want(_) => {
                    return Err(DecodeError::OutOfRange {
                        what: "journalled message",
                    });
                }
            },
            1 => Self::Value(read_value(&mut list)?),
            2 => read_timeout(&mut list)?,
            3 => read_signing(&mut list)?,
            _ => {
                return Err(DecodeError::OutOfRange {
                    what: "journal entry kind",
                });
            }
        };
        list.finish()?;
        reader.finish()?;
        Ok(entry)
    }
}

fn encode_value(value: &CheckedValue) -> Encoded {
    let (after, valid) = (after_round(value.pol_round), u8::from(value.valid));
    let (proposer, inner) = (&value.proposer, value.candidate.value());
    Encoded(encode_fields(&[
        &value.height,
        &value.round,
        &after,
        proposer,
        &valid,
        inner,
    ]))
}

fn read_value(reader: &mut Reader<'_>) -> Result<CheckedValue, DecodeError> {
    let mut list = reader.list()?;
    let value = CheckedValue {
        height: list.value()?,
        round: list.value()?,
        pol_round: read_after_round(&mut list)?,
        proposer: list.value()?,
        valid: read_flag(&mut list, "verdict")?,
        candidate: Candidate::new(list.value::<Value>()?),
    };
    list.finish()?;
    Ok(value)
}

fn read_timeout(reader: &mut Reader<'_>) -> Result<JournalEntry, DecodeError> {
    let mut list = reader.list()?;
    let (height, round) = (list.value()?, list.value()?);
    let step = match list.value::<u8>()? {
        0 => Step::Propose,
        1 => Step::Prevote,
        2 => Step::Precommit,
        _ => return Err(DecodeError::OutOfRange { what: "step" }),
    };
    list.finish()?;
    Ok(JournalEntry::Timeout {
        height,
        round,
        step,
    })
}

fn read_signing(reader: &mut Reader<'_>) -> Result<JournalEntry, DecodeError> {
    let mut list = reader.list()?;
    let (key, after) = (list.value()?, list.value::<u64>()?);
    list.finish()?;
    let from = after.checked_sub(1).map(Height);
    Ok(JournalEntry::Signing { key, from })
}

fn step_number(step: Step) -> u8 {
    match step {
        Step::Propose => 0,
        Step::Prevote => 1,
        Step::Precommit => 2,
    }
}

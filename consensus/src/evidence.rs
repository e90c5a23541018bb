//! Proof that a validator signed two things in one place.
//!
//! ```text
//! evidence = rlp([message, message])      two votes or two proposals, as they were sent
//! ```

use std::collections::VecDeque;

use bytes::Bytes;
use cloverleaf_types::codec::Reader;
use cloverleaf_types::error::DecodeError;
use cloverleaf_types::{Address, Height, NetworkId, Recover};

use crate::codec::encode_fields;
use crate::message::{MESSAGE_BYTES_MAX, Message, Proposal, Signable, Signed, Vote};

/// Longest encoded evidence, in bytes: two messages and their framing.
pub const EVIDENCE_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX + 9;

/// Pieces kept for serving: a few per validator of the largest set; the oldest go first.
pub const EVIDENCE_KEPT_MAX: usize = 512;

/// Two messages by one validator of which a correct one signs at most one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Two votes of one kind in one round, for different blocks.
    Votes(Signed<Vote>, Signed<Vote>),
    /// Two different proposals in one round.
    Proposals(Signed<Proposal>, Signed<Proposal>),
}

impl Evidence {
    /// Who equivocated.
    #[must_use]
    pub fn offender(&self) -> Address {
        match self {
            Self::Votes(first, _) => first.message.voter,
            Self::Proposals(first, _) => first.message.proposer,
        }
    }

    /// At which height.
    #[must_use]
    pub fn height(&self) -> Height {
        match self {
            Self::Votes(first, _) => first.message.height,
            Self::Proposals(first, _) => first.message.height,
        }
    }

    /// Whether it proves what it claims, to anybody who trusts the network's id alone. That the
    /// offender was a validator of the height is for whoever knows the set.
    #[must_use]
    pub fn holds(&self, network: NetworkId, recover: &dyn Recover) -> bool {
        match self {
            Self::Votes(first, second) => {
                let place = |vote: &Vote| (vote.height, vote.round, vote.kind, vote.voter);
                place(&first.message) == place(&second.message)
                    && conflict(first, second, network, recover)
            }
            Self::Proposals(first, second) => {
                let place = |made: &Proposal| (made.height, made.round, made.proposer);
                place(&first.message) == place(&second.message)
                    && conflict(first, second, network, recover)
            }
        }
    }

    /// The bytes it is stored and served as.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let (first, second) = match self.clone() {
            Self::Votes(first, second) => (Message::Vote(first), Message::Vote(second)),
            Self::Proposals(first, second) => (Message::Proposal(first), Message::Proposal(second)),
        };
        encode_fields(&[&first.as_item(), &second.as_item()]).into()
    }

    /// Decodes evidence that fills the bytes exactly; nothing in it is proven yet.
    ///
    /// # Errors
    /// The bytes are too long, not canonical, or not two messages of one sort.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        if bytes.len() > EVIDENCE_BYTES_MAX {
            let (length, bytes_max) = (bytes.len(), EVIDENCE_BYTES_MAX);
            return Err(DecodeError::TooLong {
                what: "evidence",
                length,
                bytes_max,
            });
        }
        let mut reader = Reader::new(bytes);
        let mut list = reader.list()?;
        let messages = (Message::read(&mut list)?, Message::read(&mut list)?);
        list.finish()?;
        reader.finish()?;
        match messages {
            (Message::Vote(first), Message::Vote(second)) => Ok(Self::Votes(first, second)),
            (Message::Proposal(first), Message::Proposal(second)) => {
                Ok(Self::Proposals(first, second))
            }
            _ => Err(DecodeError::OutOfRange {
                what: "pair of messages",
            }),
        }
    }
}

fn conflict<T: Signable>(
    first: &Signed<T>,
    second: &Signed<T>,
    network: NetworkId,
    recover: &dyn Recover,
) -> bool {
    first.message.digest(network) != second.message.digest(network)
        && first.verify(network, recover).is_ok()
        && second.verify(network, recover).is_ok()
}

/// The evidence of the last heights, newest last.
#[derive(Clone, Debug, Default)]
pub(crate) struct EvidenceLog {
    kept: VecDeque<Evidence>,
}

impl EvidenceLog {
    /// Keeps a piece that is not known yet; returns whether it was new.
    pub(crate) fn keep(&mut self, evidence: &Evidence) -> bool {
        if self.kept.contains(evidence) {
            return false;
        }
        if self.kept.len() == EVIDENCE_KEPT_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(evidence.clone());
        true
    }

    /// How many pieces are kept.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    /// All that is kept, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Evidence> {
        self.kept.iter()
    }
}

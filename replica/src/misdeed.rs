//! What no correct validator does, with what its key signed: proof for anybody who trusts the network's
//! id (L1, L4).
//!
//! ```text
//! evidence = rlp([network, kind, first, second])
//!   0  votes       first, second: two votes, as they were sent
//!   1  proposals   first, second: two proposals, as they were sent
//!   2  parcels     first, second: rlp([header, signature]) of two parcels
//!   3  mark        first: the parcel, as it was sent; second: empty
//! ```
//! That the offender was a validator then is for whoever knows the set.

use std::sync::Arc;

use alloy_rlp::{RlpDecodable, RlpEncodable};
use bytes::Bytes;
use cloverleaf_bundle::Prepared;
use cloverleaf_consensus::{Evidence, MESSAGE_BYTES_MAX, Message, Signable, Signed};
use cloverleaf_mempool::parcels::{FalseSender, check_marked};
use cloverleaf_types::codec::{Reader, decode_exact};
use cloverleaf_types::error::{DecodeError, ParcelError, SignatureError};
use cloverleaf_types::limits::PARCEL_BYTES_MAX;
use cloverleaf_types::{
    Address, B256, Height, NetworkId, Parcel, ParcelHeader, Recover, Round, Signature,
};

/// Longest encoded evidence, in bytes: a parcel and its framing.
pub const MISDEED_BYTES_MAX: usize = PARCEL_BYTES_MAX + 64;

/// Longest header of a parcel with its signature, in bytes.
const SIGNED_HEADER_BYTES_MAX: usize = 512;

/// What somebody did, with what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misdeed {
    /// The network.
    pub network: NetworkId,
    /// What was signed.
    pub signed: SignedMisdeed,
}

/// What was signed that should not have been.
#[expect(
    clippy::large_enum_variant,
    reason = "misdeeds are rare, and shared once they are known"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedMisdeed {
    /// Two votes, or two proposals, for one slot.
    Twice(Evidence),
    /// Two parcels for one slot (L4).
    Parcels(Box<SignedHeader>, Box<SignedHeader>),
    /// A parcel that marks a transaction as checked which its claimed sender did not sign (L1).
    Mark(Bytes),
}

/// A parcel's header and its author's signature.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct SignedHeader {
    /// What was signed.
    pub header: ParcelHeader,
    /// The signature over its hash.
    pub signature: Signature,
}

/// The kinds of misdeeds. Of each, the first against each offender is kept for a range of heights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MisdeedKind {
    /// Two votes for one slot.
    Votes,
    /// Two proposals for one slot.
    Proposals,
    /// Two parcels for one slot.
    Parcels,
    /// A false mark.
    Mark,
}

/// Why evidence proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// What was signed is of another network.
    #[error("it is of network {found}, not of {expected}")]
    Network {
        /// What was signed.
        found: NetworkId,
        /// What the evidence says.
        expected: NetworkId,
    },
    /// A correct validator signs both.
    #[error("the two are not of one slot")]
    Slot,
    /// A correct validator signs this as often as it likes.
    #[error("the two are the same")]
    Conflict,
    /// Who is accused did not sign.
    #[error("the accused did not sign {which}: {source}")]
    Signature {
        /// Which of the two.
        which: &'static str,
        /// What is wrong with the signature.
        source: SignatureError,
    },
    /// No author could have made such a parcel take effect.
    #[error("the parcel: {0}")]
    Parcel(#[from] ParcelError),
    /// Its marks are true.
    #[error("all that the parcel marks was signed as it says")]
    Mark,
}

impl NotProven {
    /// The step that failed, in one word.
    #[must_use]
    pub const fn step(&self) -> &'static str {
        match self {
            Self::Network { .. } => "network",
            Self::Slot => "slot",
            Self::Conflict => "conflict",
            Self::Signature { .. } => "signature",
            Self::Parcel(_) => "parcel",
            Self::Mark => "mark",
        }
    }
}

impl MisdeedKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Votes, Self::Proposals, Self::Parcels, Self::Mark];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Votes => "votes",
            Self::Proposals => "proposals",
            Self::Parcels => "parcels",
            Self::Mark => "mark",
        }
    }
}

impl SignedHeader {
    /// What the author of a parcel signed.
    #[must_use]
    pub fn of(parcel: &Parcel) -> Self {
        Self {
            header: parcel.header().clone(),
            signature: *parcel.signature(),
        }
    }
}

impl Misdeed {
    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> MisdeedKind {
        match &self.signed {
            SignedMisdeed::Twice(Evidence::Votes(..)) => MisdeedKind::Votes,
            SignedMisdeed::Twice(Evidence::Proposals(..)) => MisdeedKind::Proposals,
            SignedMisdeed::Parcels(..) => MisdeedKind::Parcels,
            SignedMisdeed::Mark(_) => MisdeedKind::Mark,
        }
    }

    /// Checks that the accused signed what no correct validator signs.
    ///
    /// # Errors
    /// The first step that fails.
    pub fn verify(&self, recover: &dyn Recover) -> Result<(), NotProven> {
        match &self.signed {
            SignedMisdeed::Twice(Evidence::Votes(first, second)) => {
                let slot =
                    |it: &cloverleaf_consensus::Vote| (it.height, it.round, it.kind, it.voter);
                if slot(&first.message) != slot(&second.message) {
                    return Err(NotProven::Slot);
                }
                self.check_pair(first, second, recover)
            }
            SignedMisdeed::Twice(Evidence::Proposals(first, second)) => {
                let slot = |it: &cloverleaf_consensus::Proposal| (it.height, it.round, it.proposer);
                if slot(&first.message) != slot(&second.message) {
                    return Err(NotProven::Slot);
                }
                self.check_pair(first, second, recover)
            }
            SignedMisdeed::Parcels(first, second) => self.check_headers(first, second, recover),
            SignedMisdeed::Mark(parcel) => self.false_mark(parcel, recover).map(|_| ()),
        }
    }

    /// What a marked parcel claims that is not so.
    ///
    /// # Errors
    /// The first step that fails.
    pub fn false_mark(
        &self,
        parcel: &Bytes,
        recover: &dyn Recover,
    ) -> Result<FalseSender, NotProven> {
        let parcel = Parcel::decode(parcel.clone()).map_err(|_| NotProven::Mark)?;
        let parcel = parcel.verify(self.network, recover)?;
        let prepared = Arc::new(Prepared::new(Arc::new(parcel)));
        check_marked(&prepared).err().ok_or(NotProven::Mark)
    }

    /// The bytes that it is stored and served as.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let (kind, first, second) = match &self.signed {
            SignedMisdeed::Twice(Evidence::Votes(first, second)) => {
                let message = |it: &Signed<_>| Message::Vote(it.clone()).encode();
                (0, message(first), message(second))
            }
            SignedMisdeed::Twice(Evidence::Proposals(first, second)) => {
                let message = |it: &Signed<_>| Message::Proposal(it.clone()).encode();
                (1, message(first), message(second))
            }
            SignedMisdeed::Parcels(first, second) => {
                let header = |it: &SignedHeader| Bytes::from(alloy_rlp::encode(it));
                (2, header(first), header(second))
            }
            SignedMisdeed::Mark(parcel) => (3, parcel.clone(), Bytes::new()),
        };
        let network = self.network;
        alloy_rlp::encode(Encoded {
            network,
            kind,
            first,
            second,
        })
        .into()
    }

    /// Decodes evidence that fills the bytes exactly; nothing in it is proven yet.
    ///
    /// # Errors
    /// The bytes are too long, not canonical, or no two things of one kind.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        if bytes.len() > MISDEED_BYTES_MAX {
            let (length, bytes_max) = (bytes.len(), MISDEED_BYTES_MAX);
            return Err(DecodeError::TooLong {
                what: "evidence",
                length,
                bytes_max,
            });
        }
        let mut reader = Reader::new(bytes);
        let mut list = reader.list()?;
        let (network, kind) = (list.value()?, list.value::<u8>()?);
        let signed = match kind {
            0 | 1 => SignedMisdeed::Twice(read_pair(&mut list, kind)?),
            2 => {
                let mut header = || {
                    let bytes = list.string("header", SIGNED_HEADER_BYTES_MAX)?;
                    decode_exact(&bytes, SIGNED_HEADER_BYTES_MAX).map(Box::new)
                };
                SignedMisdeed::Parcels(header()?, header()?)
            }
            3 => {
                let parcel = list.string("parcel", PARCEL_BYTES_MAX)?;
                list.string("second", 0)?;
                Parcel::decode(parcel.clone())?;
                SignedMisdeed::Mark(parcel)
            }
            _ => {
                let what = "kind of evidence";
                return Err(DecodeError::OutOfRange { what });
            }
        };
        list.finish()?;
        reader.finish()?;
        Ok(Self { network, signed })
    }

    /// Who did it.
    #[must_use]
    pub fn offender(&self) -> Address {
        match &self.signed {
            SignedMisdeed::Twice(evidence) => evidence.offender(),
            SignedMisdeed::Parcels(first, _) => first.header.author,
            SignedMisdeed::Mark(_) => self.marked().map_or(Address::ZERO, |it| it.header.author),
        }
    }

    /// The height that it was signed for; of parcels, the height of the last block that their author
    /// had applied.
    #[must_use]
    pub fn height(&self) -> Height {
        match &self.signed {
            SignedMisdeed::Twice(evidence) => evidence.height(),
            SignedMisdeed::Parcels(first, _) => first.header.seen,
            SignedMisdeed::Mark(_) => self.marked().map_or(Height::GENESIS, |it| it.header.seen),
        }
    }

    /// The slot, in words.
    #[must_use]
    pub fn slot(&self) -> String {
        let at = |height: Height, round: Round| format!("height {height}, round {round}");
        let of_parcel =
            |header: &ParcelHeader| format!("lane epoch {}, parcel {}", header.epoch.0, header.seq);
        match &self.signed {
            SignedMisdeed::Twice(Evidence::Votes(first, _)) => {
                let vote = &first.message;
                let kind = match vote.kind {
                    cloverleaf_types::VoteKind::Prevote => "prevote",
                    cloverleaf_types::VoteKind::Precommit => "precommit",
                };
                format!("{}, {kind}", at(vote.height, vote.round))
            }
            SignedMisdeed::Twice(Evidence::Proposals(first, _)) => {
                format!(
                    "{}, proposal",
                    at(first.message.height, first.message.round)
                )
            }
            SignedMisdeed::Parcels(first, _) => of_parcel(&first.header),
            SignedMisdeed::Mark(_) => self
                .marked()
                .map_or_else(String::new, |it| of_parcel(&it.header)),
        }
    }

    /// What was signed, and the signatures over it; one of a mark.
    #[must_use]
    pub fn signatures(&self) -> Vec<(B256, Signature)> {
        let of_header = |it: &SignedHeader| (it.header.hash(), it.signature);
        match &self.signed {
            SignedMisdeed::Twice(Evidence::Votes(first, second)) => {
                vec![self.signature(first), self.signature(second)]
            }
            SignedMisdeed::Twice(Evidence::Proposals(first, second)) => {
                vec![self.signature(first), self.signature(second)]
            }
            SignedMisdeed::Parcels(first, second) => vec![of_header(first), of_header(second)],
            SignedMisdeed::Mark(_) => self.marked().iter().map(of_header).collect(),
        }
    }

    fn signature<T: Signable>(&self, signed: &Signed<T>) -> (B256, Signature) {
        (signed.message.digest(self.network), signed.signature)
    }

    fn marked(&self) -> Option<SignedHeader> {
        let SignedMisdeed::Mark(parcel) = &self.signed else {
            return None;
        };
        let parcel = Parcel::decode(parcel.clone()).ok()?;
        Some(SignedHeader::of(parcel.claimed()))
    }

    fn check_pair<T: Signable>(
        &self,
        first: &Signed<T>,
        second: &Signed<T>,
        recover: &dyn Recover,
    ) -> Result<(), NotProven> {
        if first.message.digest(self.network) == second.message.digest(self.network) {
            return Err(NotProven::Conflict);
        }
        let check = |which, signed: &Signed<T>| {
            let verified = signed.verify(self.network, recover);
            verified.map_err(|source| NotProven::Signature { which, source })
        };
        check("the first", first)?;
        check("the second", second)
    }

    fn check_headers(
        &self,
        first: &SignedHeader,
        second: &SignedHeader,
        recover: &dyn Recover,
    ) -> Result<(), NotProven> {
        for signed in [first, second] {
            let (found, expected) = (signed.header.network, self.network);
            if found != expected {
                return Err(NotProven::Network { found, expected });
            }
        }
        if first.header.slot() != second.header.slot() {
            return Err(NotProven::Slot);
        }
        if first.header == second.header {
            return Err(NotProven::Conflict);
        }
        let check = |which, signed: &SignedHeader| {
            let (hash, author) = (signed.header.hash(), signed.header.author);
            let verified = signed.signature.verify(hash, author, recover);
            verified.map_err(|source| NotProven::Signature { which, source })
        };
        check("the first", first)?;
        check("the second", second)
    }
}

/// The fields, in their order.
#[derive(RlpEncodable)]
struct Encoded {
    network: NetworkId,
    kind: u8,
    first: Bytes,
    second: Bytes,
}

fn read_pair(list: &mut Reader<'_>, kind: u8) -> Result<Evidence, DecodeError> {
    let mut message = || {
        let bytes = list.string("message", MESSAGE_BYTES_MAX)?;
        Message::decode(&bytes)
    };
    match (kind, message()?, message()?) {
        (0, Message::Vote(first), Message::Vote(second)) => Ok(Evidence::Votes(first, second)),
        (1, Message::Proposal(first), Message::Proposal(second)) => {
            Ok(Evidence::Proposals(first, second))
        }
        _ => Err(DecodeError::OutOfRange {
            what: "pair of messages",
        }),
    }
}

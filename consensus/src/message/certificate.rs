//! Votes of many validators that together justify something.

use alloy_rlp::{BufMut, Encodable};
use cloverleaf_types::codec::Reader;
use cloverleaf_types::error::DecodeError;
use cloverleaf_types::{Address, B256, Height, Round, Signature, VoteKind};

use super::{Signed, Vote};
use crate::codec::{MaybeHash, encode_fields, kind_number, read_kind};

/// One validator's signature in a certificate.
#[derive(Clone, Debug, PartialEq, Eq, alloy_rlp::RlpEncodable, alloy_rlp::RlpDecodable)]
pub struct Endorsement {
    /// Who signed.
    pub voter: Address,
    /// Its signature.
    pub signature: Signature,
}

/// Prevotes of a quorum for one block in one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolkaCertificate {
    /// The height of the prevotes.
    pub height: Height,
    /// The round of the prevotes.
    pub round: Round,
    /// The block prevoted.
    pub block_hash: B256,
    /// The prevotes.
    pub prevotes: Vec<Endorsement>,
}

impl PolkaCertificate {
    /// The prevotes, one by one.
    #[must_use]
    pub fn signed_votes(&self) -> Vec<Signed<Vote>> {
        let vote = |found: &Endorsement| Signed {
            message: Vote {
                height: self.height,
                round: self.round,
                kind: VoteKind::Prevote,
                block_hash: Some(self.block_hash),
                voter: found.voter,
            },
            signature: found.signature,
        };
        self.prevotes.iter().map(vote).collect()
    }
}

/// What a round certificate lets its reader do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoundCertificateKind {
    /// Enter the round itself: f + 1 have voted in it.
    Skip,
    /// Enter the next round: a quorum has precommitted in it.
    Precommit,
}

/// One vote of a round certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundVote {
    /// Prevote or precommit.
    pub kind: VoteKind,
    /// The block voted for, or none.
    pub block_hash: Option<B256>,
    /// Who voted.
    pub voter: Address,
    /// Its signature.
    pub signature: Signature,
}

/// Votes that justify entering a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundCertificate {
    /// The height of the votes.
    pub height: Height,
    /// The round of the votes.
    pub round: Round,
    /// What they justify.
    pub kind: RoundCertificateKind,
    /// The votes.
    pub votes: Vec<RoundVote>,
}

impl RoundCertificate {
    /// The votes, one by one.
    #[must_use]
    pub fn signed_votes(&self) -> Vec<Signed<Vote>> {
        let vote = |found: &RoundVote| Signed {
            message: Vote {
                height: self.height,
                round: self.round,
                kind: found.kind,
                block_hash: found.block_hash,
                voter: found.voter,
            },
            signature: found.signature,
        };
        self.votes.iter().map(vote).collect()
    }
}

impl Encodable for RoundVote {
    fn encode(&self, out: &mut dyn BufMut) {
        let (kind, hash) = (kind_number(self.kind), MaybeHash(self.block_hash));
        out.put_slice(&encode_fields(&[
            &kind,
            &hash,
            &self.voter,
            &self.signature,
        ]));
    }

    fn length(&self) -> usize {
        let payload =
            1 + MaybeHash(self.block_hash).length() + self.voter.length() + self.signature.length();
        payload + alloy_rlp::length_of_length(payload)
    }
}

impl RoundVote {
    /// Reads one vote of a certificate.
    pub(super) fn read(item: &mut Reader<'_>) -> Result<RoundVote, DecodeError> {
        let mut list = item.list()?;
        let kind = read_kind(&mut list)?;
        let block_hash = list.value::<MaybeHash>()?.0;
        let vote = RoundVote {
            kind,
            block_hash,
            voter: list.value()?,
            signature: list.value()?,
        };
        list.finish()?;
        Ok(vote)
    }
}

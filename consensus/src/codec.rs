//! Small pieces of canonical RLP that the formats of this crate share (K1).

use alloy_rlp::{BufMut, Decodable, Encodable};
use cloverleaf_types::codec::Reader;
use cloverleaf_types::error::DecodeError;
use cloverleaf_types::{B256, Round, VoteKind};

/// An encoded list that becomes one item of another list as it stands.
pub(crate) struct Encoded(pub(crate) Vec<u8>);

impl Encodable for Encoded {
    fn encode(&self, out: &mut dyn BufMut) {
        out.put_slice(&self.0);
    }

    fn length(&self) -> usize {
        self.0.len()
    }
}

/// Encodes a list of fields of different types.
pub(crate) fn encode_fields(fields: &[&dyn Encodable]) -> Vec<u8> {
    let payload_length = fields.iter().map(|field| field.length()).sum();
    let mut out = Vec::with_capacity(payload_length + 9);
    alloy_rlp::Header {
        list: true,
        payload_length,
    }
    .encode(&mut out);
    for field in fields {
        field.encode(&mut out);
    }
    out
}

/// A block hash, or the empty string for a vote for no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MaybeHash(pub(crate) Option<B256>);

impl Encodable for MaybeHash {
    fn encode(&self, out: &mut dyn BufMut) {
        self.0
            .as_ref()
            .map_or(&[][..], |hash| hash.as_slice())
            .encode(out);
    }

    fn length(&self) -> usize {
        self.0.map_or(1, |hash| hash.length())
    }
}

impl Decodable for MaybeHash {
    fn decode(bytes: &mut &[u8]) -> alloy_rlp::Result<Self> {
        if let Some((&alloy_rlp::EMPTY_STRING_CODE, rest)) = bytes.split_first() {
            *bytes = rest;
            return Ok(Self(None));
        }
        B256::decode(bytes).map(|hash| Self(Some(hash)))
    }
}

/// A round or none, as the digest of a proposal has it: the round + 1, or 0 (K3).
pub(crate) fn after_round(round: Option<Round>) -> u64 {
    round.map_or(0, |round| u64::from(round.0) + 1)
}

/// Reads what [`after_round`] made.
pub(crate) fn read_after_round(reader: &mut Reader<'_>) -> Result<Option<Round>, DecodeError> {
    let after: u64 = reader.value()?;
    let Some(round) = after.checked_sub(1) else {
        return Ok(None);
    };
    let round = u32::try_from(round).map_err(|_| DecodeError::OutOfRange { what: "pol_round" })?;
    Ok(Some(Round(round)))
}

/// The number of a vote's kind, as its digest has it.
pub(crate) fn kind_number(kind: VoteKind) -> u8 {
    match kind {
        VoteKind::Prevote => 0,
        VoteKind::Precommit => 1,
    }
}

/// Reads what [`kind_number`] made.
pub(crate) fn read_kind(reader: &mut Reader<'_>) -> Result<VoteKind, DecodeError> {
    match reader.value::<u8>()? {
        0 => Ok(VoteKind::Prevote),
        1 => Ok(VoteKind::Precommit),
        _ => Err(DecodeError::OutOfRange { what: "vote kind" }),
    }
}

/// Reads a number that stands for false (0) or true (1).
pub(crate) fn read_flag(reader: &mut Reader<'_>, what: &'static str) -> Result<bool, DecodeError> {
    match reader.value::<u8>()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::OutOfRange { what }),
    }
}

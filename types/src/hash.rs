//! Tagged hashes (K1): everything hashed or signed is `SHA-256(rlp([tag, …]))`.

use std::ops::Range;

use alloy_primitives::{B256, keccak256};
use alloy_rlp::{Encodable, Header};
use sha2::{Digest, Sha256};

use crate::TransactionId;

/// The domain of a hash: at most 11 bytes, so that a one-transaction leg fits one SHA-256 block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(&'static str);

impl Tag {
    /// A genesis: the network's name.
    pub const GENESIS: Self = Self("clv/gen/1");
    /// A parcel's header: what its author signs.
    pub const PARCEL: Self = Self("clv/parc/1");
    /// A parcel's items.
    pub const BODY: Self = Self("clv/body/1");
    /// The ids of a bundle's leg.
    pub const LEG: Self = Self("clv/leg/1");
    /// A bundle's terms.
    pub const TERMS: Self = Self("clv/terms/1");
    /// A bundle: its terms and legs.
    pub const BUNDLE: Self = Self("clv/bndl/1");
    /// A cut.
    pub const CUT: Self = Self("clv/cut/1");
    /// A block's header: the value that consensus decides.
    pub const BLOCK: Self = Self("clv/blk/1");
    /// A batch's header.
    pub const BATCH: Self = Self("clv/batch/1");
    /// A batch's spans.
    pub const SPANS: Self = Self("clv/spans/1");
    /// The head of a rollup without a batch.
    pub const HEAD: Self = Self("clv/head/1");
    /// A validator set.
    pub const VALIDATORS: Self = Self("clv/vals/1");
    /// A prevote or precommit.
    pub const VOTE: Self = Self("clv/vote/1");
    /// A proposal.
    pub const PROPOSAL: Self = Self("clv/prop/1");
    /// A part of the replicated state.
    pub const STATE: Self = Self("clv/state/1");

    /// Every tag, for the test that keeps them short and distinct.
    pub const ALL: [Self; 15] = [
        Self::GENESIS,
        Self::PARCEL,
        Self::BODY,
        Self::LEG,
        Self::TERMS,
        Self::BUNDLE,
        Self::CUT,
        Self::BLOCK,
        Self::BATCH,
        Self::SPANS,
        Self::HEAD,
        Self::VALIDATORS,
        Self::VOTE,
        Self::PROPOSAL,
        Self::STATE,
    ];

    /// The tag's text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        self.0
    }
}

/// Longest header of an RLP list: a byte for the length of a length of 8 bytes.
const HEADER_BYTES_MAX: usize = 9;

/// A list of fields under a tag, on its way to being hashed.
#[derive(Clone, Debug)]
pub struct Preimage {
    /// The fields, behind room for the header of their list: so all is in one piece when it is hashed.
    bytes: Vec<u8>,
}

impl Preimage {
    /// Starts a preimage in the tag's domain.
    #[must_use]
    pub fn new(tag: Tag) -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.resize(HEADER_BYTES_MAX, 0);
        tag.0.encode(&mut bytes);
        Self { bytes }
    }

    /// Appends a field.
    #[must_use]
    pub fn with<T: Encodable + ?Sized>(mut self, field: &T) -> Self {
        field.encode(&mut self.bytes);
        self
    }

    /// A whole preimage, whose fields are written one behind the other.
    pub(crate) fn fields(tag: Tag, fields: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut preimage = Self::new(tag);
        fields(&mut preimage.bytes);
        preimage
    }

    /// Appends a list of items.
    #[must_use]
    pub fn with_list<T: Encodable>(mut self, items: &[T]) -> Self {
        alloy_rlp::encode_list(items, &mut self.bytes);
        self
    }

    /// The bytes that are hashed: `rlp([tag, …])`.
    #[must_use]
    pub fn bytes(mut self) -> Vec<u8> {
        let start = write_header(&mut self.bytes);
        self.bytes.split_off(start)
    }

    /// Hashes the preimage.
    #[must_use]
    pub fn hash(mut self) -> B256 {
        let start = write_header(&mut self.bytes);
        B256::from_slice(&Sha256::digest(&self.bytes[start..]))
    }
}

/// Messages that wait for each other before they are hashed: few enough to stay in the nearest cache.
const TOGETHER: usize = 64;

/// Many messages on their way to being hashed together, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Many {
    bytes: Vec<u8>,
    waiting: Vec<Range<usize>>,
    hashes: Vec<B256>,
}

impl Many {
    /// Adds what [`Preimage::fields`] would hash.
    pub(crate) fn add(&mut self, tag: Tag, fields: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.bytes.len();
        self.bytes.resize(begin + HEADER_BYTES_MAX, 0);
        tag.0.encode(&mut self.bytes);
        fields(&mut self.bytes);
        let start = begin + write_header(&mut self.bytes[begin..]);
        self.wait(start..self.bytes.len());
    }

    /// Adds a message that is put together as it is.
    pub(crate) fn add_bytes(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.bytes.len();
        write(&mut self.bytes);
        self.wait(begin..self.bytes.len());
    }

    /// The hash of each, in their order.
    pub(crate) fn hashes(mut self) -> Vec<B256> {
        self.hash_waiting();
        self.hashes
    }

    fn wait(&mut self, message: Range<usize>) {
        self.waiting.push(message);
        if self.waiting.len() == TOGETHER {
            self.hash_waiting();
        }
    }

    fn hash_waiting(&mut self) {
        let waiting = self.waiting.drain(..);
        let messages: Vec<&[u8]> = waiting.map(|range| &self.bytes[range]).collect();
        let hashes = cloverleaf_hashing::sha256_each(&messages);
        self.hashes.extend(hashes);
        self.bytes.clear();
    }
}

/// Writes a list's header into the room before its fields, and returns where it begins.
fn write_header(bytes: &mut [u8]) -> usize {
    let mut buffer = [0; HEADER_BYTES_MAX];
    let header = list_header(bytes.len() - HEADER_BYTES_MAX, &mut buffer);
    let start = HEADER_BYTES_MAX - header.len();
    bytes[start..HEADER_BYTES_MAX].copy_from_slice(header);
    start
}

/// Hashes fields that are already encoded, without copying them: `SHA-256(rlp([tag, encoded]))`.
#[must_use]
pub fn hash_encoded(tag: Tag, encoded: &[u8]) -> B256 {
    let mut start = Vec::with_capacity(16);
    tag.0.encode(&mut start);
    let digest = Sha256::new()
        .chain_update(list_header(
            start.len() + encoded.len(),
            &mut [0; HEADER_BYTES_MAX],
        ))
        .chain_update(&start)
        .chain_update(encoded)
        .finalize();
    B256::from_slice(&digest)
}

/// A transaction's id: `keccak256(raw)`, computed once per machine, when the bytes arrive.
#[must_use]
pub fn transaction_id(raw: &[u8]) -> TransactionId {
    keccak256(raw)
}

/// The ids of many transactions, in their order.
#[must_use]
pub fn transaction_ids<'a>(raws: impl Iterator<Item = &'a [u8]>) -> Vec<TransactionId> {
    cloverleaf_hashing::keccak256_each(&raws.collect::<Vec<_>>())
}

/// A list's header, written into a buffer: small hashes are many, and an allocation costs as much.
fn list_header(payload_length: usize, buffer: &mut [u8; HEADER_BYTES_MAX]) -> &[u8] {
    let header = Header {
        list: true,
        payload_length,
    };
    header.encode(&mut buffer.as_mut_slice());
    &buffer[..header.length()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{bundle_hash, bundle_hashes, leg_hash, leg_hashes, terms_hashes};
    use crate::{ChainId, Terms};

    #[test]
    fn every_tag_is_short_and_its_own() {
        for (position, tag) in Tag::ALL.iter().enumerate() {
            assert!(tag.text().len() <= 11, "K1: {}", tag.text());
            assert!(!Tag::ALL[..position].contains(tag), "{} twice", tag.text());
        }
    }

    #[test]
    fn hashing_encoded_fields_is_hashing_fields() {
        let field = alloy_primitives::Bytes::from_static(&[7; 300]);
        let encoded = alloy_rlp::encode(&field);
        assert_eq!(
            hash_encoded(Tag::BODY, &encoded),
            Preimage::new(Tag::BODY).with(&field).hash()
        );
    }

    #[test]
    fn names_of_many_legs_and_bundles_are_those_of_each_alone() {
        for count in [0, 1, TOGETHER - 1, TOGETHER, TOGETHER + 1, 3 * TOGETHER + 5] {
            let ids: Vec<TransactionId> = (0..count)
                .map(|name| keccak256(name.to_be_bytes()))
                .collect();
            // Legs of none to four transactions, on rollups with short and long names.
            let leg = |name: usize| {
                let name = u64::try_from(name).unwrap();
                ChainId(name << (name % 60))
            };
            let legs = |name: usize| (leg(name), &ids[name..(name + name % 5).min(count)]);
            let alone = (0..count).map(|name| leg_hash(legs(name).0, legs(name).1));
            let alone: Vec<B256> = alone.collect();
            assert_eq!(leg_hashes((0..count).map(legs)), alone);
            let terms = |name: usize| Terms::until(u64::MAX >> (name % 64));
            let all: Vec<Terms> = (0..count).map(terms).collect();
            let alone_terms: Vec<B256> = all.iter().map(Terms::hash).collect();
            assert_eq!(terms_hashes(all.iter()), alone_terms);
            let bundle = |name: usize| (ids[name], &alone[name..(name + name % 3).min(count)]);
            let named = (0..count).map(|name| bundle_hash(bundle(name).0, bundle(name).1));
            assert_eq!(
                bundle_hashes((0..count).map(bundle)),
                named.collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn leg_of_one_transaction_fits_one_sha_block() {
        let leg = Preimage::new(Tag::LEG)
            .with(&u64::MAX)
            .with_list(&[B256::ZERO])
            .bytes();
        assert!(leg.len() <= 55, "K1: {}", leg.len());
    }
}

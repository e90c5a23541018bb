//! Batches: one rollup's slice of a block, encoded once and stored, synced and streamed as such.
//!
//! ```text
//! batch  = rlp(header) ‖ rlp([span, …]) ‖ count × u32 big-endian length ‖ raw transactions
//! header = [version, chain_id, seq, prev_batch_hash, height, timestamp_ms, l1, count, bytes,
//!           txs_root, spans_hash, [author, …]]
//! span   = [manifest, leg, legs, first, count]
//! hash   = H("clv/batch/1", header)      txs_root = tree over transaction ids
//! ```
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::sync::OnceLock;

use alloy_primitives::{Address, B256};
use alloy_rlp::{Decodable, Encodable, RlpDecodable, RlpEncodable};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::cut::L1Ref;
use crate::error::{DecodeError, Mismatch};
use crate::hash::{Preimage, Tag, transaction_ids};
use crate::limits::{BATCH_BYTES_MAX, BATCH_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX};
use crate::merkle;
use crate::unchecked::{Unchecked, Verified};
use crate::{ChainId, Height, NetworkId, TransactionId};

/// Longest encoded batch, in bytes: its transactions, their lengths, its spans and its header.
const BATCH_ENCODED_BYTES_MAX: usize = BATCH_BYTES_MAX + BATCH_BYTES_MAX / 8;

/// What a batch's hash commits to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
#[serde(rename_all = "camelCase")]
pub struct BatchHeader {
    /// The format's version: 1.
    pub version: u8,
    /// The rollup.
    pub chain_id: ChainId,
    /// The batch's number, from 1, without gaps.
    pub seq: u64,
    /// The hash of the batch before it; [`empty_head`] for the first.
    pub prev_batch_hash: B256,
    /// The block it is part of.
    pub height: Height,
    /// The block's time, in milliseconds.
    pub timestamp_ms: u64,
    /// The block's layer-1 block.
    pub l1: L1Ref,
    /// The number of transactions.
    pub count: u32,
    /// Their raw bytes together.
    pub bytes: u64,
    /// The tree over the transactions' ids.
    pub txs_root: B256,
    /// The hash of the spans.
    pub spans_hash: B256,
    /// The authors whose lanes found this rollup full in this block (O3), by rising address.
    pub full: Vec<Address>,
}

/// Which transactions of a batch are a bundle's leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// The bundle's manifest in the block.
    pub manifest: u32,
    /// The leg's position in the bundle.
    pub leg: u32,
    /// How many legs the bundle has.
    pub legs: u32,
    /// The leg's first transaction in the batch.
    pub first: u32,
    /// The leg's number of transactions.
    pub count: u32,
}

/// A rollup's slice of a block.
#[derive(Clone, Debug)]
pub struct Batch {
    header: BatchHeader,
    spans: Vec<Span>,
    /// Parts of `encoded`; of a batch that is built here, made when somebody asks for them.
    transactions: OnceLock<Vec<Bytes>>,
    /// Where the transactions' lengths begin in `encoded`.
    lengths_at: usize,
    hash: B256,
    encoded: Bytes,
}

impl PartialEq for Batch {
    fn eq(&self, other: &Self) -> bool {
        self.encoded == other.encoded
    }
}

impl Eq for Batch {}

/// What a block gives a batch; the rest of the header follows from the transactions.
#[derive(Clone, Debug)]
pub struct BatchDraft {
    /// The rollup.
    pub chain_id: ChainId,
    /// The batch's number.
    pub seq: u64,
    /// The hash of the batch before it.
    pub prev_batch_hash: B256,
    /// The block it is part of.
    pub height: Height,
    /// The block's time, in milliseconds.
    pub timestamp_ms: u64,
    /// The block's layer-1 block.
    pub l1: L1Ref,
    /// The authors newly closed for the rollup, by rising address.
    pub full: Vec<Address>,
}

/// The hash that stands for the head of a rollup without a batch (M3).
#[must_use]
pub fn empty_head(network: NetworkId, chain_id: ChainId) -> B256 {
    Preimage::new(Tag::HEAD)
        .with(&network)
        .with(&chain_id)
        .hash()
}

/// The tree over transaction ids (M2).
#[must_use]
pub fn transactions_root(ids: &[TransactionId]) -> B256 {
    merkle::root(merkle::leaf_hashes(ids))
}

/// `spans_hash` of a batch.
#[must_use]
pub fn spans_hash(spans: &[Span]) -> B256 {
    Preimage::new(Tag::SPANS).with_list(spans).hash()
}

impl BatchHeader {
    /// The format's version.
    pub const VERSION: u8 = 1;

    /// The batch's hash.
    #[must_use]
    pub fn hash(&self) -> B256 {
        Preimage::new(Tag::BATCH).with(self).hash()
    }
}

impl Batch {
    /// Makes the batch of transactions whose ids the caller knows.
    ///
    /// # Panics
    /// The transactions are more than a batch may hold: a block's weight limit is wrong.
    #[must_use]
    pub fn build(
        draft: BatchDraft,
        spans: Vec<Span>,
        transactions: Vec<Bytes>,
        ids: &[TransactionId],
    ) -> Verified<Self> {
        let raws: Vec<&[u8]> = transactions.iter().map(|raw| &**raw).collect();
        Self::build_over(draft, spans, &raws, merkle::leaf_hashes(ids))
    }

    /// The same where the caller knows the leaves of the transactions' tree (M2).
    ///
    /// # Panics
    /// As [`Batch::build`].
    #[must_use]
    pub fn build_over(
        draft: BatchDraft,
        spans: Vec<Span>,
        raws: &[&[u8]],
        leaves: Vec<B256>,
    ) -> Verified<Self> {
        let bytes: usize = raws.iter().map(|raw| raw.len()).sum();
        assert!(
            raws.len() == leaves.len() && bytes <= BATCH_BYTES_MAX,
            "block weight"
        );
        let header = BatchHeader {
            version: BatchHeader::VERSION,
            chain_id: draft.chain_id,
            seq: draft.seq,
            prev_batch_hash: draft.prev_batch_hash,
            height: draft.height,
            timestamp_ms: draft.timestamp_ms,
            l1: draft.l1,
            count: u32::try_from(raws.len()).expect("a block's weight bounds its count"),
            bytes: u64::try_from(bytes).expect("a block's weight bounds its bytes"),
            txs_root: merkle::root(leaves),
            spans_hash: spans_hash(&spans),
            full: draft.full,
        };
        let (encoded, lengths_at) = encode(&header, &spans, raws, bytes);
        Verified(Self {
            hash: header.hash(),
            header,
            spans,
            transactions: OnceLock::new(),
            lengths_at,
            encoded,
        })
    }

    /// Decodes the bytes that a batch is stored and streamed as; its transactions share the buffer.
    ///
    /// # Errors
    /// The bytes are not canonical or beyond a limit.
    pub fn decode(bytes: Bytes) -> Result<Unchecked<Self>, DecodeError> {
        if bytes.len() > BATCH_ENCODED_BYTES_MAX {
            let (length, bytes_max) = (bytes.len(), BATCH_ENCODED_BYTES_MAX);
            return Err(DecodeError::TooLong {
                what: "batch",
                length,
                bytes_max,
            });
        }
        let mut rest: &[u8] = &bytes;
        let header = BatchHeader::decode(&mut rest)?;
        let spans = Vec::<Span>::decode(&mut rest)?;
        if header.version != BatchHeader::VERSION {
            return Err(DecodeError::OutOfRange {
                what: "batch version",
            });
        }
        let transactions = split(&bytes, rest, header.count)?;
        let lengths_at = bytes.len().saturating_sub(rest.len());
        Ok(Unchecked(Self {
            hash: header.hash(),
            header,
            spans,
            transactions: transactions.into(),
            lengths_at,
            encoded: bytes,
        }))
    }

    /// What the hash commits to.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The batch's name.
    #[must_use]
    pub fn hash(&self) -> B256 {
        self.hash
    }

    /// Which transactions are bundles' legs, by rising position.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The raw transactions, in order.
    #[must_use]
    pub fn transactions(&self) -> &[Bytes] {
        self.transactions.get_or_init(|| {
            let body = self.encoded.get(self.lengths_at..).unwrap_or_default();
            split(&self.encoded, body, self.header.count).expect("it was built here")
        })
    }

    /// The ids of the transactions, computed here.
    #[must_use]
    pub fn ids(&self) -> Vec<TransactionId> {
        transaction_ids(self.transactions().iter().map(|raw| &**raw))
    }

    /// The bytes it is stored and streamed as.
    #[must_use]
    pub fn encoded(&self) -> &Bytes {
        &self.encoded
    }
}

impl Unchecked<Batch> {
    /// Checks that the body is what the header commits to; every id is computed again (M2).
    ///
    /// # Errors
    /// The part that does not match, which is the fault of whoever sent the batch.
    pub fn verify(self) -> Result<Verified<Batch>, Mismatch> {
        let batch = self.0;
        let mismatch = |part, commitment| Err(Mismatch { part, commitment });
        let bytes: usize = batch.transactions().iter().map(Bytes::len).sum();
        if u64::try_from(bytes) != Ok(batch.header.bytes) {
            return mismatch("batch's length", "bytes");
        }
        if transactions_root(&batch.ids()) != batch.header.txs_root {
            return mismatch("batch's transactions", "txs_root");
        }
        if spans_hash(&batch.spans) != batch.header.spans_hash {
            return mismatch("batch's spans", "spans_hash");
        }
        if !spans_in_order(&batch.spans, batch.header.count) {
            return mismatch("batch's spans", "transactions");
        }
        Ok(Verified(batch))
    }
}

fn spans_in_order(spans: &[Span], count: u32) -> bool {
    let mut free: u32 = 0;
    spans.iter().all(|span| {
        let end = span.first.saturating_add(span.count);
        let fits = span.first >= free && span.count > 0 && end <= count && span.leg < span.legs;
        free = end;
        fits
    })
}

fn encode(header: &BatchHeader, spans: &[Span], raws: &[&[u8]], bytes: usize) -> (Bytes, usize) {
    let lengths = raws.len().saturating_mul(4);
    let capacity = [
        header.length(),
        alloy_rlp::list_length(spans),
        lengths,
        bytes,
    ];
    let mut encoded = Vec::with_capacity(capacity.iter().sum());
    header.encode(&mut encoded);
    alloy_rlp::encode_list(spans, &mut encoded);
    let lengths_at = encoded.len();
    for raw in raws {
        let length = u32::try_from(raw.len()).expect("a transaction's length is limited");
        encoded.extend_from_slice(&length.to_be_bytes());
    }
    for raw in raws {
        encoded.extend_from_slice(raw);
    }
    (encoded.into(), lengths_at)
}

fn split(whole: &Bytes, rest: &[u8], count: u32) -> Result<Vec<Bytes>, DecodeError> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > BATCH_TRANSACTIONS_MAX {
        let count_max = BATCH_TRANSACTIONS_MAX;
        return Err(DecodeError::TooMany {
            what: "transactions",
            count_max,
        });
    }
    let short = DecodeError::OutOfRange {
        what: "batch length",
    };
    let (lengths, mut raws) = rest
        .split_at_checked(count.saturating_mul(4))
        .ok_or_else(|| short.clone())?;
    let mut transactions = Vec::with_capacity(count);
    for length in lengths.chunks_exact(4) {
        let length: [u8; 4] = length.try_into().map_err(|_| short.clone())?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > TRANSACTION_BYTES_MAX {
            let bytes_max = TRANSACTION_BYTES_MAX;
            return Err(DecodeError::TooLong {
                what: "transaction",
                length,
                bytes_max,
            });
        }
        let (raw, after) = raws.split_at_checked(length).ok_or_else(|| short.clone())?;
        transactions.push(whole.slice_ref(raw));
        raws = after;
    }
    if raws.is_empty() {
        Ok(transactions)
    } else {
        Err(DecodeError::Trailing { bytes: raws.len() })
    }
}

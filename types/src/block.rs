//! Blocks: what was decided, with the proof that it was.
//!
//! ```text
//! block = rlp([header, [cut entry, …], certificate, [manifest, …], [batch, …]])
//! ```
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use bytes::Bytes;

use alloy_primitives::B256;
use alloy_rlp::Encodable;

use crate::batch::{Batch, Span};
use crate::certificate::CommitCertificate;
use crate::codec::Reader;
use crate::cut::{Cut, Header, Value};
use crate::error::{DecodeError, Mismatch};
use crate::hash::transaction_id;
use crate::item::leg_hash;
use crate::limits::{BATCH_BYTES_MAX, BATCH_TRANSACTIONS_MAX};
use crate::manifest::{Manifest, ManifestLeg, bundles_tree};
use crate::unchecked::{Unchecked, Verified};
use crate::{ChainId, Height, TransactionId};

/// Longest encoded block, in bytes: its batches and their framing.
pub const BLOCK_BYTES_MAX: usize = BATCH_BYTES_MAX + BATCH_BYTES_MAX / 4;

/// What is in a block however little it may weigh, in bytes: header, cut and certificate of the largest set
/// of validators, and room.
const BLOCK_FRAME_BYTES_MAX: usize = 1024 * 1024;

/// Longest encoded block where a cut may add so much weight, in bytes.
#[must_use]
pub fn block_bytes_max(block_weight: u64) -> usize {
    let weight = usize::try_from(block_weight).unwrap_or(usize::MAX);
    let bytes = weight.saturating_add(weight / 4);
    bytes
        .saturating_add(BLOCK_FRAME_BYTES_MAX)
        .min(BLOCK_BYTES_MAX)
}

/// A block without the proof that it was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Commits to all else.
    pub header: Header,
    /// How far each lane went.
    pub cut: Cut,
    /// The bundles placed, by index.
    pub manifests: Vec<Manifest>,
    /// One batch for each rollup with a transaction in the block, by rising chain id.
    pub batches: Vec<Batch>,
}

/// A block and the certificate that decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedBlock {
    /// The block.
    pub block: Block,
    /// More than two thirds of the power for its hash.
    pub certificate: CommitCertificate,
}

impl Block {
    /// The block's hash.
    #[must_use]
    pub fn hash(&self) -> B256 {
        self.header.hash()
    }

    /// The batch of a rollup.
    #[must_use]
    pub fn batch(&self, chain_id: ChainId) -> Option<&Batch> {
        let found = self
            .batches
            .binary_search_by_key(&chain_id, |batch| batch.header().chain_id);
        self.batches.get(found.ok()?)
    }

    /// The value that consensus decided.
    #[must_use]
    pub fn value(&self) -> Value {
        Value {
            header: self.header.clone(),
            cut: self.cut.clone(),
        }
    }

    /// The number of transactions.
    #[must_use]
    pub fn transaction_count(&self) -> usize {
        self.batches
            .iter()
            .map(|batch| batch.transactions().len())
            .sum()
    }
}

impl DecidedBlock {
    /// Its position.
    #[must_use]
    pub fn height(&self) -> Height {
        self.block.header.height
    }

    /// The bytes it is sent as.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let batches: Vec<&[u8]> = self
            .block
            .batches
            .iter()
            .map(|batch| batch.encoded().as_ref())
            .collect();
        let lengths = [
            self.block.header.length(),
            self.block.cut.length(),
            self.certificate.length(),
            self.block.manifests.length(),
            alloy_rlp::list_length::<&[u8], [u8]>(&batches),
        ];
        let list = alloy_rlp::Header {
            list: true,
            payload_length: lengths.iter().sum(),
        };
        let mut out = Vec::with_capacity(list.length_with_payload());
        list.encode(&mut out);
        self.block.header.encode(&mut out);
        self.block.cut.encode(&mut out);
        self.certificate.encode(&mut out);
        self.block.manifests.encode(&mut out);
        alloy_rlp::encode_list::<&[u8], [u8]>(&batches, &mut out);
        out.into()
    }

    /// Decodes the bytes it is sent as; batches share the buffer.
    ///
    /// # Errors
    /// The bytes are not canonical or beyond a limit.
    pub fn decode(bytes: Bytes) -> Result<Unchecked<Self>, DecodeError> {
        if bytes.len() > BLOCK_BYTES_MAX {
            let (length, bytes_max) = (bytes.len(), BLOCK_BYTES_MAX);
            return Err(DecodeError::TooLong {
                what: "block",
                length,
                bytes_max,
            });
        }
        let mut reader = Reader::new(&bytes);
        let mut list = reader.list()?;
        let header = list.value()?;
        let cut = list.value()?;
        let certificate = list.value()?;
        let manifests = list.value()?;
        let batches = list.items("batches", BATCH_TRANSACTIONS_MAX, |item| {
            let encoded = item.string("batch", BLOCK_BYTES_MAX)?;
            Ok(Batch::decode(encoded)?.0)
        })?;
        list.finish()?;
        reader.finish()?;
        Ok(Unchecked(Self {
            block: Block {
                header,
                cut,
                manifests,
                batches,
            },
            certificate,
        }))
    }
}

impl Unchecked<DecidedBlock> {
    /// Checks what can be seen without the state: cut and manifests are those that the header commits
    /// to, each batch is that of its own header, and spans and manifests agree. That the batches are
    /// the block's is known only where the heads before it are (M3); the certificate and the state are
    /// checked where the validators and the state are known.
    ///
    /// # Errors
    /// The part that does not match, which is the fault of whoever sent the block.
    pub fn verify_parts(self) -> Result<Verified<DecidedBlock>, Mismatch> {
        let DecidedBlock { block, certificate } = self.0;
        let Block {
            header,
            cut,
            manifests,
            batches,
        } = block;
        let value = Value { header, cut };
        value.check_shape().map_err(|_| Mismatch {
            part: "cut",
            commitment: "cut_hash",
        })?;
        let Value { header, cut } = value;
        if bundles_tree(&manifests).root() != header.bundles_root {
            return Err(Mismatch {
                part: "manifests",
                commitment: "bundles_root",
            });
        }
        let batches = batches
            .into_iter()
            .map(|batch| Unchecked(batch).verify().map(Verified::into_inner))
            .collect::<Result<Vec<_>, _>>()?;
        let block = Block {
            header,
            cut,
            manifests,
            batches,
        };
        check_batches(&block)?;
        check_atomicity(&block)?;
        Ok(Verified(DecidedBlock { block, certificate }))
    }
}

fn check_batches(block: &Block) -> Result<(), Mismatch> {
    let chain_ids = block.batches.iter().map(|batch| batch.header().chain_id);
    if !chain_ids.is_sorted_by(|left, right| left < right) {
        return Err(Mismatch {
            part: "batches",
            commitment: "order by chain id",
        });
    }
    let header = &block.header;
    let same_block = block.batches.iter().all(|batch| {
        let batch = batch.header();
        batch.height == header.height
            && batch.timestamp_ms == header.timestamp_ms
            && batch.l1 == header.l1
    });
    if same_block {
        Ok(())
    } else {
        Err(Mismatch {
            part: "batches",
            commitment: "height and time",
        })
    }
}

/// B5: every leg that a manifest names is a span of the named batch and holds the transactions that
/// the manifest commits to, and there is no other span.
fn check_atomicity(block: &Block) -> Result<(), Mismatch> {
    let mismatch = Mismatch {
        part: "bundles",
        commitment: "spans (B5)",
    };
    for (index, manifest) in block.manifests.iter().enumerate() {
        let mut legs = manifest.legs.iter().enumerate();
        let placed = legs.all(|(position, leg)| is_placed(block, manifest, position, leg));
        if usize::try_from(manifest.index) != Ok(index) || manifest.legs.is_empty() || !placed {
            return Err(mismatch);
        }
    }
    let legs: usize = block.manifests.iter().map(|it| it.legs.len()).sum();
    let spans: usize = block.batches.iter().map(|batch| batch.spans().len()).sum();
    if spans == legs { Ok(()) } else { Err(mismatch) }
}

fn is_placed(block: &Block, manifest: &Manifest, position: usize, leg: &ManifestLeg) -> bool {
    let Some(batch) = block.batch(leg.chain_id) else {
        return false;
    };
    // A verified batch's spans rise and do not overlap, so at most one begins here.
    let spans = batch.spans();
    let found = spans.binary_search_by_key(&leg.first, |span| span.first);
    let Some(span) = found.ok().and_then(|index| spans.get(index)) else {
        return false;
    };
    let is_leg = span.manifest == manifest.index
        && usize::try_from(span.leg) == Ok(position)
        && usize::try_from(span.legs) == Ok(manifest.legs.len())
        && span.count == leg.count;
    batch.header().seq == leg.seq
        && is_leg
        && leg_hash(leg.chain_id, &ids(batch, span)) == leg.leg_hash
}

fn ids(batch: &Batch, span: &Span) -> Vec<TransactionId> {
    let [first, count] =
        [span.first, span.count].map(|it| usize::try_from(it).unwrap_or(usize::MAX));
    let raws = batch.transactions().iter().skip(first).take(count);
    raws.map(|raw| transaction_id(raw)).collect()
}

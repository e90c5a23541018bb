//! `seq_getBatch`: a rollup's slice of a block, with its transactions.

use alloy_primitives::{Address, B256, Bytes};
use cloverleaf_types::{ChainId, Height, Manifest, TransactionId};
use serde::{Deserialize, Serialize};

use super::block::L1;
use super::quantity;

/// A batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// The rollup.
    #[serde(with = "quantity")]
    pub chain_id: ChainId,
    /// Its number, from 1, without gaps.
    #[serde(with = "quantity")]
    pub seq: u64,
    /// Its hash.
    pub hash: B256,
    /// The hash of the batch before it.
    pub prev_batch_hash: B256,
    /// Its block.
    #[serde(with = "quantity")]
    pub height: Height,
    /// The block's time in milliseconds since 1970.
    #[serde(with = "quantity")]
    pub timestamp: u64,
    /// The layer-1 block it refers to; zeros without one.
    pub l1: L1,
    /// The length of its transactions together, in bytes.
    #[serde(with = "quantity")]
    pub bytes: u64,
    /// The tree over the transactions' ids.
    pub txs_root: B256,
    /// The hash of the spans.
    pub spans_hash: B256,
    /// The authors whose lanes found the rollup full in this block.
    pub full: Vec<Address>,
    /// Which transactions are bundles' legs.
    pub spans: Vec<Span>,
    /// The transactions, in order.
    pub transactions: Vec<BatchTransaction>,
}

/// A bundle's leg in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// The bundle's index in the block: with the height it names the bundle on all its rollups.
    pub manifest: u32,
    /// The leg's position in the bundle.
    pub leg: u32,
    /// How many legs the bundle has.
    pub legs: u32,
    /// The leg's first transaction in the batch.
    pub first: u32,
    /// The leg's number of transactions.
    pub count: u32,
    /// The bundle's name, where the manifest was at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_hash: Option<B256>,
}

/// A transaction of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchTransaction {
    /// keccak256 of its raw bytes.
    pub hash: TransactionId,
    /// The rollup's own bytes.
    pub raw: Bytes,
}

impl Batch {
    /// The shape of a batch; `manifests` are those of its block, for the bundles' names.
    #[must_use]
    pub fn of(batch: &cloverleaf_types::Batch, manifests: &[Manifest]) -> Self {
        let header = batch.header();
        let transactions = batch.ids().into_iter().zip(batch.transactions());
        Self {
            chain_id: header.chain_id,
            seq: header.seq,
            hash: batch.hash(),
            prev_batch_hash: header.prev_batch_hash,
            height: header.height,
            timestamp: header.timestamp_ms,
            l1: header.l1.into(),
            bytes: header.bytes,
            txs_root: header.txs_root,
            spans_hash: header.spans_hash,
            full: header.full.clone(),
            spans: batch
                .spans()
                .iter()
                .map(|span| Span::of(span, manifests))
                .collect(),
            transactions: transactions
                .map(|(hash, raw)| BatchTransaction {
                    hash,
                    raw: raw.clone().into(),
                })
                .collect(),
        }
    }
}

impl Span {
    /// The shape of a span; `manifests` are those of its block, as far as they are at hand.
    #[must_use]
    pub fn of(span: &cloverleaf_types::Span, manifests: &[Manifest]) -> Self {
        let manifest = manifests
            .iter()
            .find(|manifest| manifest.index == span.manifest);
        Self {
            manifest: span.manifest,
            leg: span.leg,
            legs: span.legs,
            first: span.first,
            count: span.count,
            bundle_hash: manifest.map(Manifest::bundle_hash),
        }
    }
}

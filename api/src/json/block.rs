//! `seq_getBlock`: a decided block without its transactions.

use alloy_primitives::B256;
use cloverleaf_types::{ChainId, DecidedBlock, Epoch, Height, Manifest, NetworkId, Round};
use cloverleaf_types::{CommitCertificate, L1Ref};
use serde::{Deserialize, Serialize};

use super::quantity;

/// A decided block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    /// The network.
    pub network: NetworkId,
    /// Its position.
    #[serde(with = "quantity")]
    pub height: Height,
    /// Its hash: what the validators decided.
    pub hash: B256,
    /// The hash of the block before it; the network's id for the first.
    pub parent: B256,
    /// The round in which it was first proposed.
    pub round: Round,
    /// Its time in milliseconds since 1970.
    #[serde(with = "quantity")]
    pub timestamp: u64,
    /// The layer-1 block it refers to; zeros without one.
    pub l1: L1,
    /// Commits to the cut.
    pub cut_hash: B256,
    /// The root over all rollups' heads.
    pub heads_root: B256,
    /// The root over the manifests.
    pub bundles_root: B256,
    /// The root over the state.
    pub state_root: B256,
    /// The set that decided it.
    pub validators_hash: B256,
    /// The set that decides the next one.
    pub next_validators_hash: B256,
    /// How far each lane went.
    pub cut: Vec<CutEntry>,
    /// The rollups' batches, by rising chain id.
    pub batches: Vec<BatchSummary>,
    /// The bundles, by index.
    pub bundles: Vec<BundleSummary>,
    /// What decided it, as proofs carry it.
    pub certificate: CommitCertificate,
}

/// A layer-1 block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct L1 {
    /// Its number.
    #[serde(with = "quantity")]
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Its time in **seconds**, as layer 1 has it.
    #[serde(with = "quantity")]
    pub timestamp: u64,
}

/// How far a lane went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CutEntry {
    /// The lane: its author's position in the validator set.
    pub lane: u32,
    /// The epoch of the last parcel taken.
    #[serde(with = "quantity")]
    pub epoch: Epoch,
    /// The number of the last parcel taken.
    #[serde(with = "quantity")]
    pub seq: u64,
    /// The hash of the last parcel taken.
    pub parcel_hash: B256,
    /// The height that its author had applied.
    #[serde(with = "quantity")]
    pub seen: Height,
}

/// A rollup's batch in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchSummary {
    /// The rollup.
    #[serde(with = "quantity")]
    pub chain_id: ChainId,
    /// The batch's number.
    #[serde(with = "quantity")]
    pub seq: u64,
    /// Its hash.
    pub hash: B256,
    /// Its number of transactions.
    pub count: u32,
    /// Their length together, in bytes.
    #[serde(with = "quantity")]
    pub bytes: u64,
}

/// A bundle in a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleSummary {
    /// The bundle's name.
    pub bundle_hash: B256,
    /// Where its legs are, as proofs carry it.
    pub manifest: Manifest,
}

impl Block {
    /// The shape of a decided block.
    #[must_use]
    pub fn of(decided: &DecidedBlock) -> Self {
        let block = &decided.block;
        let header = &block.header;
        Self {
            network: header.network,
            height: header.height,
            hash: block.hash(),
            parent: header.parent,
            round: header.round,
            timestamp: header.timestamp_ms,
            l1: header.l1.into(),
            cut_hash: header.cut_hash,
            heads_root: header.heads_root,
            bundles_root: header.bundles_root,
            state_root: header.state_root,
            validators_hash: header.validators_hash,
            next_validators_hash: header.next_validators_hash,
            cut: block.cut.iter().map(CutEntry::from).collect(),
            batches: block.batches.iter().map(BatchSummary::from).collect(),
            bundles: block.manifests.iter().map(BundleSummary::from).collect(),
            certificate: decided.certificate.clone(),
        }
    }
}

impl From<L1Ref> for L1 {
    fn from(l1: L1Ref) -> Self {
        Self {
            number: l1.number,
            hash: l1.hash,
            timestamp: l1.timestamp,
        }
    }
}

impl From<&cloverleaf_types::CutEntry> for CutEntry {
    fn from(entry: &cloverleaf_types::CutEntry) -> Self {
        Self {
            lane: entry.lane,
            epoch: entry.epoch,
            seq: entry.seq,
            parcel_hash: entry.parcel_hash,
            seen: entry.seen,
        }
    }
}

impl From<&cloverleaf_types::Batch> for BatchSummary {
    fn from(batch: &cloverleaf_types::Batch) -> Self {
        let header = batch.header();
        Self {
            chain_id: header.chain_id,
            seq: header.seq,
            hash: batch.hash(),
            count: header.count,
            bytes: header.bytes,
        }
    }
}

impl From<&Manifest> for BundleSummary {
    fn from(manifest: &Manifest) -> Self {
        Self {
            bundle_hash: manifest.bundle_hash(),
            manifest: manifest.clone(),
        }
    }
}

//! Manifests: what a block says of a bundle in it (M1).

use alloy_primitives::B256;
use alloy_rlp::{Encodable as _, RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::ChainId;
use crate::hash::Many;
use crate::item::{Atomicity, bundle_hash};
use crate::merkle;

/// Where a bundle's legs are. It shows all of them, so that one rollup alone can see that its leg
/// did not come without the others.
///
/// ```text
/// rlp([index, terms_hash, atomicity, [[chain_id, seq, first, count, leg_hash], …]])
/// ```
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Its position among the block's manifests.
    pub index: u32,
    /// The hash of the bundle's terms.
    pub terms_hash: B256,
    /// What the legs promise each other.
    pub atomicity: Atomicity,
    /// The legs, in listed order.
    pub legs: Vec<ManifestLeg>,
}

/// Where one leg is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestLeg {
    /// The rollup.
    pub chain_id: ChainId,
    /// The rollup's batch.
    pub seq: u64,
    /// The leg's first transaction in the batch.
    pub first: u32,
    /// The leg's number of transactions.
    pub count: u32,
    /// The hash of the leg's transaction ids.
    pub leg_hash: B256,
}

impl Manifest {
    /// The name of the bundle (M1).
    #[must_use]
    pub fn bundle_hash(&self) -> B256 {
        let legs: Vec<B256> = self.legs.iter().map(|leg| leg.leg_hash).collect();
        bundle_hash(self.terms_hash, &legs)
    }

    /// Its leaf in the block's tree of bundles (M2).
    #[must_use]
    pub fn leaf_hash(&self) -> B256 {
        merkle::leaf_hash(&alloy_rlp::encode(self))
    }
}

/// The tree over a block's manifests.
#[must_use]
pub fn bundles_tree(manifests: &[Manifest]) -> merkle::Tree {
    let mut leaves = Many::default();
    for manifest in manifests {
        leaves.add_bytes(|out| {
            out.push(merkle::LEAF);
            manifest.encode(out);
        });
    }
    merkle::Tree::new(leaves.hashes())
}

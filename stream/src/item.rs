//! What streams carry.

use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_types::manifest::bundles_tree;
use cloverleaf_types::merkle::{Branch, Tree};
use cloverleaf_types::{ChainId, CommitCertificate, DecidedBlock, Header, Height, Manifest};

/// Memory that an item takes beyond its batch, in bytes: an estimate, for limits only.
const ITEM_BYTES: usize = 512;

/// Memory that one signature of a certificate takes, in bytes. The items of a block share it, and may be
/// dropped apart.
const SIGNATURE_BYTES: usize = 72;

/// Memory that one step of a branch takes, in bytes.
const BRANCH_STEP_BYTES: usize = 33;

/// Memory that one leg of a manifest takes, in bytes.
const MANIFEST_LEG_BYTES: usize = 64;

/// Something that has a place in a sequence without gaps.
pub trait Positioned: Send + Sync + 'static {
    /// Its place, from 1.
    fn position(&self) -> u64;

    /// About how much memory it takes, in bytes.
    fn memory_bytes(&self) -> usize;
}

/// A rollup's batch, with all that is needed to prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamItem {
    /// The rollup.
    pub chain_id: ChainId,
    /// The batch's number.
    pub seq: u64,
    /// The batch as it is stored; `types::Batch::decode` reads it.
    pub batch: Bytes,
    /// The header of the batch's block.
    pub header: Arc<Header>,
    /// What decided the block.
    pub certificate: Arc<CommitCertificate>,
    /// From the head that the batch makes to the header's `heads_root`.
    pub branch: Branch,
    /// The bundles with a leg in the batch, in the order of its spans.
    pub bundles: Vec<Inclusion>,
}

/// A bundle, and the way from it to its block's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// Where its legs are.
    pub manifest: Manifest,
    /// From the manifest to the header's `bundles_root`.
    pub branch: Branch,
}

/// A decided block, for followers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamBlock {
    /// Its position.
    pub height: Height,
    /// The block as it is sent; `types::DecidedBlock::decode` reads it.
    pub encoded: Bytes,
}

/// The bundles that have a leg on the rollup: by B5 those that its batch's spans refer to, and by B6
/// in the order of the spans. `manifests` are all of the block, `tree` is the one over them.
///
/// # Panics
/// The tree is another block's.
#[must_use]
pub fn bundles_of(chain_id: ChainId, manifests: &[Manifest], tree: &Tree) -> Vec<Inclusion> {
    let concerns = |manifest: &Manifest| manifest.legs.iter().any(|leg| leg.chain_id == chain_id);
    let concerned = manifests
        .iter()
        .enumerate()
        .filter(|(_, manifest)| concerns(manifest));
    let included = concerned.map(|(index, manifest)| Inclusion {
        manifest: manifest.clone(),
        branch: tree.branch(index).expect("the tree has a leaf a manifest"),
    });
    included.collect()
}

impl StreamItem {
    /// The items of a block, one a batch; `branches` are those of the batches' heads.
    ///
    /// # Panics
    /// There are not as many branches as batches: the committer has them from one computation.
    #[must_use]
    pub fn of_block(decided: &DecidedBlock, branches: &[Branch]) -> Vec<Arc<Self>> {
        let block = &decided.block;
        assert_eq!(block.batches.len(), branches.len(), "a branch a batch");
        let header = Arc::new(block.header.clone());
        let certificate = Arc::new(decided.certificate.clone());
        let bundles = bundles_tree(&block.manifests);
        let batches = block.batches.iter().zip(branches);
        let items = batches.map(|(batch, branch)| {
            let chain_id = batch.header().chain_id;
            Arc::new(Self {
                chain_id,
                seq: batch.header().seq,
                batch: batch.encoded().clone(),
                header: Arc::clone(&header),
                certificate: Arc::clone(&certificate),
                branch: branch.clone(),
                bundles: bundles_of(chain_id, &block.manifests, &bundles),
            })
        });
        items.collect()
    }
}

impl Positioned for StreamItem {
    fn position(&self) -> u64 {
        self.seq
    }

    fn memory_bytes(&self) -> usize {
        let bundles = self.bundles.iter();
        let bundles = bundles.map(|bundle| (bundle.manifest.legs.len(), bundle.branch.len()));
        let (legs, steps) = bundles.fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
        let proof = (self.branch.len() + steps) * BRANCH_STEP_BYTES + legs * MANIFEST_LEG_BYTES;
        let certificate = self.certificate.signatures.len() * SIGNATURE_BYTES;
        self.batch.len() + proof + certificate + ITEM_BYTES
    }
}

impl Positioned for StreamBlock {
    fn position(&self) -> u64 {
        self.height.0
    }

    fn memory_bytes(&self) -> usize {
        self.encoded.len() + ITEM_BYTES
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::merkle::root_of_branch;
    use cloverleaf_types::{Atomicity, B256, ManifestLeg};

    use super::*;

    fn manifest(index: u32, chain_ids: &[u64]) -> Manifest {
        let leg = |chain_id: &u64| ManifestLeg {
            chain_id: ChainId(*chain_id),
            seq: 1,
            first: index,
            count: 1,
            leg_hash: B256::ZERO,
        };
        Manifest {
            index,
            terms_hash: B256::ZERO,
            atomicity: Atomicity::Inclusion,
            legs: chain_ids.iter().map(leg).collect(),
        }
    }

    #[test]
    fn rollup_gets_the_bundles_with_a_leg_on_it_and_the_way_to_the_root() {
        let manifests = [
            manifest(0, &[1, 2]),
            manifest(1, &[2, 3]),
            manifest(2, &[3, 1]),
        ];
        let tree = bundles_tree(&manifests);
        let included = bundles_of(ChainId(1), &manifests, &tree);
        let indexes: Vec<u32> = included
            .iter()
            .map(|bundle| bundle.manifest.index)
            .collect();
        assert_eq!(indexes, [0, 2]);
        for Inclusion { manifest, branch } in &included {
            assert_eq!(root_of_branch(manifest.leaf_hash(), branch), tree.root());
        }
        assert!(bundles_of(ChainId(4), &manifests, &tree).is_empty());
    }
}

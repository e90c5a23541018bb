//! What streams carry.

use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_types::merkle::Branch;
use cloverleaf_types::{ChainId, CommitCertificate, DecidedBlock, Header, Height, Manifest};

/// Memory that an item takes beyond its batch, in bytes: an estimate, for limits only.
const ITEM_BYTES: usize = 512;

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
    /// The manifests with a leg in the batch.
    pub bundles: Vec<Manifest>,
}

/// A decided block, for followers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamBlock {
    /// Its position.
    pub height: Height,
    /// The block as it is sent; `types::DecidedBlock::decode` reads it.
    pub encoded: Bytes,
}

/// The manifests that have a leg on the rollup: by B5 those that its batch's spans refer to.
#[must_use]
pub fn bundles_of(chain_id: ChainId, manifests: &[Manifest]) -> Vec<Manifest> {
    let concerns = |manifest: &&Manifest| manifest.legs.iter().any(|leg| leg.chain_id == chain_id);
    manifests.iter().filter(concerns).cloned().collect()
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
                bundles: bundles_of(chain_id, &block.manifests),
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
        let legs: usize = self.bundles.iter().map(|bundle| bundle.legs.len()).sum();
        let proof = self.branch.len() * BRANCH_STEP_BYTES + legs * MANIFEST_LEG_BYTES;
        self.batch.len() + proof + ITEM_BYTES
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

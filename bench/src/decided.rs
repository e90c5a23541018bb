//! A decided block of bundles, and what proves one of them.

use std::sync::Arc;

use cloverleaf_bundle::Window;
use cloverleaf_consensus::LocalSigner;
use cloverleaf_types::manifest::bundles_tree;
use cloverleaf_types::proof::BundleProof;
use cloverleaf_types::vote::{VoteKind, vote_digest};
use cloverleaf_types::{
    Block, CommitCertificate, CommitSignature, Parameters, Round, Signer as _, TransactionId,
    TrustRoot,
};

use crate::next_block::NextBlock;
use crate::workload::{Workload, keys, network};

/// How many validators decide.
const VALIDATORS: usize = 4;

/// A block under a quorum's signatures, and what a light client knows of its network.
#[derive(Clone, Debug)]
pub struct Decided {
    /// Where verification begins.
    pub trust: TrustRoot,
    /// The block.
    pub block: Block,
    /// Its certificate.
    pub certificate: CommitCertificate,
    ids: Vec<Vec<TransactionId>>,
}

impl Decided {
    /// The workload as a block, by as many of four validators as it takes.
    #[must_use]
    pub fn new(workload: Workload) -> Self {
        let workload = Workload {
            lanes: VALIDATORS,
            ..workload
        };
        let next = NextBlock::new(workload);
        let ordered = next.checked(&Window::new(Parameters::default().replay_window_ms));
        let keys = keys(VALIDATORS);
        let genesis = network(&keys, workload.rollups, *next.parent.parameters());
        let trust = TrustRoot::genesis(&genesis).expect("a network that can begin");
        let certificate = certify(&ordered.block, &keys, &trust);
        Self {
            trust,
            certificate,
            block: ordered.block,
            ids: ordered.ids,
        }
    }

    /// What proves a bundle.
    ///
    /// # Panics
    /// There is no such bundle.
    #[must_use]
    pub fn bundle_proof(&self, index: usize) -> BundleProof {
        let manifest = self.block.manifests[index].clone();
        let legs = manifest.legs.iter().map(|leg| {
            let mut batches = self.block.batches.iter().zip(&self.ids);
            let found = batches.find(|(batch, _)| batch.header().chain_id == leg.chain_id);
            let (_, ids) = found.expect("a leg's batch is in its block");
            ids[leg.first as usize..][..leg.count as usize].to_vec()
        });
        BundleProof {
            bundle_hash: manifest.bundle_hash(),
            header: self.block.header.clone(),
            certificate: self.certificate.clone(),
            legs: legs.collect(),
            branch: bundles_tree(&self.block.manifests)
                .branch(index)
                .expect("it is one of them"),
            manifest,
        }
    }
}

/// The signatures of as many validators as a quorum takes.
pub(crate) fn certify(
    block: &Block,
    keys: &[Arc<LocalSigner>],
    trust: &TrustRoot,
) -> CommitCertificate {
    let (height, round, block_hash) = (block.header.height, Round::FIRST, block.hash());
    let kind = VoteKind::Precommit;
    let digest = vote_digest(trust.network, height, round, kind, Some(block_hash));
    let signatures = keys.iter().map(|key| CommitSignature {
        index: trust
            .validators
            .index_of(key.address())
            .expect("a validator"),
        signature: key.sign(digest),
    });
    let mut signatures: Vec<CommitSignature> = signatures.collect();
    signatures.sort_unstable_by_key(|signature| signature.index);
    signatures.truncate(keys.len() * 2 / 3 + 1);
    CommitCertificate {
        height,
        round,
        block_hash,
        signatures,
    }
}

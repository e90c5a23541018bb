//! Blocks that are consistent in themselves: hashes, roots and branches are real, signatures are
//! not.

use bytes::Bytes;
use cloverleaf_types::batch::Batch;
use cloverleaf_types::cut::cut_hash;
use cloverleaf_types::item::leg_hash;
use cloverleaf_types::manifest::bundles_tree;
use cloverleaf_types::merkle::{Branch, Tree};
use cloverleaf_types::{
    B256, BatchDraft, Block, ChainId, CommitCertificate, CommitSignature, DecidedBlock, Head,
    Header, Height, L1Ref, Manifest, ManifestLeg, NetworkId, Round, Signature, Span, TransactionId,
    transaction_id,
};

use crate::Commit;

pub(super) const NETWORK: NetworkId = B256::repeat_byte(7);

/// The registered rollups, after chain 0.
pub(super) const ROLLUPS: [ChainId; 3] = [ChainId(901), ChainId(902), ChainId(u64::MAX)];

/// A chain of blocks, each made from the one before.
pub(super) struct Chain {
    heads: Vec<Head>,
    height: Height,
    parent: B256,
}

/// A block and what is committed with it.
pub(super) struct Decided {
    pub(super) block: DecidedBlock,
    pub(super) ids: Vec<Vec<TransactionId>>,
    pub(super) branches: Vec<Branch>,
    pub(super) state: Vec<u8>,
}

impl Decided {
    pub(super) fn commit(&self) -> Commit<'_> {
        Commit {
            block: &self.block,
            ids: &self.ids,
            branches: &self.branches,
            state: &self.state,
        }
    }

    pub(super) fn height(&self) -> Height {
        self.block.height()
    }

    pub(super) fn batch(&self, chain_id: ChainId) -> &Batch {
        self.block.block.batch(chain_id).unwrap()
    }
}

impl Chain {
    pub(super) fn new() -> Self {
        let chains = [ChainId::CONTROL].into_iter().chain(ROLLUPS);
        Self {
            heads: chains
                .map(|chain_id| Head::empty(NETWORK, chain_id))
                .collect(),
            height: Height::GENESIS,
            parent: NETWORK,
        }
    }

    /// A block with two transactions for each rollup, the first of them a leg of one bundle.
    pub(super) fn next_usual(&mut self) -> Decided {
        let next = self.height.next();
        let raw = |chain_id: ChainId, index| Bytes::from(format!("{chain_id}/{next}/{index}"));
        let transactions =
            ROLLUPS.map(|chain_id| (chain_id, vec![raw(chain_id, 0), raw(chain_id, 1)]));
        self.next_with(&transactions)
    }

    /// A block with these transactions, by rising chain id; the first of each rollup is a leg of
    /// one bundle.
    pub(super) fn next_with(&mut self, transactions: &[(ChainId, Vec<Bytes>)]) -> Decided {
        self.next_shown(transactions, |_| {})
    }

    /// The same, with batches that show something else of the bundle than its manifest says.
    pub(super) fn next_shown(
        &mut self,
        transactions: &[(ChainId, Vec<Bytes>)],
        change: impl Fn(&mut Vec<Span>),
    ) -> Decided {
        self.height = self.height.next();
        let ids: Vec<Vec<TransactionId>> = transactions
            .iter()
            .map(|(_, raws)| raws.iter().map(|raw| transaction_id(raw)).collect())
            .collect();
        let manifests = self.manifests(transactions, &ids);
        let legs = u32::try_from(transactions.len()).unwrap();
        let mut batches = Vec::new();
        for (leg, ((chain_id, raws), ids)) in (0..legs).zip(transactions.iter().zip(&ids)) {
            let span = Span {
                manifest: 0,
                leg,
                legs,
                first: 0,
                count: 1,
            };
            let draft = self.draft(*chain_id);
            let mut spans = vec![span];
            change(&mut spans);
            let batch = Batch::build(draft, spans, raws.clone(), ids).into_inner();
            *self.head(*chain_id) = Head::of(batch.header());
            batches.push(batch);
        }
        let tree = Tree::new(self.heads.iter().map(Head::leaf_hash).collect());
        let branches = transactions.iter().map(|(chain_id, _)| {
            let index = self
                .heads
                .iter()
                .position(|head| head.chain_id == *chain_id);
            tree.branch(index.unwrap()).unwrap()
        });
        Decided {
            branches: branches.collect(),
            block: self.decide(manifests, batches, tree.root()),
            ids,
            state: format!("state after {}", self.height).into_bytes(),
        }
    }

    fn decide(
        &mut self,
        manifests: Vec<Manifest>,
        batches: Vec<Batch>,
        heads_root: B256,
    ) -> DecidedBlock {
        let header = Header {
            version: Header::VERSION,
            network: NETWORK,
            height: self.height,
            round: Round::FIRST,
            timestamp_ms: self.height.0 * 1_000,
            parent: self.parent,
            l1: L1Ref::default(),
            cut_hash: cut_hash(&[]),
            heads_root,
            bundles_root: bundles_tree(&manifests).root(),
            state_root: B256::repeat_byte(3),
            validators_hash: B256::repeat_byte(4),
            next_validators_hash: B256::repeat_byte(4),
        };
        self.parent = header.hash();
        let signature = CommitSignature {
            index: 0,
            signature: Signature::from_parts(&[1; 32], &[2; 32], false),
        };
        let certificate = CommitCertificate {
            height: self.height,
            round: Round::FIRST,
            block_hash: self.parent,
            signatures: vec![signature],
        };
        let block = Block {
            header,
            cut: Vec::new(),
            manifests,
            batches,
        };
        DecidedBlock { block, certificate }
    }

    fn manifests(
        &self,
        transactions: &[(ChainId, Vec<Bytes>)],
        ids: &[Vec<TransactionId>],
    ) -> Vec<Manifest> {
        let legs = transactions
            .iter()
            .zip(ids)
            .map(|((chain_id, _), ids)| ManifestLeg {
                chain_id: *chain_id,
                seq: self.draft(*chain_id).seq,
                first: 0,
                count: 1,
                leg_hash: leg_hash(*chain_id, &ids[..1]),
            });
        let manifest = Manifest {
            index: 0,
            terms_hash: B256::repeat_byte(5),
            atomicity: Default::default(),
            legs: legs.collect(),
        };
        if transactions.is_empty() {
            Vec::new()
        } else {
            vec![manifest]
        }
    }

    fn draft(&self, chain_id: ChainId) -> BatchDraft {
        let head = self
            .heads
            .iter()
            .find(|head| head.chain_id == chain_id)
            .unwrap();
        BatchDraft {
            chain_id,
            seq: head.seq + 1,
            prev_batch_hash: head.batch_hash,
            height: self.height,
            timestamp_ms: self.height.0 * 1_000,
            l1: L1Ref::default(),
            full: Vec::new(),
        }
    }

    fn head(&mut self, chain_id: ChainId) -> &mut Head {
        let mut heads = self.heads.iter_mut();
        heads.find(|head| head.chain_id == chain_id).unwrap()
    }
}

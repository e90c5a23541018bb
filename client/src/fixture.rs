//! A small network for tests: four validators with real keys, rollups 901 to 903.

use std::collections::BTreeMap;

use alloy_consensus::crypto::secp256k1::sign_message;
use alloy_primitives::{Address, B256, keccak256};
use cloverleaf_api::json::{BatchOutput, Span as JsonSpan, TransactionOutcome};
use cloverleaf_api::proto::stream::v1::BatchItem;
use cloverleaf_api::wire::{self, BlockProof};
use cloverleaf_types::item::leg_hash;
use cloverleaf_types::manifest::{ManifestLeg, bundles_tree};
use cloverleaf_types::merkle::Tree;
use cloverleaf_types::proof::{BundleProof, HeadProof};
use cloverleaf_types::vote::{VoteKind, vote_digest};
use cloverleaf_types::{
    Action, Atomicity, Batch, BatchDraft, ChainId, CommitCertificate, CommitSignature,
    ControlDraft, ControlTransaction, Head, Header, Height, L1Ref, Manifest, Round, Secp256k1,
    Signature, Span, Terms, TrustRoot, Validator, ValidatorChange, ValidatorSet, transaction_id,
};
use hyper::body::Bytes;

pub(crate) const A: ChainId = ChainId(901);
pub(crate) const B: ChainId = ChainId(902);
pub(crate) const C: ChainId = ChainId(903);

/// A rollup and its transactions, in words.
pub(crate) type Leg<'a> = (ChainId, &'a [&'a str]);

/// The network and its latest state.
pub(crate) struct Network {
    pub(crate) trust: TrustRoot,
    /// Who decides, as the blocks so far say.
    now: TrustRoot,
    keys: BTreeMap<Address, B256>,
    pub(crate) heads: Vec<Head>,
    parent: B256,
    height: Height,
    /// When it began, in milliseconds since 1970: a block comes every 200 ms after that.
    pub(crate) start_ms: u64,
}

/// A decided block with all its proofs.
#[derive(Clone)]
pub(crate) struct Block {
    pub(crate) header: Header,
    pub(crate) certificate: CommitCertificate,
    pub(crate) batches: BTreeMap<ChainId, Batch>,
    pub(crate) manifests: Vec<Manifest>,
    heads: Vec<Head>,
}

/// A block on its way.
#[derive(Default)]
struct Draft {
    raws: BTreeMap<ChainId, Vec<Bytes>>,
    spans: BTreeMap<ChainId, Vec<Span>>,
    manifests: Vec<Manifest>,
}

fn key(number: u8) -> B256 {
    B256::repeat_byte(number)
}

fn sign(key: B256, digest: B256) -> Signature {
    let signature = sign_message(key, digest).unwrap();
    let (r, s) = (signature.r().to_be_bytes(), signature.s().to_be_bytes());
    Signature::from_parts(&r, &s, signature.v())
}

fn address_of(key: B256) -> Address {
    let digest = keccak256(b"whose key");
    cloverleaf_types::Recover::recover(&Secp256k1, digest, &sign(key, digest)).unwrap()
}

impl Network {
    pub(crate) fn new() -> Self {
        Self::with_keys([1, 2, 3, 4])
    }

    /// The network of the same name under other validators.
    pub(crate) fn with_keys(numbers: [u8; 4]) -> Self {
        let network = keccak256(b"test network");
        let keys = numbers.map(|number| (address_of(key(number)), key(number)));
        let validators = keys.map(|(address, _)| Validator {
            address,
            power: 1,
            peer_id: address.to_string(),
        });
        let validators = ValidatorSet::new(validators.to_vec()).unwrap();
        let trust = TrustRoot {
            network,
            height: Height::GENESIS,
            time_ms: 0,
            trust_period_ms: u64::MAX,
            validators,
            scheduled: Vec::new(),
            control: Head::empty(network, ChainId::CONTROL),
        };
        let chains = [ChainId::CONTROL, A, B, C];
        Self {
            now: trust.clone(),
            trust,
            keys: keys.into(),
            heads: chains
                .map(|chain_id| Head::empty(network, chain_id))
                .to_vec(),
            parent: network,
            height: Height::GENESIS,
            start_ms: 0,
        }
    }

    pub(crate) fn head(&self, chain_id: ChainId) -> Head {
        *self
            .heads
            .iter()
            .find(|head| head.chain_id == chain_id)
            .unwrap()
    }

    /// Decides a block of bundles; a single leg whose name begins with `-` is no bundle but plain
    /// transactions.
    pub(crate) fn block(&mut self, bundles: &[&[Leg<'_>]]) -> Block {
        let mut draft = Draft::default();
        for bundle in bundles {
            self.place(bundle, &mut draft);
        }
        self.decide(draft)
    }

    fn decide(&mut self, draft: Draft) -> Block {
        self.height = self.height.next();
        let batches: BTreeMap<ChainId, Batch> = draft
            .raws
            .iter()
            .map(|(id, raws)| (*id, self.batch(*id, raws, &draft)))
            .collect();
        for head in &mut self.heads {
            if let Some(batch) = batches.get(&head.chain_id) {
                *head = Head::of(batch.header());
            }
        }
        let header = self.header(&draft.manifests);
        self.parent = header.hash();
        let certificate = self.certificate(&header, self.quorum());
        Block {
            header,
            certificate,
            batches,
            manifests: draft.manifests,
            heads: self.heads.clone(),
        }
    }

    /// The validator of a key: its address.
    pub(crate) fn validator(&mut self, number: u8) -> Address {
        let address = address_of(key(number));
        self.keys.insert(address, key(number));
        address
    }

    /// Decides a block that changes a validator's power two heights later, with a batch of A.
    pub(crate) fn change(&mut self, number: u8, power: u64) -> Block {
        let address = self.validator(number);
        let peer_id = if power > 0 {
            address.to_string()
        } else {
            String::new()
        };
        let change = ValidatorChange {
            address,
            power,
            peer_id,
            effective: Height(self.height.0 + 3),
        };
        let draft = ControlDraft {
            nonce: 0,
            action: Action::ScheduleValidator(change),
        };
        let transaction = ControlTransaction {
            signer: Address::ZERO,
            draft,
            signature: Signature([0; 65].into()),
        };
        let mut draft = Draft::default();
        let raw = Bytes::from(transaction.encode());
        draft.raws.insert(ChainId::CONTROL, vec![raw]);
        self.place(&[(A, &[&format!("-{number}/{power}")])], &mut draft);
        let block = self.decide(draft);
        let control = &block.batches[&ChainId::CONTROL];
        self.now.follow(control).unwrap();
        block
    }

    /// Decides a block with nothing in it.
    pub(crate) fn empty_block(&mut self) -> Block {
        self.block(&[])
    }

    /// How many validators of power 1 decide the height.
    fn quorum(&self) -> usize {
        self.now.set_at(self.height).len() * 2 / 3 + 1
    }

    fn place(&self, bundle: &[Leg<'_>], draft: &mut Draft) {
        let is_plain = bundle[0].1[0].starts_with('-');
        let index = u32::try_from(draft.manifests.len()).unwrap();
        let legs = u32::try_from(bundle.len()).unwrap();
        let mut manifest_legs = Vec::new();
        for (leg, (chain_id, texts)) in (0..).zip(bundle) {
            let raws = draft.raws.entry(*chain_id).or_default();
            let first = u32::try_from(raws.len()).unwrap();
            let count = u32::try_from(texts.len()).unwrap();
            raws.extend(
                texts
                    .iter()
                    .map(|text| Bytes::copy_from_slice(text.as_bytes())),
            );
            let ids: Vec<B256> = texts
                .iter()
                .map(|text| transaction_id(text.as_bytes()))
                .collect();
            let leg_hash = leg_hash(*chain_id, &ids);
            let seq = self.head(*chain_id).seq + 1;
            manifest_legs.push(ManifestLeg {
                chain_id: *chain_id,
                seq,
                first,
                count,
                leg_hash,
            });
            if !is_plain {
                let span = Span {
                    manifest: index,
                    leg,
                    legs,
                    first,
                    count,
                };
                draft.spans.entry(*chain_id).or_default().push(span);
            }
        }
        if !is_plain {
            let terms_hash = Terms::until(1_000).hash();
            let atomicity = Atomicity::Inclusion;
            draft.manifests.push(Manifest {
                index,
                terms_hash,
                atomicity,
                legs: manifest_legs,
            });
        }
    }

    fn batch(&self, chain_id: ChainId, raws: &[Bytes], draft: &Draft) -> Batch {
        let head = self.head(chain_id);
        let batch = BatchDraft {
            chain_id,
            seq: head.seq + 1,
            prev_batch_hash: head.batch_hash,
            height: self.height,
            timestamp_ms: self.start_ms + self.height.0 * 200,
            l1: L1Ref::default(),
            full: vec![],
        };
        let spans = draft.spans.get(&chain_id).cloned().unwrap_or_default();
        let ids: Vec<B256> = raws.iter().map(|raw| transaction_id(raw)).collect();
        Batch::build(batch, spans, raws.to_vec(), &ids).into_inner()
    }

    fn header(&self, manifests: &[Manifest]) -> Header {
        let [set, next_set] =
            [self.height, self.height.next()].map(|height| self.now.set_at(height).hash());
        Header {
            version: Header::VERSION,
            network: self.trust.network,
            height: self.height,
            round: Round::FIRST,
            timestamp_ms: self.start_ms + self.height.0 * 200,
            parent: self.parent,
            l1: L1Ref::default(),
            cut_hash: B256::ZERO,
            heads_root: heads_tree(&self.heads).root(),
            bundles_root: bundles_tree(manifests).root(),
            state_root: B256::ZERO,
            validators_hash: set,
            next_validators_hash: next_set,
        }
    }

    /// The first `signers` validators of its height decide a header.
    pub(crate) fn certificate(&self, header: &Header, signers: usize) -> CommitCertificate {
        let set = self.now.set_at(header.height);
        self.certificate_by(&set, header, signers)
    }

    /// The first `signers` of a set sign a header.
    pub(crate) fn certificate_by(
        &self,
        set: &ValidatorSet,
        header: &Header,
        signers: usize,
    ) -> CommitCertificate {
        let (height, round, block_hash) = (header.height, Round(1), header.hash());
        let network = self.trust.network;
        let digest = vote_digest(
            network,
            height,
            round,
            VoteKind::Precommit,
            Some(block_hash),
        );
        let signers = (0..).zip(set.validators()).take(signers);
        let signatures = signers.map(|(index, validator)| CommitSignature {
            index,
            signature: sign(self.keys[&validator.address], digest),
        });
        CommitCertificate {
            height,
            round,
            block_hash,
            signatures: signatures.collect(),
        }
    }
}

fn heads_tree(heads: &[Head]) -> Tree {
    Tree::new(heads.iter().map(Head::leaf_hash).collect())
}

impl Block {
    pub(crate) fn proof(&self, chain_id: ChainId) -> BlockProof {
        let position = self
            .heads
            .iter()
            .position(|head| head.chain_id == chain_id)
            .unwrap();
        BlockProof {
            header: self.header.clone(),
            certificate: self.certificate.clone(),
            head_branch: heads_tree(&self.heads).branch(position).unwrap(),
        }
    }

    /// The rollup's stream item with its proof.
    pub(crate) fn item(&self, chain_id: ChainId) -> BatchItem {
        let batch = &self.batches[&chain_id];
        let bundles = wire::inclusions(batch.spans(), &self.manifests).unwrap();
        wire::encode_item(
            batch.encoded().clone(),
            Some(&self.proof(chain_id)),
            &bundles,
        )
    }

    /// The rollup's stream item without a proof.
    pub(crate) fn bare_item(&self, chain_id: ChainId) -> BatchItem {
        wire::encode_item(self.batches[&chain_id].encoded().clone(), None, &[])
    }

    pub(crate) fn head_proof(&self, chain_id: ChainId) -> HeadProof {
        let proof = self.proof(chain_id);
        let head = *self
            .heads
            .iter()
            .find(|head| head.chain_id == chain_id)
            .unwrap();
        HeadProof {
            head,
            header: proof.header,
            certificate: proof.certificate,
            branch: proof.head_branch,
        }
    }

    pub(crate) fn bundle_proof(&self, index: usize) -> BundleProof {
        let manifest = self.manifests[index].clone();
        let ids_of = |leg: &ManifestLeg| {
            let (first, count) = (leg.first as usize, leg.count as usize);
            self.batches[&leg.chain_id]
                .ids()
                .into_iter()
                .skip(first)
                .take(count)
                .collect()
        };
        BundleProof {
            bundle_hash: manifest.bundle_hash(),
            header: self.header.clone(),
            certificate: self.certificate.clone(),
            branch: bundles_tree(&self.manifests).branch(index).unwrap(),
            legs: manifest.legs.iter().map(ids_of).collect(),
            manifest,
        }
    }

    /// What an honest rollup says after executing its batch.
    pub(crate) fn output(&self, chain_id: ChainId) -> BatchOutput {
        let batch = &self.batches[&chain_id];
        let header = batch.header();
        let executed = |hash| TransactionOutcome::Executed { hash, status: 1 };
        let spans = batch.spans().iter();
        BatchOutput {
            chain_id,
            seq: header.seq,
            batch_hash: batch.hash(),
            height: header.height,
            timestamp_ms: header.timestamp_ms,
            block_number: header.seq,
            block_hash: B256::ZERO,
            spans: spans
                .map(|span| JsonSpan::of(span, &self.manifests))
                .collect(),
            transactions: batch.ids().into_iter().map(executed).collect(),
        }
    }
}

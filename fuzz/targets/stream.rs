//! What a rollup's side makes of stream items, proofs, trust files and outputs: it never panics, and
//! accepts nothing but what the validators of the vectors have signed.
//!
//! Nobody here has their keys, so whatever is accepted is the one block that they have decided, to
//! the byte: there are just enough signatures, and each part has one encoding.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use cloverleaf_api::json::BatchOutput;
use cloverleaf_api::proto::proof::v1 as proof_proto;
use cloverleaf_api::proto::stream::v1::BatchItem;
use cloverleaf_api::wire::{self, BlockProof, BundleInclusion};
use cloverleaf_client::audit::{Evidence, audit};
use cloverleaf_client::verify::{Checked, check};
use cloverleaf_client::{Chain, Proven, verify_proof};
use cloverleaf_types::proof::{BundleProof, HeadProof};
use cloverleaf_types::{Batch, ChainId, ControlTransaction, Head, Height, Secp256k1, TrustRoot};
use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use serde_json::Value;

/// Within the trust period of the vectors' root, in milliseconds.
const NOW_MS: u64 = 5_000;

static KNOWN: LazyLock<Known> = LazyLock::new(Known::read);

/// The block of the vectors, as a follower of its first rollup is shown it.
struct Known {
    trust: TrustRoot,
    head: HeadProof,
    bundle: BundleProof,
    item: BatchItem,
    chain_id: ChainId,
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else {
        return;
    };
    match kind % 7 {
        0 => items(bytes),
        1 => changed_item(bytes),
        2 => changed_proof(bytes),
        3 => json_proof(bytes),
        4 => wire_proof(bytes),
        5 => trust_file(bytes),
        _ => outputs(bytes),
    }
});

impl Known {
    fn read() -> Self {
        let proofs: Value =
            serde_json::from_str(include_str!("../../types/vectors/proofs.json")).expect("JSON");
        let batches: Value =
            serde_json::from_str(include_str!("../../types/vectors/batches.json")).expect("JSON");
        let part = |name: &str| proofs[name].clone();
        let head: HeadProof = serde_json::from_value(part("headProof")).expect("a proof");
        let bundle: BundleProof = serde_json::from_value(part("bundleProof")).expect("a proof");
        let batch = batches[0]["encoded"].as_str().expect("hex");
        let batch = wire_bytes(batch);
        let proof = BlockProof {
            header: head.header.clone(),
            certificate: head.certificate.clone(),
            head_branch: head.branch.clone(),
        };
        let inclusion = BundleInclusion {
            manifest: bundle.manifest.clone(),
            branch: bundle.branch.clone(),
        };
        let known = Self {
            trust: serde_json::from_value(part("trust")).expect("a root"),
            chain_id: head.head.chain_id,
            item: wire::encode_item(batch, Some(&proof), &[inclusion]),
            head,
            bundle,
        };
        assert!(
            known.check(known.item.clone()).is_some(),
            "the vectors verify"
        );
        known
    }

    fn check(&self, item: BatchItem) -> Option<Checked> {
        check(item, self.chain_id, &self.trust, &Secp256k1).ok()
    }

    fn chain(&self) -> Chain {
        Chain::new(Head::empty(self.trust.network, self.chain_id))
    }

    /// What a follower accepts with a proof is the known item.
    fn judge(&self, item: BatchItem) {
        let Some(checked) = self.check(item.clone()) else {
            return;
        };
        let yielded = self.chain().extend(checked).unwrap_or_default();
        assert_eq!(
            yielded.is_empty(),
            item.proof.is_none(),
            "only proven batches come out"
        );
        if item.proof.is_some() {
            assert!(item == self.item, "another block was accepted: {item:?}");
        }
    }

    fn judge_proven(&self, proven: Proven) {
        match proven {
            Proven::Bundle(proof) => assert_eq!(proof, self.bundle, "another bundle was proven"),
            Proven::Head(proof) => assert_eq!(proof, self.head, "another head was proven"),
        }
    }
}

fn wire_bytes(hex: &str) -> Bytes {
    let bytes: alloy_primitives::Bytes = hex.parse().expect("hex");
    bytes.0
}

/// Items as they come from an upstream, each with its length in front.
fn items(mut bytes: &[u8]) {
    let mut chain = KNOWN.chain();
    while let Ok(item) = BatchItem::decode_length_delimited(&mut bytes) {
        KNOWN.judge(item.clone());
        if let Some(checked) = KNOWN.check(item) {
            for yielded in chain.extend(checked).unwrap_or_default() {
                assert_eq!(yielded.batch.encoded(), &KNOWN.item.batch);
            }
        }
    }
}

/// A place and a byte: the valid item with that byte there.
fn changed(valid: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    let (place, rest) = bytes.split_first_chunk::<2>()?;
    let mut changed = valid.to_vec();
    let place = usize::from(u16::from_be_bytes(*place)) % changed.len();
    changed[place] = *rest.first()?;
    Some(changed)
}

fn changed_item(bytes: &[u8]) {
    let Some(changed) = changed(&KNOWN.item.encode_to_vec(), bytes) else {
        return;
    };
    if let Ok(item) = BatchItem::decode(&changed[..]) {
        KNOWN.judge(item);
    }
}

fn changed_proof(bytes: &[u8]) {
    let head = serde_json::to_vec(&KNOWN.head).expect("JSON");
    let bundle = serde_json::to_vec(&KNOWN.bundle).expect("JSON");
    for valid in [head, bundle] {
        if let Some(changed) = changed(&valid, bytes) {
            json_proof(&changed);
        }
    }
}

fn json_proof(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(proven) = verify_proof(&text, &KNOWN.trust, &Secp256k1, NOW_MS) {
        KNOWN.judge_proven(proven);
    }
}

fn wire_proof(bytes: &[u8]) {
    if let Ok(message) = proof_proto::BundleProof::decode(bytes)
        && let Ok(proof) = wire::decode_bundle_proof(&message)
    {
        assert!(wire::encode_bundle_proof(&proof) == message);
        if proof.verify(&KNOWN.trust, &Secp256k1).is_ok() {
            KNOWN.judge_proven(Proven::Bundle(proof));
        }
    }
    if let Ok(message) = proof_proto::HeadProof::decode(bytes)
        && let Ok(proof) = wire::decode_head_proof(&message)
    {
        assert!(wire::encode_head_proof(&proof) == message);
        if proof.verify(&KNOWN.trust, &Secp256k1).is_ok() {
            KNOWN.judge_proven(Proven::Head(proof));
        }
    }
}

/// A root that a file holds, and a batch of chain 0 that it is led on by.
fn trust_file(bytes: &[u8]) {
    let Ok(mut trust) = serde_json::from_slice::<TrustRoot>(bytes) else {
        return;
    };
    let written = serde_json::to_vec(&trust).expect("JSON");
    assert_eq!(
        serde_json::from_slice::<TrustRoot>(&written).expect("a root"),
        trust
    );
    let _ = (trust.is_fresh(NOW_MS), trust.set_at(Height(u64::MAX)));
    if KNOWN.head.verify(&trust, &Secp256k1).is_ok() {
        let set = trust.set_at(KNOWN.head.header.height).hash();
        assert_eq!(
            set,
            KNOWN.trust.validators.hash(),
            "decided by somebody else"
        );
    }
    trust.advance(Height(7), NOW_MS);
    let _ = trust.follow(&control_batch(trust.control));
}

/// Every control transaction of the vectors, as the next batch of chain 0.
fn control_batch(head: Head) -> Batch {
    let vectors: Value =
        serde_json::from_str(include_str!("../../types/vectors/control.json")).expect("JSON");
    let vectors = vectors.as_array().expect("a list").iter();
    let raws = vectors.map(|vector| wire_bytes(vector["raw"].as_str().expect("hex")));
    let raws: Vec<Bytes> = raws
        .filter(|raw| ControlTransaction::decode(raw).is_ok())
        .collect();
    let ids: Vec<_> = raws
        .iter()
        .map(|raw| cloverleaf_types::transaction_id(raw))
        .collect();
    let draft = cloverleaf_types::BatchDraft {
        chain_id: ChainId::CONTROL,
        seq: head.seq.wrapping_add(1),
        prev_batch_hash: head.batch_hash,
        height: Height(8),
        timestamp_ms: NOW_MS,
        l1: Default::default(),
        full: Vec::new(),
    };
    Batch::build(draft, Vec::new(), raws, &ids).into_inner()
}

/// What two rollups say that they executed, against the bundle that was decided.
fn outputs(bytes: &[u8]) {
    let Ok(outputs) = serde_json::from_slice::<Vec<BatchOutput>>(bytes) else {
        return;
    };
    let mut by_rollup = BTreeMap::<ChainId, Vec<BatchOutput>>::new();
    for output in outputs {
        by_rollup.entry(output.chain_id).or_default().push(output);
    }
    let manifest = KNOWN.bundle.manifest.clone();
    let name = (KNOWN.bundle.header.height, manifest.index);
    for manifests in [None, Some(BTreeMap::from([(name, manifest)]))] {
        let evidence = Evidence {
            outputs: by_rollup.clone(),
            manifests,
            up_to: Height(u64::MAX),
        };
        assert_eq!(audit(&evidence), audit(&evidence));
    }
}

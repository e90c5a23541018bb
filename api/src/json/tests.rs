//! Tests of the shapes that are made of decided blocks.

use alloy_primitives::{Address, B256};
use cloverleaf_types::batch::{BatchDraft, Span as TypesSpan};
use cloverleaf_types::manifest::ManifestLeg;
use cloverleaf_types::proof::HeadProof;
use cloverleaf_types::{
    Atomicity, ChainId, CommitCertificate, DecidedBlock, Epoch, Head, Header, Height, L1Ref,
    Manifest, Round, transaction_id,
};
use serde_json::{Value, json};

use super::*;

fn hash(byte: u8) -> B256 {
    B256::repeat_byte(byte)
}

fn manifest() -> Manifest {
    let leg = ManifestLeg {
        chain_id: ChainId(901),
        seq: 31,
        first: 0,
        count: 1,
        leg_hash: hash(4),
    };
    Manifest {
        index: 0,
        terms_hash: hash(5),
        atomicity: Atomicity::Inclusion,
        legs: vec![leg],
    }
}

fn batch() -> cloverleaf_types::Batch {
    let draft = BatchDraft {
        chain_id: ChainId(901),
        seq: 31,
        prev_batch_hash: hash(1),
        height: Height(57),
        timestamp_ms: 1_000,
        l1: L1Ref::default(),
        full: vec![],
    };
    let span = TypesSpan {
        manifest: 0,
        leg: 0,
        legs: 1,
        first: 0,
        count: 1,
    };
    let raw: alloy_primitives::bytes::Bytes = vec![2, 0xaa].into();
    let id = transaction_id(&raw);
    cloverleaf_types::Batch::build(draft, vec![span], vec![raw], &[id]).into_inner()
}

fn decided() -> DecidedBlock {
    let header = Header {
        version: 1,
        network: hash(1),
        height: Height(57),
        round: Round(0),
        timestamp_ms: 1_000,
        parent: hash(2),
        l1: L1Ref::default(),
        cut_hash: hash(3),
        heads_root: hash(4),
        bundles_root: hash(5),
        state_root: hash(6),
        validators_hash: hash(7),
        next_validators_hash: hash(8),
    };
    let certificate = CommitCertificate {
        height: Height(57),
        round: Round(1),
        block_hash: header.hash(),
        signatures: vec![],
    };
    let cut = vec![cloverleaf_types::CutEntry {
        lane: 2,
        epoch: Epoch(0),
        seq: 19,
        parcel_hash: hash(9),
        seen: Height(56),
    }];
    let block = cloverleaf_types::Block {
        header,
        cut,
        manifests: vec![manifest()],
        batches: vec![batch()],
    };
    DecidedBlock { block, certificate }
}

/// Reads a shape from its own JSON and writes it again.
fn again<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> Value {
    let written = serde_json::to_value(value).unwrap();
    let read: T = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), written);
    written
}

#[test]
fn block_shows_its_batches_and_bundles() {
    let decided = decided();
    let written = again(&Block::of(&decided));
    assert_eq!(written["height"], "0x39");
    assert_eq!(written["timestamp"], "0x3e8");
    assert_eq!(written["hash"], decided.block.hash().to_string());
    assert_eq!(
        written["cut"],
        json!([{
            "lane": 2, "epoch": "0x0", "seq": "0x13", "parcelHash": hash(9).to_string(),
            "seen": "0x38",
        }])
    );
    assert_eq!(
        written["batches"],
        json!([{
            "chainId": "0x385", "seq": "0x1f", "hash": batch().hash().to_string(), "count": 1,
            "bytes": "0x2",
        }])
    );
    assert_eq!(
        written["bundles"][0]["bundleHash"],
        manifest().bundle_hash().to_string()
    );
}

#[test]
fn batch_shows_its_transactions_and_names_its_bundles() {
    let written = again(&Batch::of(&batch(), &[manifest()]));
    assert_eq!(written["transactions"][0]["raw"], "0x02aa");
    assert_eq!(
        written["transactions"][0]["hash"],
        transaction_id(&[2, 0xaa]).to_string()
    );
    assert_eq!(
        written["spans"],
        json!([{
            "manifest": 0, "leg": 0, "legs": 1, "first": 0, "count": 1,
            "bundleHash": manifest().bundle_hash().to_string(),
        }])
    );
    let unnamed = again(&Batch::of(&batch(), &[]));
    assert!(unnamed["spans"][0].get("bundleHash").is_none());
}

#[test]
fn streamed_batch_is_the_batch_and_what_proves_it() {
    let bare = StreamedBatch {
        batch: Batch::of(&batch(), &[manifest()]),
        proof: None,
        bundles: Vec::new(),
    };
    assert_eq!(
        again(&bare),
        again(&bare.batch),
        "the shape of seq_getBatch"
    );
    let decided = decided();
    let proof = HeadProof {
        head: Head::of(batch().header()),
        header: decided.block.header,
        certificate: decided.certificate,
        branch: Vec::new(),
    };
    let bundle = ProvenBundle {
        manifest: manifest(),
        branch: Vec::new(),
    };
    let proven = again(&StreamedBatch {
        proof: Some(proof.clone()),
        bundles: vec![bundle],
        ..bare
    });
    assert_eq!(proven["seq"], "0x1f");
    assert_eq!(proven["proof"], serde_json::to_value(proof).unwrap());
    assert_eq!(
        proven["bundles"],
        json!([{"manifest": serde_json::to_value(manifest()).unwrap(), "branch": []}])
    );
}

#[test]
fn bundles_of_a_block_are_named_and_a_block_without_any_has_none() {
    let mut decided = decided();
    let hash = decided.block.hash();
    let written = again(&BlockBundles::of(&decided).unwrap());
    assert_eq!(
        written,
        json!({
            "height": "0x39", "hash": hash.to_string(), "timestamp": "0x3e8",
            "bundles": [{
                "bundleHash": manifest().bundle_hash().to_string(),
                "manifest": serde_json::to_value(manifest()).unwrap(),
            }],
        })
    );
    decided.block.manifests.clear();
    assert_eq!(BlockBundles::of(&decided), None);
}

#[test]
fn faucet_takes_exactly_a_rollup_and_an_address() {
    let address = Address::repeat_byte(1);
    let request = FaucetRequest {
        chain_id: ChainId(901),
        address,
    };
    assert_eq!(again(&request)["chainId"], "0x385");
    let extra = json!({"chainId": 901, "address": address, "amount": 1});
    assert!(serde_json::from_value::<FaucetRequest>(extra).is_err());
}

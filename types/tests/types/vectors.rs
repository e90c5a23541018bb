//! Golden vectors: the bytes and hashes of every format, for other implementations to compare with.
//!
//! A file changes only with the protocol: `BLESS=1 cargo test -p cloverleaf-types` writes them again.

use std::path::Path;

use alloy_rlp::Encodable;
use cloverleaf_types::batch::{empty_head, spans_hash, transactions_root};
use cloverleaf_types::control::typed_data::TypedData;
use cloverleaf_types::cut::cut_hash;
use cloverleaf_types::hash::{Preimage, Tag};
use cloverleaf_types::item::{bundle_hash, leg_hash};
use cloverleaf_types::manifest::bundles_tree;
use cloverleaf_types::merkle::{self, Tree};
use cloverleaf_types::proof::{BundleProof, HeadProof};
use cloverleaf_types::vote::{proposal_digest, vote_digest};
use cloverleaf_types::weight::{item_weight, leg_weight, transaction_weight};
use cloverleaf_types::{
    B256, ChainId, Head, Height, Item, Parcel, ParcelDraft, Round, Signer, Slot, TransactionId,
    VoteKind, transaction_id,
};
use serde_json::{Value as Json, json};

use crate::samples;

/// Compares with `vectors/<name>.json`, or writes it when asked to.
fn pin(name: &str, vectors: &Json) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let path = folder.join(format!("{name}.json"));
    if std::env::var_os("BLESS").is_some() {
        let text = serde_json::to_string_pretty(vectors).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let pinned: Json = serde_json::from_str(&text).unwrap_or_default();
    assert_eq!(
        *vectors, pinned,
        "{name}: a format is not what its vectors say"
    );
}

fn rlp(value: &impl Encodable) -> String {
    bytes(&alloy_rlp::encode(value))
}

fn bytes(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

// K1
#[test]
fn domain_tags_and_trees_are_pinned() {
    let tags: Vec<Json> = Tag::ALL
        .iter()
        .map(|tag| {
            let preimage = Preimage::new(*tag).with(&1_u64);
            json!({
                "tag": tag.text(),
                "preimageOfOne": bytes(&preimage.clone().bytes()),
                "hashOfOne": preimage.hash(),
            })
        })
        .collect();
    pin("tags", &json!(tags));

    let leaves = |count: u8| -> Vec<B256> {
        let data = (0..count).map(|number| [number]);
        data.map(|data| merkle::leaf_hash(&data)).collect()
    };
    let trees: Vec<Json> = (0..=8)
        .map(|count| {
            let tree = Tree::new(leaves(count));
            let branches: Vec<_> = (0..usize::from(count))
                .map(|leaf| tree.branch(leaf))
                .collect();
            json!({ "leaves": leaves(count), "root": tree.root(), "branches": branches })
        })
        .collect();
    pin("trees", &json!(trees));
}

#[test]
fn parcels_and_bundles_are_pinned() {
    let parcel = Parcel::seal(samples::draft(), &samples::keys()[0]);
    let next = ParcelDraft {
        slot: Slot {
            seq: 1,
            ..parcel.slot()
        },
        prev: parcel.hash(),
        seen: Height(7),
        time_ms: 1_700_000_000_120,
        items: vec![],
        ..samples::draft()
    };
    let empty = Parcel::seal(next, &samples::keys()[0]);
    let parcels = [&*parcel, &*empty].map(|parcel| {
        json!({
            "slot": parcel.slot(),
            "header": rlp(parcel.header()),
            "hash": parcel.hash(),
            "signature": parcel.signature(),
            "items": parcel.items().iter().map(rlp).collect::<Vec<_>>(),
            "itemWeights": parcel.items().iter().map(item_weight).collect::<Vec<_>>(),
            "weight": parcel.weight(),
            "encoded": bytes(parcel.encoded()),
        })
    });
    pin("parcels", &json!(parcels));

    let bundle = samples::bundle();
    let legs: Vec<Json> = bundle.legs.iter().map(leg).collect();
    let hash = bundle.hash();
    pin(
        "bundles",
        &json!([{
            "terms": rlp(&bundle.terms),
            "termsHash": bundle.terms.hash(),
            "legs": legs,
            "bundleHash": hash,
            "encoded": rlp(&Item::Bundle(bundle)),
        }]),
    );
}

fn leg(leg: &cloverleaf_types::Leg) -> Json {
    let ids: Vec<TransactionId> = leg.ids();
    json!({
        "chainId": leg.chain_id,
        "raws": leg.transactions.iter().map(|it| bytes(&it.raw)).collect::<Vec<_>>(),
        "transactionWeights": leg.transactions.iter().map(transaction_weight).collect::<Vec<_>>(),
        "weight": leg_weight(leg),
        "legHash": leg_hash(leg.chain_id, &ids),
        "ids": ids,
    })
}

#[test]
fn values_batches_manifests_and_heads_are_pinned() {
    let value = samples::block().value();
    pin(
        "values",
        &json!([{
            "header": value.header,
            "headerEncoded": rlp(&value.header),
            "cutHash": cut_hash(&value.cut),
            "blockHash": value.id(),
            "encoded": rlp(&value),
        }]),
    );

    let batches = samples::batches();
    let batches = batches.iter().map(|batch| {
        let ids: Vec<TransactionId> = batch.ids();
        json!({
            "header": batch.header(),
            "headerEncoded": rlp(batch.header()),
            "spans": batch.spans(),
            "spansHash": spans_hash(batch.spans()),
            "txsRoot": transactions_root(&ids),
            "ids": ids,
            "batchHash": batch.hash(),
            "encoded": bytes(batch.encoded()),
        })
    });
    pin("batches", &batches.collect());

    let manifest = samples::manifest();
    let hashes: Vec<B256> = manifest.legs.iter().map(|leg| leg.leg_hash).collect();
    pin(
        "manifests",
        &json!([{
            "manifest": manifest,
            "encoded": rlp(&manifest),
            "leafHash": manifest.leaf_hash(),
            "bundleHash": bundle_hash(manifest.terms_hash, &hashes),
            "rootAlone": bundles_tree(std::slice::from_ref(&manifest)).root(),
        }]),
    );

    let heads = [
        Head::empty(samples::network(), ChainId(901)),
        Head::of(samples::batches()[0].header()),
    ];
    let heads = heads
        .map(|head| json!({ "head": head, "encoded": rlp(&head), "leafHash": head.leaf_hash() }));
    pin("heads", &json!(heads));
}

// K3
#[test]
fn what_validators_sign_is_pinned() {
    let (network, height, block) = (samples::network(), Height(7), samples::block().hash());
    let votes = [
        (VoteKind::Prevote, Some(block)),
        (VoteKind::Precommit, Some(block)),
        (VoteKind::Prevote, None),
        (VoteKind::Precommit, None),
    ];
    let votes = votes.map(|(kind, hash)| {
        let digest = vote_digest(network, height, Round(2), kind, hash);
        json!({
            "kind": format!("{kind:?}").to_lowercase(),
            "network": network,
            "height": height,
            "round": 2,
            "blockHash": hash,
            "digest": digest,
            "signature": samples::keys()[0].sign(digest),
        })
    });
    let proposals = [None, Some(Round(0)), Some(Round(1))].map(|pol_round| {
        let digest = proposal_digest(network, height, Round(2), pol_round, block);
        json!({
            "network": network,
            "height": height,
            "round": 2,
            "polRound": pol_round,
            "blockHash": block,
            "digest": digest,
            "signature": samples::keys()[0].sign(digest),
        })
    });
    let signer = samples::keys()[0].address();
    pin(
        "votes",
        &json!({ "signer": signer, "votes": votes, "proposals": proposals }),
    );
}

#[test]
fn genesis_validators_certificates_and_blocks_are_pinned() {
    let genesis = samples::genesis();
    let set = samples::validators();
    pin(
        "genesis",
        &json!([{
            "network": genesis.network(),
            "validatorsHash": set.hash(),
            "emptyHeads": genesis.rollups.iter().map(|rollup| {
                empty_head(genesis.network(), rollup.chain_id)
            }).collect::<Vec<_>>(),
            "genesis": genesis,
        }]),
    );

    let certificate = samples::certificate();
    pin(
        "certificates",
        &json!([{
            "certificate": certificate,
            "validators": set,
            "encoded": rlp(&certificate),
        }]),
    );
    let decided = samples::decided();
    pin(
        "blocks",
        &json!([{ "blockHash": decided.block.hash(), "encoded": bytes(&decided.encode()) }]),
    );
}

#[test]
fn control_transactions_are_pinned() {
    let transactions = crate::control::actions().into_iter().zip(0..);
    let transactions = transactions.map(|(action, nonce)| {
        let transaction = crate::control::transaction(nonce, action);
        let draft = &transaction.draft;
        json!({
            "transaction": transaction,
            "typedData": TypedData::of(draft, samples::network()),
            "digest": draft.digest(samples::network()),
            "raw": bytes(&transaction.encode()),
            "id": transaction.id(),
        })
    });
    pin("control", &transactions.collect());
}

#[test]
fn proofs_are_pinned() {
    let proof: BundleProof = crate::proof::bundle_proof();
    let head: HeadProof = crate::proof::head_proof();
    pin(
        "proofs",
        &json!({ "trust": samples::trust(), "bundleProof": proof, "headProof": head }),
    );
}

#[test]
fn transaction_ids_are_keccak_256() {
    let empty = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
    assert_eq!(transaction_id(&[]).to_string(), empty);
}

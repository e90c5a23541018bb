//! Each mode of verification (L1) through four real nodes: what one takes in, the others verify as its
//! rollup wants it, or nothing of it is ever committed.

use std::path::Path;

use alloy_primitives::keccak256;
use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_mempool::Name;
use cloverleaf_testnet::load::{Answer, Grpc, Signed, Wallet};
use cloverleaf_testnet::process::{Binary, Network, NetworkPlan};
use cloverleaf_types::rollup::{Format, Policy, Verification};
use cloverleaf_types::{ChainId, Genesis, Rollup};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::scene::{Dir, Turn, now_ms};

const ONCE: u64 = 901;
const EVERYWHERE: u64 = 902;
const OPAQUE: u64 = 903;

/// How long a bundle of these tests may wait, in milliseconds.
const PATIENCE_MS: u64 = 60_000;

// L1
#[test]
fn rollups_of_every_mode_are_ordered_side_by_side_and_in_one_bundle() {
    let _turn = Turn::take();
    let binary = Binary::find().unwrap_or_else(|error| panic!("{error}"));
    let dir = Dir::new("modes");
    let plan = NetworkPlan {
        validators: 4,
        block_time_ms: Some(50),
        ..NetworkPlan::default()
    };
    let mut network = Network::init(&binary, &dir.path().join("network"), plan).unwrap();
    register(network.dir(), plan.validators);
    network.start_all().unwrap();
    let urls = network.grpc_urls();
    Runtime::new().unwrap().block_on(async {
        let wallet = Wallet::seeded(11, 0, 0);
        let mut node = Grpc::new(&urls[1]).unwrap();
        let alone = [
            wallet.transfer(ONCE, 0),
            wallet.transfer(EVERYWHERE, 0),
            opaque(b"anything"),
        ];
        for sent in &alone {
            let answer = node.submit(sent, Wait::Committed).await;
            assert_reached(&answer, Some(sent));
        }
        let legs = [
            wallet.transfer(ONCE, 1),
            wallet.transfer(EVERYWHERE, 1),
            opaque(b"anything else"),
        ];
        let until_ms = now_ms() + PATIENCE_MS;
        let answer = node.submit_bundle(&legs, until_ms, Wait::Committed).await;
        assert_reached(&answer, None);
        // Where nobody reads the bytes, nobody refuses them; where somebody does, they are no
        // transaction.
        for chain_id in [ONCE, EVERYWHERE] {
            let mut junk = opaque(b"\xffno transaction");
            junk.key.0 = ChainId(chain_id);
            let answer = node.submit(&junk, Wait::Committed).await;
            assert!(
                matches!(&answer, Answer::Refused(reason) if reason == "malformedRlp"),
                "{answer:?}"
            );
        }
    });
    // Measured load goes to all of them.
    let words = ["--json", "load", "steady", "--rate", "30", "--seconds", "2"];
    let url = network.http_url(0);
    let said = binary
        .run(words.into_iter().chain(["--rpc", &url]))
        .unwrap();
    let value: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"));
    assert_eq!(value["outcome"]["committed"], 60, "{value}");
    assert_eq!(
        value["outcome"]["rollups"].as_array().map(Vec::len),
        Some(3)
    );
    network.check().unwrap();
}

fn assert_reached(answer: &Answer, sent: Option<&Signed>) {
    let Answer::Reached(name) = answer else {
        panic!("{answer:?}");
    };
    if let Some(sent) = sent {
        assert_eq!(*name, Name::Transaction(sent.key));
    }
}

fn opaque(raw: &'static [u8]) -> Signed {
    Signed {
        key: (ChainId(OPAQUE), keccak256(raw)),
        raw: raw.into(),
    }
}

/// Gives every node the same genesis, with a rollup of each mode.
fn register(dir: &Path, validators: usize) {
    let mut files = vec![dir.join("genesis.json")];
    files.extend((0..validators).map(|node| dir.join(format!("node{node}/genesis.json"))));
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut genesis: Genesis = serde_json::from_str(&text).unwrap();
        genesis.rollups[1].verification = Verification::Everywhere;
        genesis.rollups[1].policy = Policy::Priority;
        let opaque = Rollup {
            chain_id: ChainId(OPAQUE),
            name: "gamma".to_owned(),
            format: Format::Opaque,
            verification: Verification::Opaque,
            ..genesis.rollups[0].clone()
        };
        genesis.rollups.push(opaque);
        std::fs::write(&file, serde_json::to_string_pretty(&genesis).unwrap()).unwrap();
    }
}

//! `db`: what an operator is told of the blocks that a node has written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_mempool::pool::Limits;
use serde_json::Value;

use crate::grpc::submit;
use crate::network::{ALPHA, Network, start_node};
use crate::node::{TestNode, TestOptions};
use crate::wallet::Wallet;

/// How a command ended: exit code, the JSON that it printed, and what it said beside.
struct Ended {
    code: Option<i32>,
    answer: Value,
    said: String,
}

/// Runs `cloverleaf --json db …` on a directory.
fn db(home: &Path, arguments: &[&str]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_cloverleaf"))
        .args(["--json", "db"])
        .args(arguments)
        .arg("--home")
        .arg(home)
        .output()
        .unwrap();
    Ended {
        code: output.status.code(),
        answer: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Flips a byte in the middle of the store's largest file.
fn damage(home: &Path) {
    let files = fs::read_dir(home.join("db")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let holds_blocks = |path: &std::path::PathBuf| {
        let extension = path.extension().and_then(|it| it.to_str());
        matches!(extension, Some("log" | "sst" | "blob"))
    };
    let largest = files
        .filter(holds_blocks)
        .max_by_key(|path| fs::metadata(path).unwrap().len());
    let largest = largest.unwrap();
    let mut bytes = fs::read(&largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(largest, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_nodes_blocks_are_told_and_checked_and_damage_is_found() {
    let node = start_node("db", Limits::default(), false).await;
    let network = Network::of(&node);
    let wallet = Wallet::new();
    for nonce in 0..3 {
        let raw = wallet.transfer(ALPHA, nonce);
        submit(&network, ALPHA, &raw, Wait::Committed)
            .await
            .unwrap();
    }
    let home = node.dir().to_owned();
    let running = db(&home, &["check"]);
    assert_eq!(running.code, Some(2), "{}", running.said);
    assert!(
        running.said.contains("in use by another process"),
        "{}",
        running.said
    );
    assert_eq!(db(&home, &["stats"]).code, Some(1));
    node.stop().await;

    let stats = db(&home, &["stats"]);
    assert_eq!(stats.code, Some(0), "{}", stats.said);
    assert_eq!(stats.answer["first"], 1);
    let rollups = stats.answer["rollups"].as_array().unwrap();
    let alpha = rollups
        .iter()
        .find(|rollup| rollup["chainId"] == ALPHA)
        .unwrap();
    assert_eq!(
        (&alpha["firstBatch"], &alpha["lastBatch"]),
        (&1.into(), &3.into())
    );

    let checked = db(&home, &["check"]);
    assert_eq!(checked.code, Some(0), "{} {}", checked.answer, checked.said);
    let (answer, last) = (&checked.answer, &stats.answer["last"]);
    assert_eq!(answer["ok"], true);
    for every_block in ["blocks", "certificates", "states"] {
        assert_eq!(&answer[every_block], last, "{every_block}: {answer}");
    }
    assert_eq!(
        (&answer["batches"], &answer["transactions"]),
        (&3.into(), &3.into())
    );

    damage(&home);
    let damaged = db(&home, &["check"]);
    assert_eq!(damaged.code, Some(1), "{}", damaged.said);
    assert!(!damaged.answer["findings"].as_array().unwrap().is_empty());
    // Tables without RocksDB's file that names them are no new directory.
    fs::remove_file(home.join("db/CURRENT")).unwrap();
    let damaged = db(&home, &["check"]);
    assert_eq!(damaged.code, Some(1), "{}", damaged.said);
    let refused = TestNode::of(home.clone()).await.err().unwrap();
    assert!(
        refused.to_string().contains("CURRENT is missing"),
        "{refused}"
    );
    fs::remove_dir_all(home.join("db")).unwrap();
    assert_eq!(db(&home, &["check"]).code, Some(2));
    // What cannot be read may be whole.
    fs::write(home.join("db"), "").unwrap();
    assert_eq!(db(&home, &["check"]).code, Some(2));
}

/// What the node of the test below keeps. The replay window needs 64, and the one before it.
const KEEP: u64 = 70;

/// Transactions, with a block each, within which a node must have removed its first block.
const TRANSACTIONS_MAX: u64 = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn running_node_keeps_so_many_heights_and_a_stopped_one_is_pruned_to_the_replay_window() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("wire-keep");
    let _new = fs::remove_dir_all(&dir);
    let options = TestOptions {
        dir,
        limits: Limits::default(),
        executions: BTreeMap::new(),
        keep_heights: KEEP,
        faucet: false,
    };
    let node = TestNode::start(options).await.unwrap();
    let network = Network::of(&node);
    let (handle, wallet) = (node.handle(), Wallet::new());
    let store = &handle.shared().store;
    let first = || store.first_height().unwrap().unwrap().0;
    for nonce in 0..TRANSACTIONS_MAX {
        let raw = wallet.transfer(ALPHA, nonce);
        submit(&network, ALPHA, &raw, Wait::Committed)
            .await
            .unwrap();
        if first() > 1 {
            break;
        }
    }
    let kept_from = first();
    let tip = store.tip().unwrap().0.0;
    assert!(
        kept_from > 1 && tip + 1 - kept_from >= KEEP,
        "{kept_from} to {tip}"
    );
    let gone = network.http.get("/v1/blocks/1").await;
    assert_eq!(gone.status, 410);
    let home = node.dir().to_owned();
    drop(handle);
    let node = node.restart().await.unwrap();
    assert_eq!(network.http.get("/v1/blocks/1").await.status, 410);
    node.stop().await;

    let checked = db(&home, &["check"]);
    assert_eq!(checked.code, Some(0), "{} {}", checked.answer, checked.said);
    let pruned = db(&home, &["prune", "--keep-heights", "1"]);
    assert_eq!(pruned.code, Some(0), "{}", pruned.said);
    assert!(
        pruned.answer["removed"].as_u64().unwrap() > 0,
        "{}",
        pruned.answer
    );
    assert_eq!(pruned.answer["kept"], 65, "{}", pruned.answer);
    assert_eq!(
        db(&home, &["stats"]).answer["first"],
        pruned.answer["first"]
    );
    let checked = db(&home, &["check"]);
    assert_eq!(checked.code, Some(0), "{} {}", checked.answer, checked.said);
    assert_eq!(checked.answer["blocks"], 65);
    assert_eq!(db(&home, &["prune", "--keep-heights", "0"]).code, Some(2));
}

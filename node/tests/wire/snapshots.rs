//! `snapshot`: what an operator can make of a node's blocks, and what of another's.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use alloy_primitives::keccak256;
use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_mempool::pool::Limits;
use cloverleaf_storage::Store;
use cloverleaf_types::B256;
use serde_json::Value;

use crate::grpc::submit;
use crate::network::{ALPHA, Network, start_node};
use crate::node::TestNode;
use crate::wallet::Wallet;

/// How a command ended: exit code, the JSON that it printed, and what it said beside.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    answer: Value,
    said: String,
}

/// Runs `cloverleaf --json …`.
fn run(arguments: &[&str]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_cloverleaf"))
        .arg("--json")
        .args(arguments)
        .output()
        .unwrap();
    Ended {
        code: output.status.code(),
        answer: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn succeed(arguments: &[&str]) -> Value {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.said);
    ended.answer
}

fn refuse(arguments: &[&str], words: &str) {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.said.contains(words), "{words}: {}", ended.said);
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A node of its own with some blocks, and a place for what is made of them.
async fn node_with_blocks(name: &str) -> (TestNode, PathBuf) {
    let node = start_node(name, Limits::default(), false).await;
    let (network, wallet) = (Network::of(&node), Wallet::new());
    for nonce in 0..3 {
        let raw = wallet.transfer(ALPHA, nonce);
        submit(&network, ALPHA, &raw, Wait::Committed)
            .await
            .unwrap();
    }
    let place = node.dir().parent().unwrap().to_owned();
    (node, place)
}

/// The directory of a node that is yet to join.
fn joiner(node: &TestNode, place: &Path, name: &str) -> String {
    let home = text(&place.join(name));
    let genesis = text(&node.dir().join("genesis.json"));
    let handle = node.handle();
    let peer_id = &handle.shared().genesis.validators[0].peer_id;
    let peer = format!("{peer_id}@127.0.0.1:4549");
    succeed(&[
        "init",
        "--home",
        &home,
        "--genesis",
        &genesis,
        "--peer",
        &peer,
    ]);
    home
}

// D7
#[tokio::test(flavor = "multi_thread")]
async fn snapshot_of_a_running_node_begins_the_directory_of_another_which_watches_first() {
    let (node, place) = node_with_blocks("snapshot").await;
    let (home, genesis) = (text(node.dir()), text(&node.dir().join("genesis.json")));
    let (out, later) = (text(&place.join("first")), text(&place.join("second")));
    let made = succeed(&["snapshot", "create", "--home", &home, "--out", &out]);
    assert_eq!(made["first"], 1);
    let mut names: Vec<_> = fs::read_dir(&out).unwrap().collect();
    names.sort_by_key(|entry| entry.as_ref().unwrap().file_name());
    let names = names.into_iter().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["db", "snapshot.json"]);
    let exists = ["snapshot", "create", "--home", &home, "--out", &out];
    refuse(&exists, "name a new directory");

    let verified = succeed(&["snapshot", "verify", "--from", &out, "--genesis", &genesis]);
    assert_eq!(verified["last"], made["last"]);
    let joiner = joiner(&node, &place, "joiner");
    let before = files_of(&joiner);
    let found = succeed(&["node", "--home", &joiner, "--check"]);
    assert_eq!(
        (&found["height"], &found["isAmnesiac"]),
        (&0.into(), &false.into())
    );
    assert_eq!(
        files_of(&joiner),
        before,
        "who only looks leaves nothing behind"
    );
    let restore = ["snapshot", "restore", "--from", &out, "--home", &joiner];
    assert_eq!(succeed(&restore)["placesLeftOut"], 0);
    refuse(&restore, "is there already");
    let found = succeed(&["node", "--home", &joiner, "--check"]);
    assert_eq!(
        (&found["height"], &found["blockHash"]),
        (&made["last"], &made["blockHash"])
    );
    assert_eq!(
        (&found["isAmnesiac"], &found["window"]),
        (&true.into(), &3.into())
    );
    let checked = succeed(&["db", "check", "--home", &joiner]);
    assert_eq!(checked["blockHash"], made["blockHash"]);

    node.stop().await;
    let stopped = succeed(&["snapshot", "create", "--home", &home, "--out", &later]);
    assert!(
        stopped["last"].as_u64() >= made["last"].as_u64(),
        "{stopped}"
    );
    succeed(&[
        "snapshot",
        "verify",
        "--from",
        &later,
        "--genesis",
        &genesis,
    ]);
}

/// All files below a directory but its lock, with the hash of what is in them.
fn files_of(dir: impl AsRef<Path>) -> BTreeMap<PathBuf, B256> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(files_of(path)),
            false if path.ends_with("lock") => {}
            false => {
                let hash = keccak256(fs::read(&path).unwrap());
                files.insert(path, hash);
            }
        }
    }
    files
}

// D7
#[tokio::test(flavor = "multi_thread")]
async fn directory_whose_store_has_no_block_yet_takes_a_snapshot_in_its_place() {
    let (node, place) = node_with_blocks("snapshot-begun").await;
    let (home, out) = (text(node.dir()), text(&place.join("out")));
    let made = succeed(&["snapshot", "create", "--home", &home, "--out", &out]);
    let joiner = joiner(&node, &place, "joiner");
    let store = Path::new(&joiner).join("db");
    // As a start begins it.
    drop(Store::open(&store, node.handle().shared().genesis.network()).unwrap());
    node.stop().await;
    let restore = ["snapshot", "restore", "--from", &out, "--home", &joiner];
    succeed(&restore);
    let found = succeed(&["node", "--home", &joiner, "--check"]);
    assert_eq!(found["blockHash"], made["blockHash"]);
    // What is no store stays.
    fs::remove_dir_all(&store).unwrap();
    fs::create_dir(&store).unwrap();
    fs::write(store.join("a-file"), "of somebody").unwrap();
    refuse(&restore, "is there already");
}

// D4
#[tokio::test(flavor = "multi_thread")]
async fn who_only_looks_at_damaged_journals_leaves_them_as_they_are() {
    let (node, _) = node_with_blocks("snapshot-look").await;
    let home = node.dir().to_owned();
    node.stop().await;
    let journals = home.join("journal");
    for name in ["votes-0000000001", "lane-0000000001"] {
        let path = journals.join(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend(b"no record");
        fs::write(path, bytes).unwrap();
    }
    fs::rename(home.join("db"), home.join("away")).unwrap();
    let before = files_of(&home);
    for _look in 0..2 {
        let found = succeed(&["node", "--home", &text(&home), "--check"]);
        assert_eq!(found["isAmnesiac"], true);
    }
    assert_eq!(files_of(&home), before);
}

/// Flips a bit in the middle of a file, and back when it is called again.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

// D7
#[tokio::test(flavor = "multi_thread")]
async fn snapshot_that_is_damaged_foreign_or_off_the_trusted_chain_is_refused_and_nothing_is_used()
{
    let (node, place) = node_with_blocks("snapshot-refused").await;
    let (home, out) = (text(node.dir()), text(&place.join("out")));
    succeed(&["snapshot", "create", "--home", &home, "--out", &out]);
    let joiner = joiner(&node, &place, "joiner");
    let trust = text(&place.join("root.json"));
    let root = node.handle().shared().genesis.clone();
    let root = cloverleaf_types::TrustRoot::genesis(&root).unwrap();
    cloverleaf_client::save_trust(Path::new(&trust), &root).unwrap();
    node.stop().await;

    let restore = ["snapshot", "restore", "--from", &out, "--home", &joiner];
    let files = fs::read_dir(Path::new(&out).join("db")).unwrap();
    let mut files = files.map(|file| file.unwrap().path());
    let table = files.find(|file| file.extension().is_some_and(|it| it == "sst"));
    let table = table.unwrap();
    flip(&table);
    refuse(&restore, &format!("{} has changed", table.display()));
    flip(&table);
    let contents = Path::new(&out).join("snapshot.json");
    fs::rename(&contents, place.join("aside")).unwrap();
    refuse(&restore, "is no finished snapshot");
    fs::rename(place.join("aside"), &contents).unwrap();

    let trusting = [&restore[..], &["--trust", &trust]].concat();
    let mut other = root.clone();
    other.control.seq = 1;
    cloverleaf_client::save_trust(Path::new(&trust), &other).unwrap();
    refuse(&trusting, "does not lead to the trust root");
    other.network = cloverleaf_types::B256::repeat_byte(5);
    cloverleaf_client::save_trust(Path::new(&trust), &other).unwrap();
    refuse(&trusting, "the trust root is of network");
    other.time_ms = 0;
    cloverleaf_client::save_trust(Path::new(&trust), &other).unwrap();
    refuse(&trusting, "older than the trust period");

    let stranger = start_node("snapshot-stranger", Limits::default(), false).await;
    let foreign = text(&stranger.dir().join("genesis.json"));
    let verify = ["snapshot", "verify", "--from", &out, "--genesis", &foreign];
    refuse(&verify, "the snapshot is of network");
    stranger.stop().await;

    assert!(!Path::new(&joiner).join("db").exists());
    assert!(!Path::new(&joiner).join("db.restoring").exists());
    cloverleaf_client::save_trust(Path::new(&trust), &root).unwrap();
    succeed(&trusting);
}

// D4
#[tokio::test(flavor = "multi_thread")]
async fn store_that_is_older_than_its_journals_is_amnesia_and_so_is_one_that_is_gone() {
    let (node, place) = node_with_blocks("snapshot-older").await;
    let (home, out) = (text(node.dir()), text(&place.join("out")));
    succeed(&["snapshot", "create", "--home", &home, "--out", &out]);
    let (network, wallet) = (Network::of(&node), Wallet::new());
    for nonce in 0..3 {
        let raw = wallet.transfer(ALPHA, nonce);
        submit(&network, ALPHA, &raw, Wait::Committed)
            .await
            .unwrap();
    }
    let dir = node.dir().to_owned();
    node.stop().await;
    let is_amnesiac = || succeed(&["node", "--home", &home, "--check"])["isAmnesiac"].clone();
    assert_eq!(is_amnesiac(), false);
    fs::rename(dir.join("db"), place.join("latest")).unwrap();
    assert_eq!(is_amnesiac(), true, "without a store");
    // By hand, so that nothing but the heights tells it.
    fs::rename(Path::new(&out).join("db"), dir.join("db")).unwrap();
    assert_eq!(is_amnesiac(), true, "with an older store");
    fs::remove_dir_all(dir.join("db")).unwrap();
    fs::rename(place.join("latest"), dir.join("db")).unwrap();
    assert_eq!(is_amnesiac(), false);
}

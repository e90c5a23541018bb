//! A network whose operators let its keys sign again (D4).

use std::fs;
use std::path::PathBuf;

use cloverleaf_testnet::process::{Binary, Network, NetworkPlan, wait_until};

use crate::scene::{Dir, SOON, Turn};

const VALIDATORS: usize = 4;

/// Blocks that are lost.
const LOST: u64 = 3;

fn home(network: &Network, node: usize) -> PathBuf {
    network.dir().join(format!("node{node}"))
}

fn wait_for_height(network: &Network, height: u64) {
    let is_there = |node| {
        let found = network.metric(node, "cloverleaf_replica_height");
        found.is_some_and(|found| found >= height)
    };
    wait_until("blocks", SOON, || (0..VALIDATORS).all(is_there)).unwrap();
}

/// Nobody signs, and each has been told why.
fn wait_until_all_refuse(network: &Network) {
    let refuses = |node| {
        let log = network.dir().join(format!("node{node}.log"));
        let log = fs::read_to_string(log).unwrap_or_default();
        log.contains("find a disk that has them")
    };
    wait_until("their refusal", SOON, || (0..VALIDATORS).all(refuses)).unwrap();
    for node in 0..VALIDATORS {
        let is_amnesiac = network.metric(node, "cloverleaf_consensus_is_amnesiac");
        assert_eq!(is_amnesiac, Some(1), "node {node}");
    }
}

fn remove_vote_journal(network: &Network, node: usize) {
    let files = fs::read_dir(home(network, node).join("journal")).unwrap();
    for path in files.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy();
        if name.starts_with("votes-") {
            fs::remove_file(&path).unwrap();
        }
    }
}

// D4
#[test]
fn network_whose_blocks_are_lost_goes_back_to_a_snapshot_as_operations_say() {
    let _turn = Turn::take();
    let dir = Dir::new("amnesia");
    let plan = NetworkPlan {
        validators: VALIDATORS,
        ..NetworkPlan::default()
    };
    let binary = Binary::find().unwrap();
    let mut network = Network::init(&binary, &dir.path().join("network"), plan).unwrap();
    network.start_all().unwrap();
    wait_for_height(&network, 2);
    let (source, snapshot) = (home(&network, 0), dir.path().join("snapshot"));
    let (source, snapshot) = (source.to_str().unwrap(), snapshot.to_str().unwrap());
    let create = [
        "--json", "snapshot", "create", "--home", source, "--out", snapshot,
    ];
    let made = binary
        .run(create)
        .unwrap()
        .succeeded()
        .unwrap()
        .json()
        .unwrap();
    let last = made["last"].as_u64().unwrap();
    wait_for_height(&network, last + LOST);
    network.kill_all().unwrap();
    for node in 0..VALIDATORS {
        let home = home(&network, node);
        fs::remove_dir_all(home.join("db")).unwrap();
        let home = home.to_str().unwrap();
        let restore = ["snapshot", "restore", "--home", home, "--from", snapshot];
        binary.run(restore).unwrap().succeeded().unwrap();
    }

    // What they signed is there yet.
    network.set_flags(vec!["--accept-amnesia".to_owned(), (last + 1).to_string()]);
    network.start_all().unwrap();
    wait_until_all_refuse(&network);
    network.kill_all().unwrap();
    (0..VALIDATORS).for_each(|node| remove_vote_journal(&network, node));
    network.start_all().unwrap();
    wait_for_height(&network, last + LOST);
    network.check().unwrap();

    // The argument is away, and they are as any others.
    network.kill_all().unwrap();
    network.set_flags(Vec::new());
    network.start_all().unwrap();
    wait_for_height(&network, last + 2 * LOST);
    network.check().unwrap();
}

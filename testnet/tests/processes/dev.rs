//! `cloverleaf dev`: what it keeps, and what it refuses.

use std::fs;

use cloverleaf_api::json::At;
use cloverleaf_testnet::load::Wallet;
use cloverleaf_testnet::process::{Error, Process, wait_until};
use cloverleaf_types::B256;
use serde_json::{Value, json};

use crate::devnet::DevNetwork;
use crate::scene::SOON;
use crate::upstreams::{OLDER_MS, change_genesis};

/// A transaction is executed; then the process is ended, and a new one has it all.
fn keeps_everything(name: &str, end: impl FnOnce(Process)) {
    let mut network = DevNetwork::start(name, &[]);
    let wallet = Wallet::funded();
    let first = wallet.transfer(901, 0);
    let height = network.committed(network.send(&first));
    let receipt = executed(&network, first.key.1);
    assert_eq!(receipt["status"], "0x1");
    let (tip, hash) = network.tip(0);
    assert!(tip >= height);

    end(network.take_process());
    network.start_again(&[]);
    for node in 0..4 {
        let block = network.block(node, At::Number(tip)).expect("the tip");
        assert_eq!(block.hash, hash, "node {node}");
    }
    assert_eq!(executed(&network, first.key.1), receipt);
    let status = network
        .runtime()
        .block_on(network.client(3).transaction_status(first.key.1));
    assert_eq!(status.unwrap().unwrap().progress.height.unwrap().0, height);

    let second = wallet.transfer(901, 1);
    assert!(network.committed(network.send(&second)) > tip);
    assert_eq!(executed(&network, second.key.1)["status"], "0x1");
}

/// Waits for a receipt of rollup 901.
fn executed(network: &DevNetwork, hash: B256) -> Value {
    let rollup = network.execution(0);
    let mut receipt = Value::Null;
    wait_until("the receipt", SOON, || {
        let asked = rollup.call("eth_getTransactionReceipt", json!([hash]));
        receipt = network.runtime().block_on(asked).unwrap();
        !receipt.is_null()
    })
    .unwrap();
    receipt
}

#[test]
fn killed_dev_network_has_the_same_tip_and_goes_on() {
    keeps_everything("dev-killed", |process| process.kill().unwrap());
}

#[test]
fn dev_network_that_is_told_to_stop_ends_with_0_and_keeps_its_tip() {
    keeps_everything("dev-stopped", |process| {
        let status = process.terminate().unwrap();
        assert_eq!(status.code(), Some(0));
    });
}

/// What `dev` says when it refuses to start.
fn refused(started: Result<Process, Error>) -> String {
    match started {
        Ok(_) => panic!("it starts"),
        Err(Error::Ended { status, log, .. }) => {
            assert_eq!(status.code(), Some(1), "{log}");
            log
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn dev_refuses_another_block_time_and_another_genesis_and_then_still_has_its_network() {
    let mut network = DevNetwork::start("dev-refuses", &["--block-time-ms", "100"]);
    let height = network.committed(network.send(&Wallet::funded().transfer(902, 0)));
    let (tip, hash) = network.tip(0);
    let data = network.data();
    let told = refused(network.try_start(&data, &[]));
    assert!(told.contains("taken") || told.contains("in use"), "{told}");
    network.take_process().kill().unwrap();

    let told = refused(network.try_start(&data, &["--block-time-ms", "300"]));
    assert!(told.contains("block time 100 ms, not 300"), "{told}");

    let other = network.dir().join("other");
    let path = other.display().to_string();
    network
        .command(&["testnet", "init", "--out", &path])
        .succeeded()
        .unwrap();
    let told = refused(network.try_start(&other, &[]));
    assert!(told.contains("another network"), "{told}");

    // The genesis of another dev network beside this one's blocks: in one place, and in all.
    let places = [
        "genesis.json",
        "node0/genesis.json",
        "node1/genesis.json",
        "node2/genesis.json",
    ];
    let own = fs::read_to_string(data.join("genesis.json")).unwrap();
    let other = own.replacen("\"node3\"", "\"node9\"", 1);
    assert_ne!(own, other);
    for place in places {
        fs::write(data.join(place), &other).unwrap();
        let told = refused(network.try_start(&data, &[]));
        assert!(told.contains("network"), "{place}: {told}");
        fs::write(data.join(place), &own).unwrap();
    }
    let every = || places.iter().chain(&["node3/genesis.json"]);
    every().for_each(|place| fs::write(data.join(place), &other).unwrap());
    let told = refused(network.try_start(&data, &[]));
    assert!(told.contains("belongs to network"), "{told}");
    every().for_each(|place| fs::write(data.join(place), &own).unwrap());

    network.start_again(&["--block-time-ms", "100"]);
    assert_eq!(network.block(0, At::Number(tip)).unwrap().hash, hash);
    assert!(height <= tip);
}

#[test]
fn rollups_of_a_dev_network_older_than_the_trust_period_go_on() {
    let mut network = DevNetwork::start("dev-old", &[]);
    network.take_process().kill().unwrap();
    // A network that has not begun yet, as if it had been made long ago.
    let old = network.dir().join("old");
    let path = old.display().to_string();
    network
        .command(&["testnet", "init", "--out", &path])
        .succeeded()
        .unwrap();
    change_genesis(&old, |genesis| {
        "dev".clone_into(&mut genesis.name);
        genesis.time_ms -= OLDER_MS;
    });
    let process = network.try_start(&old, &[]);
    let process = process.unwrap_or_else(|error| panic!("{error}"));
    let sent = Wallet::funded().transfer(901, 0);
    network.committed(network.send(&sent));
    assert_eq!(executed(&network, sent.key.1)["status"], "0x1");
    process.kill().unwrap();
}

//! How processes end: their codes, and what they say meanwhile.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use cloverleaf_testnet::load::Wallet;
use cloverleaf_testnet::process::{Binary, Error, Network, NetworkPlan, wait_until};

use crate::devnet::DevNetwork;
use crate::scene::{Dir, SOON, Scene, Turn};

/// The code of a process that must not sign before somebody has looked (`docs/operations.md`).
const JOURNAL: i32 = 73;

/// The code of a process that was told twice to stop.
const STOPPED_AT_ONCE: i32 = 130;

/// The validator that a dev network started last, and stops first.
const LAST: u16 = 3;

#[test]
fn dev_on_a_damaged_parcel_store_ends_with_the_code_of_a_node_at_every_start() {
    let mut network = DevNetwork::start("dev-damaged", &[]);
    network.committed(network.send(&Wallet::funded().transfer(902, 0)));
    network.take_process().terminate().unwrap();
    let journal = network.data().join("node0/journal");
    let parcels = fs::read_dir(&journal)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("parcels-"))
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    // Whatever is in it, this is no record and no end that was never synced.
    let mut bytes = fs::read(&parcels).unwrap();
    bytes.extend(b"what nobody wrote");
    fs::write(&parcels, &bytes).unwrap();
    for start in 0..2 {
        match network.try_start(&network.data(), &[]) {
            Err(Error::Ended { status, log, .. }) => {
                assert_eq!(status.code(), Some(JOURNAL), "start {start}: {log}");
                assert!(log.contains("is damaged"), "{log}");
            }
            other => panic!("start {start}: {:?}", other.map(drop)),
        }
    }
}

/// Starts of the next test: the moment between two lines of a program is short.
const STARTS: usize = 10;

#[test]
fn node_that_is_told_to_stop_as_soon_as_it_says_that_it_is_ready_ends_in_order() {
    let _turn = Turn::take();
    let binary = Binary::find().unwrap_or_else(|error| panic!("{error}"));
    let dir = Dir::new("stopped-at-once");
    let plan = NetworkPlan {
        validators: 1,
        ..NetworkPlan::default()
    };
    let mut network = Network::init(&binary, &dir.path().join("network"), plan).unwrap();
    for start in 0..STARTS {
        network.start(0).unwrap();
        let status = network.stop(0).unwrap();
        assert_eq!(status.code(), Some(0), "start {start}");
    }
}

#[test]
fn each_node_is_stopped_in_turn_under_load_and_nothing_is_lost_for_senders_or_subscribers() {
    let mut scene = Scene::start("stopped", None);
    scene.subscribe_to_each();
    let load = scene.load(5);
    scene.wait("load is ordered", |seen| seen.transactions_above(0) > 300);
    for node in 0..4 {
        scene.stop(node);
        let tip = scene.seen().tip();
        scene.wait("the others go on", |seen| {
            seen.tip() > tip && seen.transactions_above(tip) > 0 && seen.bundles_above(tip) > 0
        });
        scene.restart(node);
        scene.wait_until_it_takes_part(node);
    }
    let answers = scene.runtime().block_on(load.stop());
    scene.judge(&answers);
    println!(
        "stopped each of four; {} available; {}",
        answers.available.len(),
        scene.seen().totals()
    );
}

#[test]
fn process_that_is_stopping_says_so_and_ends_at_once_when_it_is_told_again() {
    let mut network = DevNetwork::start("dev-twice", &[]);
    // Somebody who never ends the request holds up the orderly stop.
    let mut slow = TcpStream::connect(network.address(LAST, 0)).unwrap();
    let half = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
    slow.write_all(half.as_bytes()).unwrap();
    let mut process = network.take_process();
    process.send_terminate().unwrap();
    let metrics = network.address(LAST, 3);
    wait_until("not ready, but there", SOON, || {
        let Ok(mut asking) = TcpStream::connect(metrics) else {
            return false;
        };
        let question = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let mut answer = String::new();
        let asked = asking
            .write_all(question.as_bytes())
            .and_then(|()| asking.read_to_string(&mut answer));
        asked.is_ok() && answer.starts_with("HTTP/1.1 503") && answer.contains("running: stopping")
    })
    .unwrap();
    assert_eq!(process.terminate().unwrap().code(), Some(STOPPED_AT_ONCE));
}

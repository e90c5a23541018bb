//! A node that was away gets back what the others decided, however long their blocks are.

use std::collections::BTreeMap;

use cloverleaf_mempool::Name;
use cloverleaf_testnet::load::{Signed, Wallet};

use crate::scene::{CHAINS, Scene};

/// Shortest time between blocks, in milliseconds: long enough for one node to hold all parcels of the
/// others after it was away, so that few blocks have all that there is.
const BLOCK_TIME_MS: u64 = 3_000;

/// Users of each of two nodes, and how many transactions of the largest size each sends: 15 MiB for each
/// node.
const USERS: u64 = 2;
const EACH: u64 = 60;

/// Transactions of a block that does not fit into one answer of 8 MiB.
const LONG: usize = 8 * 1024 * 1024 / (128 * 1024);

// C4
#[test]
fn node_that_was_away_gets_blocks_that_come_in_parts() {
    let mut scene = Scene::start("away", Some(BLOCK_TIME_MS));
    let weights = ["block_weight=67108864", "lane_outstanding_weight=33554432"];
    set(&mut scene, &weights);
    scene.kill(2);
    scene.kill(3);
    // Two of four decide nothing, so all of it waits.
    let mut sent = Vec::new();
    for node in 0..2 {
        for signed in of_users(node) {
            scene.make_available(node, &signed);
            sent.push(Name::Transaction(signed.key));
        }
    }
    scene.restart(2);
    scene.wait("everything is placed", |seen| {
        sent.iter().all(|name| seen.place_of(name).is_some())
    });
    let mut counts = BTreeMap::<u64, usize>::new();
    for name in &sent {
        *counts
            .entry(scene.seen().place_of(name).unwrap())
            .or_default() += 1;
    }
    assert!(counts.values().any(|count| *count > LONG), "{counts:?}");

    scene.restart(3);
    scene.wait_until_it_takes_part(3);
    println!("transactions of 128 KiB by height: {counts:?}");
}

fn set(scene: &mut Scene, parameters: &[&str]) {
    let key = scene.network().dir().join("authority.key");
    let key = key.display().to_string();
    let mut command = vec!["network", "set"];
    command.extend(parameters);
    command.extend(["--key", &key]);
    scene.command(0, &command).succeeded().unwrap();
}

fn of_users(node: usize) -> impl Iterator<Item = Signed> {
    let users = (0..USERS).map(move |user| Wallet::seeded(11, node, user));
    users.flat_map(|user| (0..EACH).map(move |nonce| user.long(CHAINS[0], nonce)))
}

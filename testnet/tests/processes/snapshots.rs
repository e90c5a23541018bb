//! A validator that begins with a snapshot beside one that fetches everything.

use std::fs;
use std::path::PathBuf;

use cloverleaf_api::json::At;
use cloverleaf_testnet::load::{Answer, Signed, Wallet};
use cloverleaf_testnet::process::wait_until;
use serde_json::Value;

use crate::scene::{CHAINS, SOON, Scene};

/// Fetches all blocks from its peers.
const FETCHES: usize = 2;

/// Begins with a snapshot.
const RESTORED: usize = 3;

/// A node's directory without what it has decided and signed: the keys are left.
fn wipe(scene: &mut Scene, node: usize) -> PathBuf {
    scene.kill(node);
    let home = scene.network().dir().join(format!("node{node}"));
    fs::remove_dir_all(home.join("db")).unwrap();
    fs::remove_dir_all(home.join("journal")).unwrap();
    home
}

/// What a start of a node that is down would go on from.
fn found(scene: &mut Scene, node: usize) -> Value {
    let home = scene.network().dir().join(format!("node{node}"));
    let checked = scene.run(&["node", "--check", "--home", home.to_str().unwrap()]);
    checked.succeeded().unwrap().json().unwrap()
}

// W1, D4
#[test]
fn node_that_begins_with_a_snapshot_and_one_that_fetches_all_blocks_come_to_be_the_same() {
    let mut scene = Scene::start("snapshots", None);
    let first = Wallet::seeded(11, 0, 0).transfer(CHAINS[0], 0);
    scene.make_available(0, &first);
    let load = scene.load_of(11, 2);
    scene.wait("load is ordered", |seen| seen.transactions_above(0) > 100);
    let snapshot = scene.dir().join("snapshot");
    let (source, snapshot) = (
        scene.network().dir().join("node0"),
        snapshot.to_str().unwrap(),
    );
    let create = [
        "snapshot",
        "create",
        "--home",
        source.to_str().unwrap(),
        "--out",
        snapshot,
    ];
    scene.run(&create).succeeded().unwrap();
    let home = wipe(&mut scene, RESTORED);
    let restore = [
        "snapshot",
        "restore",
        "--home",
        home.to_str().unwrap(),
        "--from",
        snapshot,
    ];
    scene.run(&restore).succeeded().unwrap();
    let begun = scene.network().start(RESTORED).unwrap();
    assert!(begun.height > 0);
    wait_until_its_key_signs(&mut scene, RESTORED);
    scene.wait_until_it_takes_part(RESTORED);
    wipe(&mut scene, FETCHES);
    assert_eq!(scene.network().start(FETCHES).unwrap().height, 0);
    wait_until_its_key_signs(&mut scene, FETCHES);
    scene.wait_until_it_takes_part(FETCHES);
    let answers = scene.runtime().block_on(load.stop());
    scene.judge(&answers);

    let told = [FETCHES, RESTORED].map(|node| tell(&scene, node, &first));
    assert_eq!(told[0], told[1]);
    stop_at_one_height(&mut scene);
    let [mut fetched, mut restored] = [FETCHES, RESTORED].map(|node| found(&mut scene, node));
    assert!(fetched["window"].as_u64() > Some(100), "{fetched}");
    // Who signed what is not the same.
    for of_its_own in ["records", "journals"] {
        fetched[of_its_own] = Value::Null;
        restored[of_its_own] = Value::Null;
    }
    assert_eq!(fetched, restored);
}

/// D4: a key that has forgotten watches until a later block.
fn wait_until_its_key_signs(scene: &mut Scene, node: usize) {
    let name = "cloverleaf_consensus_is_amnesiac";
    let network = scene.network();
    wait_until("its key signs", SOON, || {
        network.metric(node, name) == Some(0)
    })
    .unwrap();
}

/// What a node says of the first blocks, and of a transaction that comes again within the replay window.
fn tell(scene: &Scene, node: usize, placed: &Signed) -> Vec<String> {
    let (client, mut grpc) = (scene.client(node), scene.grpc(node));
    scene.runtime().block_on(async {
        let mut told = Vec::new();
        for height in 1..=5 {
            let block = client.block(At::Number(height)).await.unwrap().unwrap();
            // Of the signatures any quorum will do.
            told.push(format!("{:?}", (block.hash, block.batches, block.bundles)));
        }
        let wait = cloverleaf_api::proto::sequencer::v1::Wait::Committed;
        let again = grpc.submit(placed, wait).await;
        assert!(matches!(again, Answer::Reached(_)), "{again:?}");
        let status = client.transaction_status(placed.key.1).await.unwrap();
        told.push(format!("{:?}", status.unwrap().progress.state));
        told
    })
}

/// Two of four decide nothing: they bring each other to the same height, and stay there.
fn stop_at_one_height(scene: &mut Scene) {
    scene.kill_all();
    for node in [FETCHES, RESTORED] {
        scene.network().start(node).unwrap();
    }
    let latest = |node| {
        let client = scene.client(node);
        let block = scene.runtime().block_on(client.block(At::Latest));
        block.ok().flatten().map(|block| block.hash)
    };
    let are_equal = || latest(FETCHES).is_some() && latest(FETCHES) == latest(RESTORED);
    wait_until("two nodes have the same tip", SOON, are_equal).unwrap();
    scene.kill_all();
}

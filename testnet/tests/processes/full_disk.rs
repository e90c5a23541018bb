//! A disk that is nearly full, with a floor that every disk is below (D6).

use cloverleaf_testnet::process::{get, wait_until};

use crate::scene::{SOON, Scene};

/// More than any disk has, in bytes.
const NO_DISK_BYTES: u64 = 1 << 60;

/// Blocks that the others decide meanwhile: every proposer's turn comes twice.
const BLOCKS_WITHOUT: u64 = 8;

// D6
#[test]
fn node_below_its_hard_floor_writes_nothing_while_the_others_go_on_and_takes_part_above_it() {
    let mut scene = Scene::start("full-disk", None);
    scene.stop(3);
    let floors = ["soft", "hard"].map(|name| format!("--store.disk_{name}_floor_bytes"));
    let flags = floors.map(|flag| format!("{flag}={NO_DISK_BYTES}"));
    let network = scene.network();
    let process = network.launch(3, Vec::new(), &flags).unwrap();
    let started = network.adopt(3, process).unwrap();
    let url = network.metrics_url(3);
    let says_so = wait_until("/readyz names the floor", SOON, || {
        let (status, body) = get(&url, "/readyz").unwrap();
        status == 503 && body.contains("disk: ") && body.contains("disk_hard_floor_bytes")
    });
    says_so.unwrap();
    let tip = scene.seen().tip();
    scene.wait("the others go on", |seen| {
        seen.tip() >= tip + BLOCKS_WITHOUT
    });
    assert_eq!(
        scene.seen().tip_of(3),
        started.height,
        "it serves what it has and writes nothing"
    );
    scene.stop(3);
    scene.restart(3);
    scene.wait_until_it_takes_part(3);
}

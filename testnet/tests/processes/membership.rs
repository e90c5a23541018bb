//! Validators that join, leave, and stay away for a while.

use std::fs;

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_testnet::load::{Answer, Grpc, Wallet};
use cloverleaf_testnet::process::Joiner;
use cloverleaf_types::{Address, ChainId};
use serde_json::json;

use crate::scene::{CHAINS, Scene};

/// Blocks that are watched after a change: every proposer's turn comes several times.
const BLOCKS: u64 = 16;

fn is_validator(scene: &Scene, address: Address) -> bool {
    let seen = scene.seen();
    seen.state().validators().index_of(address).is_some()
}

/// Has the authority schedule a change, and waits until its height is decided.
fn change(scene: &mut Scene, arguments: &[&str], address: Address, joins: bool) -> u64 {
    let key = scene.network().authority_key().display().to_string();
    let with_key = [arguments, &["--key", &key]].concat();
    scene.command(0, &with_key).succeeded().unwrap();
    scene.wait("the set has changed", |seen| {
        let set = seen.state().validators();
        set.index_of(address).is_some() == joins
    });
    scene.seen().tip()
}

#[test]
fn fifth_validator_joins_under_load_and_one_of_four_leaves_and_no_stream_has_a_gap() {
    let mut scene = Scene::start("membership", None);
    let load = scene.load_of(5, 3);
    scene.wait("load is ordered", |seen| seen.transactions_above(0) > 100);
    let Joiner {
        node,
        address,
        peer_id,
    } = scene.join().unwrap();
    // It runs and is refused; nobody is restarted so that it is let in.
    scene.network().start(node).unwrap();
    let text = address.to_string();
    let add = [
        "validator",
        "add",
        &text,
        "--power",
        "1",
        "--peer-id",
        &peer_id,
    ];
    let joined = change(&mut scene, &add, address, true);
    scene.let_in(node);
    scene.wait("it signs", |seen| seen.has_signed(node, address, joined));
    scene.wait("it proposes", |seen| seen.has_proposed(address, joined));
    scene.make_available(node, &Wallet::seeded(5, node, 0).transfer(CHAINS[0], 0));
    scene.wait("its parcels are ordered", |seen| {
        seen.has_sealed(address, joined)
    });

    let genesis = scene.network().genesis().clone();
    let leaving = genesis.validators[3].address;
    let text = leaving.to_string();
    let left = change(&mut scene, &["validator", "remove", &text], leaving, false);
    scene.let_go(3);
    scene.wait("the others go on", |seen| seen.tip() >= left + BLOCKS);
    assert!(!scene.seen().has_proposed(leaving, left));
    assert!(is_validator(&scene, address) && !is_validator(&scene, leaving));
    let signed = Wallet::seeded(6, 3, 0).transfer(CHAINS[0], 0);
    let mut client: Grpc = scene.grpc(3);
    let answer = scene
        .runtime()
        .block_on(client.submit(&signed, Wait::Available));
    assert!(
        matches!(&answer, Answer::Refused(reason) if reason == "notValidator"),
        "{answer:?}"
    );
    let answers = scene.runtime().block_on(load.stop());
    // Both followers began with genesis' validators.
    scene.judge(&answers);
    check_trust(&scene);
}

/// A root from before the changes verifies nothing of after them, until it is advanced.
fn check_trust(scene: &Scene) {
    let dir = scene.dir();
    let file = |name: &str| dir.join(name).display().to_string();
    let (proof_file, old, new) = (
        file("proof.json"),
        file("network/trust.json"),
        file("new.json"),
    );
    // First, since a proof of before its root is refused; blocks may still come.
    let advanced = scene
        .command(0, &["trust", "--from", &old])
        .succeeded()
        .unwrap();
    fs::write(&new, &advanced.stdout).unwrap();
    let client = scene.client(0);
    let proof = scene
        .runtime()
        .block_on(client.head_proof(ChainId(CHAINS[1])));
    fs::write(&proof_file, json!(proof.unwrap().unwrap()).to_string()).unwrap();
    let refused = scene.run(&["verify", &proof_file, "--trust", &old]);
    assert_eq!(refused.json().unwrap()["step"], "validators");
    assert!(
        refused.stderr.contains("cloverleaf trust --from"),
        "{refused:?}"
    );
    let proven = scene.run(&["verify", &proof_file, "--trust", &new]);
    assert_eq!(proven.succeeded().unwrap().json().unwrap()["valid"], true);
}

// P1
#[test]
fn absent_validator_is_skipped_after_it_was_waited_for_and_proposes_again_when_it_is_back() {
    let mut scene = Scene::start("absent", None);
    let load = scene.load_of(7, 2);
    let away = scene.network().genesis().validators[2].address;
    scene.wait("all propose", |seen| seen.has_proposed(away, 0));
    scene.kill(2);
    let killed = scene.seen().tip();
    let blocks = 3 * BLOCKS;
    scene.wait("the others go on", |seen| seen.tip() >= killed + blocks);
    assert!(scene.seen().state().absent().contains_key(&away));
    // Each fourth block would be its own.
    let waited = scene.seen().waited_for(away, killed);
    assert!(
        (1..=4).contains(&waited),
        "{waited} of {blocks} blocks waited for it"
    );

    scene.restart(2);
    scene.wait_until_it_takes_part(2);
    scene.wait("its mark ends", |seen| {
        !seen.state().absent().contains_key(&away)
    });
    let back = scene.seen().tip();
    scene.wait("it proposes again", |seen| seen.has_proposed(away, back));
    let answers = scene.runtime().block_on(load.stop());
    scene.judge(&answers);
}

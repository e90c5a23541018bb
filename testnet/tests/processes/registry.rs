//! A third rollup joins a running network under load.

use cloverleaf_api::json::quantity;
use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_client::RpcClient;
use cloverleaf_mempool::Name;
use cloverleaf_testnet::load::{Answer, Wallet};
use cloverleaf_testnet::process::wait_until;
use cloverleaf_types::ChainId;
use serde_json::Value;

use crate::scene::{CHAINS, SOON, Scene, now_ms};

/// The network's own chain.
const CONTROL: u64 = 0;

/// The rollup that joins.
const GAMMA: u64 = 903;

/// How long a bundle may wait, in milliseconds.
const LIFETIME_MS: u64 = 30_000;

// S1
#[test]
fn rollup_registered_under_load_is_in_bundles_with_the_others_without_a_restart_of_any_validator() {
    let mut scene = Scene::start("registry", None);
    scene.network().start_rollups().unwrap();
    let load = scene.load(3);
    scene.wait("load is ordered", |seen| seen.transactions_above(0) > 300);

    let registered = register(&mut scene);
    scene.network().start_rollup(GAMMA, 2).unwrap();
    scene.follow(CONTROL);
    scene.follow(GAMMA);
    wait_until_all_know_it(&scene);
    let mut bundles = Vec::new();
    for node in 0..4 {
        let wallet = Wallet::seeded(7, node, 0);
        let legs = [CHAINS[0], CHAINS[1], GAMMA].map(|chain_id| wallet.transfer(chain_id, 0));
        let mut client = scene.grpc(node);
        let max_timestamp_ms = now_ms() + LIFETIME_MS;
        let submit = client.submit_bundle(&legs, max_timestamp_ms, Wait::Committed);
        match scene.runtime().block_on(submit) {
            Answer::Reached(Name::Bundle(hash)) => bundles.push(hash),
            other => panic!("node {node}: {other:?}"),
        }
    }
    let answers = scene.runtime().block_on(load.stop());
    scene.judge(&answers);
    scene.wait(
        "followers of the new rollup and of chain 0 have everything once",
        |seen| seen.is_followed(&[CONTROL, GAMMA]),
    );
    for hash in bundles {
        let placed = scene.seen().place_of(&Name::Bundle(hash)).unwrap();
        assert!(
            placed > registered,
            "placed in {placed}, registered in {registered}"
        );
    }
    audit(&mut scene);
}

/// The height of the block that registers the rollup.
fn register(scene: &mut Scene) -> u64 {
    let key = scene.network().dir().join("authority.key");
    let key = key.display().to_string();
    let id = GAMMA.to_string();
    let authority = scene.network().genesis().authority.to_string();
    let by = |signer: &[&str]| {
        let add = [&["rollup", "add", &id, "--name", "gamma"], signer].concat();
        scene.command(0, &add).succeeded().unwrap()
    };
    // Who signs elsewhere needs no key here, and signs the same.
    let with_key = by(&["--typed-data", "--key", &key]).json().unwrap();
    let elsewhere = by(&["--typed-data", "--signer", &authority]).json();
    assert_eq!(elsewhere.unwrap(), with_key);
    let added = by(&["--key", &key]);
    let height = &added.json().unwrap()["height"];
    height.as_str().and_then(quantity::parse).unwrap()
}

fn wait_until_all_know_it(scene: &Scene) {
    for node in 0..4 {
        let client = RpcClient::new(&scene.http_url(node)).unwrap();
        let known = || {
            let rollups = scene.runtime().block_on(client.rollups()).unwrap();
            rollups.iter().any(|it| it.chain_id == ChainId(GAMMA))
        };
        wait_until("the rollup is registered", SOON, known).unwrap();
    }
}

/// What the three embedded rollups executed is whole.
fn audit(scene: &mut Scene) {
    let execution = format!("{GAMMA}={}", scene.network().rollup_url(2));
    let ids = [CHAINS[0], CHAINS[1], GAMMA].map(|id| id.to_string());
    let [alpha, beta, gamma] = &ids;
    let audit = [
        "rollup",
        "audit",
        alpha,
        beta,
        gamma,
        "--execution",
        &execution,
    ];
    let report: Value = scene
        .command(2, &audit)
        .succeeded()
        .unwrap()
        .json()
        .unwrap();
    assert_eq!(report["bundlesChecked"], scene.seen().totals().bundles);
}

//! A rollup's node that loses the sequencers it follows, one after the other.

use std::fs;
use std::path::Path;

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_client::RpcClient;
use cloverleaf_testnet::external::Node;
use cloverleaf_testnet::load::{Answer, Grpc, Wallet};
use cloverleaf_testnet::process::{Binary, Network, NetworkPlan, Process, wait_until};
use cloverleaf_types::{ChainId, Genesis};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::scene::{CHAINS, Dir, SOON, Scene, Turn};

/// A node that is never killed here.
const UP: Node = 2;

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:1";

/// A rollup's node, and its JSON-RPC.
struct Follower {
    process: Process,
    client: RpcClient,
}

impl Follower {
    fn start(scene: &mut Scene, name: &str, port: u16, upstreams: &[String]) -> Self {
        let network = scene.network();
        let started = network.follow_rollup(name, CHAINS[0], port, upstreams);
        Self {
            process: started.unwrap_or_else(|error| panic!("{error}")),
            client: RpcClient::new(&network.rollup_url(port)).unwrap(),
        }
    }

    fn ask(&self, scene: &Scene, method: &str, params: Value) -> Value {
        let asked = self.client.call(method, params);
        scene.runtime().block_on(asked).unwrap()
    }

    /// Waits until it has executed a batch; block after block, what it has come to.
    fn blocks(&mut self, scene: &Scene, last: u64) -> Vec<(Value, Value)> {
        let waited = wait_until(format!("block {last} is executed"), SOON, || {
            self.ask(scene, "eth_blockNumber", json!([])) == format!("{last:#x}")
        });
        waited.unwrap_or_else(|error| panic!("{error}: {}", self.process.log()));
        let blocks = (1..=last).map(|number| {
            let number = format!("{number:#x}");
            let block = self.ask(scene, "eth_getBlockByNumber", json!([number, false]));
            (block["hash"].clone(), block["stateRoot"].clone())
        });
        blocks.collect()
    }
}

/// Commits some transfers through a node that stays up; how many batches the rollup then has.
fn commit(scene: &Scene, nonces: std::ops::Range<u64>) -> u64 {
    let wallet = Wallet::funded();
    let mut grpc = scene.grpc(UP);
    for nonce in nonces {
        let signed = wallet.transfer(CHAINS[0], nonce);
        let answer = grpc.submit(&signed, Wait::Committed);
        let answer = scene.runtime().block_on(answer);
        assert!(matches!(answer, Answer::Reached(_)), "{answer:?}");
    }
    let client = RpcClient::new(&scene.http_url(UP)).unwrap();
    let head = client.head(ChainId(CHAINS[0]));
    scene.runtime().block_on(head).unwrap().seq
}

// Astria#2009: after a sequencer was restarted its readers got no more commits.
#[test]
fn rollup_goes_on_with_another_sequencer_when_the_one_it_follows_is_killed() {
    let mut scene = Scene::start("upstreams", None);
    let urls = scene.network().grpc_urls();
    let upstreams = [NOBODY.to_owned(), urls[0].clone(), urls[1].clone()];
    let mut follower = Follower::start(&mut scene, "follower", 0, &upstreams);
    let mut other = Follower::start(&mut scene, "other", 1, &urls[UP..]);

    // It follows the first that works.
    let executed = commit(&scene, 0..3);
    let before = follower.blocks(&scene, executed);
    scene.kill(0);
    let executed = commit(&scene, 3..6);
    let both = follower.blocks(&scene, executed);
    assert_eq!(both[..before.len()], before, "nothing is executed twice");

    // The second is killed when the first is back.
    scene.restart(0);
    scene.wait_until_it_takes_part(0);
    scene.kill(1);
    let executed = commit(&scene, 6..9);
    let after = follower.blocks(&scene, executed);
    assert_eq!(after[..both.len()], both);

    // Killed itself, it goes on where it was.
    follower.process.kill().unwrap();
    let executed = commit(&scene, 9..12);
    let mut follower = Follower::start(&mut scene, "follower", 0, &upstreams);
    let all = follower.blocks(&scene, executed);
    assert_eq!(all[..after.len()], after);

    // Who lost nobody has come to the same.
    assert_eq!(other.blocks(&scene, executed), all);
    let root = |block: &(Value, Value)| block.1.clone();
    assert_ne!(
        all.first().map(root),
        all.last().map(root),
        "nothing was executed"
    );
    scene.restart(1);
    scene.check();
}

/// A day longer than the trust period, in milliseconds.
pub(crate) const OLDER_MS: u64 = 15 * 24 * 3_600_000;

/// Changes the genesis of a network of four that has not begun.
pub(crate) fn change_genesis(dir: &Path, change: impl FnOnce(&mut Genesis)) {
    let text = fs::read_to_string(dir.join("genesis.json")).unwrap();
    let mut genesis: Genesis = serde_json::from_str(&text).unwrap();
    change(&mut genesis);
    let text = serde_json::to_string_pretty(&genesis).unwrap();
    for place in [".", "node0", "node1", "node2", "node3"] {
        fs::write(dir.join(place).join("genesis.json"), &text).unwrap();
    }
}

/// Waits until a rollup's node has executed a batch.
fn wait_for_block(runtime: &Runtime, url: &str, number: u64, process: &Process) {
    let client = RpcClient::new(url).unwrap();
    let waited = wait_until(format!("block {number} is executed"), SOON, || {
        let asked = client.call::<Value>("eth_blockNumber", json!([]));
        runtime.block_on(asked).unwrap() == format!("{number:#x}")
    });
    waited.unwrap_or_else(|error| panic!("{error}: {}", process.log()));
}

#[test]
fn rollup_of_a_network_older_than_the_trust_period_begins_with_a_given_root_and_goes_on_without_it()
{
    let _turn = Turn::take();
    let (binary, runtime) = (Binary::find().unwrap(), Runtime::new().unwrap());
    let dir = Dir::new("upstreams-old");
    let home = dir.path().join("network");
    let plan = NetworkPlan {
        validators: 4,
        ..NetworkPlan::default()
    };
    let mut network = Network::init(&binary, &home, plan).unwrap();
    change_genesis(&home, |genesis| genesis.time_ms -= OLDER_MS);
    network.start_all().unwrap();
    let entered = runtime.enter();
    let mut grpc = Grpc::new(&network.grpc_urls()[0]).unwrap();
    drop(entered);
    let mut commit = |nonce| {
        let signed = Wallet::funded().transfer(CHAINS[0], nonce);
        let answer = runtime.block_on(grpc.submit(&signed, Wait::Committed));
        assert!(matches!(answer, Answer::Reached(_)), "{answer:?}");
    };

    commit(0);
    let (http, url) = (network.http_url(0), network.rollup_url(0));
    let trusted = binary.run(["trust", "--rpc", &http]).unwrap();
    let trust = dir.path().join("given.json");
    fs::write(&trust, trusted.succeeded().unwrap().stdout).unwrap();
    let mut arguments = vec!["rollup".to_owned(), "run".to_owned(), CHAINS[0].to_string()];
    let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
    option("--genesis", home.join("genesis.json").display().to_string());
    option("--trust", trust.display().to_string());
    option("--data", home.join("follower").display().to_string());
    option("--listen", url.replace("http://", ""));
    option("--upstream", network.grpc_urls()[0].clone());
    let mut process = Process::start(&binary, "given", &home, &arguments).unwrap();
    process.ready().unwrap();
    wait_for_block(&runtime, &url, 1, &process);
    // What it trusts by now is written when it asks for the next batch.
    let kept = home.join("follower/trust.json");
    wait_until("the root is kept", SOON, || kept.is_file()).unwrap();
    process.kill().unwrap();

    commit(1);
    let urls = network.grpc_urls();
    let process = network.follow_rollup("follower", CHAINS[0], 0, &urls);
    let process = process.unwrap_or_else(|error| panic!("{error}"));
    wait_for_block(&runtime, &url, 2, &process);
    process.kill().unwrap();
}

//! A rollup's node that loses the sequencers it follows, one after the other.

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_client::RpcClient;
use cloverleaf_testnet::external::Node;
use cloverleaf_testnet::load::{Answer, Wallet};
use cloverleaf_testnet::process::{Process, wait_until};
use cloverleaf_types::ChainId;
use serde_json::{Value, json};

use crate::scene::{CHAINS, SOON, Scene};

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

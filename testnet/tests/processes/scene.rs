//! Four processes and those who watch them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_client::RpcClient;
use cloverleaf_mempool::Name;
use cloverleaf_testnet::external::{Node, Seen, Watched};
use cloverleaf_testnet::load::{
    Answer, Answers, Grpc, Lives, Load, Plan, Signed, Targets, Told, Wallet,
};
use cloverleaf_testnet::process::{Binary, Finished, Network, NetworkPlan, Started, wait_until};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// How long anything may take that a healthy network does in a second or two: the cores are shared.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// The rollups.
pub(crate) const CHAINS: [u64; 2] = [901, 902];

/// What users offer in a second: transactions and bundles.
const OFFERED: (usize, usize) = (380, 8);

/// A running network, watched from outside.
pub(crate) struct Scene {
    network: Network,
    binary: Binary,
    watched: Watched,
    lives: Lives,
    /// Each node's place in the validator set.
    validators: Vec<u32>,
    /// Nodes that are no validators any more: they stop following.
    removed: Vec<Node>,
    watchers: JoinSet<()>,
    runtime: Runtime,
    /// Removed after the processes have ended.
    dir: Dir,
    _turn: Turn,
}

/// Held while a network runs: what two do at a time says nothing about either. Other processes that
/// run these tests wait too, so the directories are this one's.
pub(crate) struct Turn {
    _in_this_process: MutexGuard<'static, ()>,
    _on_this_machine: File,
}

impl Turn {
    /// Waits for all others.
    pub(crate) fn take() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let in_this_process = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = Path::new(env!("CARGO_TARGET_TMPDIR")).join("processes.lock");
        let lock = File::create(lock).unwrap();
        lock.lock().unwrap();
        Self {
            _in_this_process: in_this_process,
            _on_this_machine: lock,
        }
    }
}

/// An empty directory for a test, removed when the test has passed: a node's disk is 75 MB.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("processes-{name}"));
        let _what_a_failed_run_left = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _gone = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// Now, in milliseconds since 1970, as the nodes have it.
#[expect(clippy::disallowed_methods, reason = "real processes have real time")]
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap().as_millis()).unwrap()
}

impl Scene {
    /// Makes a network of four and starts it.
    pub(crate) fn start(name: &str, block_time_ms: Option<u64>) -> Self {
        let turn = Turn::take();
        let binary = Binary::find().unwrap_or_else(|error| panic!("{error}"));
        let plan = NetworkPlan {
            validators: 4,
            block_time_ms,
        };
        let dir = Dir::new(name);
        let network = Network::init(&binary, &dir.path().join("network"), plan).unwrap();
        let genesis = network.genesis().clone();
        let (watched, runtime) = (
            Watched::new(&genesis, plan.validators),
            Runtime::new().unwrap(),
        );
        let mut watchers = JoinSet::new();
        for (node, url) in network.grpc_urls().into_iter().enumerate() {
            watchers.spawn_on(watched.clone().blocks(node, url), runtime.handle());
        }
        for chain_id in CHAINS {
            let follow = watched
                .clone()
                .rollup(genesis.clone(), chain_id, network.grpc_urls());
            watchers.spawn_on(follow, runtime.handle());
        }
        let mut scene = Self {
            lives: Lives::new(plan.validators),
            network,
            binary,
            watched,
            validators: Vec::new(),
            removed: Vec::new(),
            watchers,
            runtime,
            dir,
            _turn: turn,
        };
        let set = genesis.validator_set().unwrap();
        for node in 0..plan.validators {
            let started = scene.restart(node);
            scene
                .validators
                .push(set.index_of(started.validator).unwrap());
        }
        scene.wait("all have the first block", |seen| {
            (0..4).all(|node| seen.tip_of(node) > 0)
        });
        scene
    }

    /// Follows one more chain, as its own node would.
    pub(crate) fn follow(&mut self, chain_id: u64) {
        let (genesis, upstreams) = (self.network.genesis().clone(), self.network.grpc_urls());
        let follow = self.watched.clone().rollup(genesis, chain_id, upstreams);
        self.watchers.spawn_on(follow, self.runtime.handle());
    }

    /// JSON-RPC of a node.
    pub(crate) fn http_url(&self, node: Node) -> String {
        self.network.http_url(node)
    }

    pub(crate) fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.watched.lock()
    }

    pub(crate) fn grpc(&self, node: Node) -> Grpc {
        let _entered = self.runtime.enter();
        Grpc::new(&self.network.grpc_urls()[node]).unwrap()
    }

    /// Waits until it is so, and fails with all that is known otherwise.
    pub(crate) fn wait(&mut self, what: &str, mut is_so: impl FnMut(&Seen) -> bool) {
        let watched = self.watched.clone();
        let waited = wait_until(what, SOON, || {
            let seen = watched.lock();
            seen.fault().is_some() || is_so(&seen)
        });
        self.check();
        let totals = self.seen().totals();
        let tips: Vec<u64> = (0..4).map(|node| self.seen().tip_of(node)).collect();
        waited.unwrap_or_else(|error| panic!("{error}; tips: {tips:?}; {totals}"));
    }

    /// Fails if anything was seen that must not be, or a process ended by itself.
    pub(crate) fn check(&mut self) {
        self.network
            .check()
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(self.seen().fault(), None);
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, node: Node) {
        self.lives.end(node);
        self.network
            .kill(node)
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// SIGTERM; it ends in order.
    pub(crate) fn stop(&mut self, node: Node) {
        self.lives.end(node);
        let ended = self.network.stop(node);
        let status = ended.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(status.code(), Some(0), "node {node}");
    }

    /// `kill -9` of all.
    pub(crate) fn kill_all(&mut self) {
        (0..4).for_each(|node| self.lives.end(node));
        self.network
            .kill_all()
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// Starts a node that is down. What it announced before, it has.
    pub(crate) fn restart(&mut self, node: Node) -> Started {
        let announced = self.seen().tip_of(node);
        let started = self
            .network
            .start(node)
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(
            started.height >= announced,
            "node {node} announced height {announced} and came back with {}",
            started.height
        );
        started
    }

    /// Waits until a restarted node has what the others have, signs with them, and what it takes in is
    /// ordered again.
    pub(crate) fn wait_until_it_takes_part(&mut self, node: Node) {
        let (tip, validator) = (self.seen().tip(), self.validators[node]);
        let what = |doing: &str| format!("node {node} {doing} after height {tip}");
        self.wait(&what("has the blocks"), |seen| seen.tip_of(node) >= tip);
        self.make_available(node, &Wallet::seeded(tip, node, 0).transfer(CHAINS[0], 0));
        self.wait(&what("signs"), |seen| seen.has_signed(node, validator, tip));
        self.wait(&what("has its parcels ordered"), |seen| {
            seen.has_sealed(validator, tip)
        });
    }

    /// Starts users of all nodes.
    pub(crate) fn load(&self, seed: u64) -> Load {
        self.load_of(seed, 4)
    }

    /// Starts users of the first nodes.
    pub(crate) fn load_of(&self, seed: u64, nodes: usize) -> Load {
        let targets = Targets {
            grpc: self.network.grpc_urls()[..nodes].to_vec(),
            http: (0..nodes).map(|node| self.network.http_url(node)).collect(),
            chain_ids: CHAINS.to_vec(),
        };
        let plan = Plan::of_rates(seed, OFFERED.0, OFFERED.1);
        Load::start(plan, &targets, &self.lives, self.runtime.handle()).unwrap()
    }

    /// A node is removed from the validators: it need not have the latest blocks any more.
    pub(crate) fn let_go(&mut self, node: Node) {
        self.removed.push(node);
    }

    /// Submits a transaction to a node, and waits until it is available.
    pub(crate) fn make_available(&self, node: Node, signed: &Signed) {
        let mut client = self.grpc(node);
        let answer = self
            .runtime
            .block_on(client.submit(signed, Wait::Available));
        assert!(matches!(answer, Answer::Reached(_)), "{answer:?}");
    }

    /// Runs a command that needs no node.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        self.binary.run(["--json"].iter().chain(arguments)).unwrap()
    }

    /// JSON-RPC of a node.
    pub(crate) fn client(&self, node: Node) -> RpcClient {
        RpcClient::new(&self.network.http_url(node)).unwrap()
    }

    /// Where this scene's files are.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs a client command against a node.
    pub(crate) fn command(&self, node: Node, arguments: &[&str]) -> Finished {
        let url = self.network.http_url(node);
        let to_node = ["--json", "--rpc", &url];
        self.binary.run(arguments.iter().chain(&to_node)).unwrap()
    }

    /// Nothing that was available is lost, nothing is there twice, all nodes and followers agree.
    pub(crate) fn judge(&mut self, answers: &Answers) {
        assert!(answers.wrong.is_empty(), "{:?}", answers.wrong);
        let lives = self.lives.clone();
        let received = answers.received.iter();
        let kept = received.filter(|told| lives.of(told.node) == told.life);
        let mut open: Vec<Told> = answers.available.iter().chain(kept).copied().collect();
        assert!(!open.is_empty(), "nothing was promised");
        let watched = self.watched.clone();
        let all_placed = wait_until("all that was promised is in a block", SOON, || {
            let seen = watched.lock();
            open.retain(|told| seen.place_of(&told.name).is_none());
            open.is_empty()
        });
        self.check();
        if all_placed.is_err() {
            open.retain(|told| !self.is_dropped_with_a_reason(told));
            assert!(
                open.is_empty(),
                "{} are lost, such as {:?}",
                open.len(),
                open[0]
            );
        }
        self.wait_until_all_agree();
    }

    fn is_dropped_with_a_reason(&self, told: &Told) -> bool {
        let client = RpcClient::new(&self.network.http_url(told.node)).unwrap();
        let progress = self.runtime.block_on(async {
            match told.name {
                Name::Transaction((_, id)) => client
                    .transaction_status(id)
                    .await
                    .unwrap()
                    .map(|status| status.progress),
                Name::Bundle(hash) => client
                    .bundle_status(hash)
                    .await
                    .unwrap()
                    .map(|status| status.progress),
            }
        });
        progress.is_some_and(|progress| progress.state.is_final() && progress.reason.is_some())
    }

    /// Waits until all nodes have one tip and the followers all batches; it is the tip by JSON-RPC too.
    fn wait_until_all_agree(&mut self) {
        let nodes: Vec<Node> = (0..4).filter(|it| !self.removed.contains(it)).collect();
        let all_same = |seen: &Seen| nodes.iter().all(|node| seen.tip_of(*node) == seen.tip());
        self.wait("all nodes have the same tip", all_same);
        self.wait("followers have everything once", |seen| {
            seen.is_followed(&CHAINS)
        });
        let (tip, hash) = {
            let seen = self.seen();
            (seen.tip(), seen.hash(seen.tip()).unwrap())
        };
        for node in nodes {
            let block = self.hash_at(node, tip);
            assert_eq!(block, Some(hash), "node {node} at height {tip}");
        }
    }

    fn hash_at(&self, node: Node, height: u64) -> Option<cloverleaf_types::B256> {
        let client = RpcClient::new(&self.network.http_url(node)).unwrap();
        let at = cloverleaf_api::json::At::Number(height);
        let block = self.runtime.block_on(client.block(at)).unwrap();
        block.map(|block| block.hash)
    }
}

//! Put a network of processes on a stage: users before it, watchers around it, a judge behind it.
//!
//! # Design
//! ```text
//!   Stage ─► process::Network      validators, started, killed, started again
//!     ├────► load::Load            users, who keep what they were told
//!     ├────► external::Watched     blocks of every node, streams of both rollups
//!     ├────► judging               promises kept, one tip, every stream whole
//!     └────► signatures            the journals of all lives: no key signed two things
//! ```
//! Nothing here panics when the network does wrong: it is a [`Fault`], with what is known of it.

mod breaking;
mod dir;
mod error;
mod judging;
mod signatures;

use std::path::Path;
use std::sync::MutexGuard;
use std::time::{Duration, SystemTime};

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_client::RpcClient;
use cloverleaf_types::{Address, ChainId};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::external::{Node, Seen, Watched};
use crate::load::{Answer, Grpc, Lives, Load, Plan, Signed, Targets};
use crate::process::{Binary, Error, Finished, Host, Joiner, Network, NetworkPlan, Stopwatch};

pub use dir::Dir;
pub use error::Fault;
pub use signatures::Signatures;

/// How long anything may take that a healthy network does in a second or two: the cores are shared.
pub const SOON: Duration = Duration::from_secs(40);

/// The rollups.
pub const CHAINS: [u64; 2] = [901, 902];

/// How many validators begin, unless a plan says otherwise: the fewest that tolerate a fault.
pub const VALIDATORS: usize = 4;

/// Most nodes of a network: those that its ports are enough for.
const NODES_MAX: usize = 10;

/// How the network on a stage is made.
#[derive(Clone, Debug)]
pub struct StagePlan {
    /// How many validators begin.
    pub validators: usize,
    /// Shortest time between two blocks, in milliseconds; the usual one without.
    pub block_time_ms: Option<u64>,
    /// Where each node runs; empty when all share the loopback.
    pub hosts: Vec<Host>,
    /// Settings that every node is started with, as flags.
    pub flags: Vec<String>,
}

impl Default for StagePlan {
    fn default() -> Self {
        Self {
            validators: VALIDATORS,
            block_time_ms: None,
            hosts: Vec::new(),
            flags: Vec::new(),
        }
    }
}

/// A network, watched from outside.
pub struct Stage {
    network: Network,
    binary: Binary,
    watched: Watched,
    lives: Lives,
    /// The validator that each node is.
    validators: Vec<Address>,
    /// Nodes that are no validators any more: they stop following.
    removed: Vec<Node>,
    watchers: JoinSet<()>,
    runtime: Runtime,
}

/// Now, in milliseconds since 1970, as the nodes have it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "real processes have real time")]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

impl Stage {
    /// Makes a network in a directory and starts it.
    ///
    /// # Errors
    /// It does not begin to decide.
    pub fn start(binary: &Binary, dir: &Dir, plan: StagePlan) -> Result<Self, Fault> {
        let mut stage = Self::make(binary, &dir.path().join("network"), plan)?;
        stage.start_all()?;
        Ok(stage)
    }

    /// Makes a network in a directory, which is new. Nothing runs yet but those who watch.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make(binary: &Binary, home: &Path, plan: StagePlan) -> Result<Self, Fault> {
        let StagePlan {
            validators,
            block_time_ms,
            hosts,
            flags,
        } = plan;
        let plan = NetworkPlan {
            validators,
            block_time_ms,
            ..NetworkPlan::default()
        };
        let mut network = Network::init_at(binary, home, plan, hosts)?;
        network.set_flags(flags);
        let genesis = network.genesis().clone();
        let mut stage = Self {
            lives: Lives::new(NODES_MAX),
            watched: Watched::new(&genesis, validators),
            validators: genesis.validators.iter().map(|it| it.address).collect(),
            network,
            binary: binary.clone(),
            removed: Vec::new(),
            watchers: JoinSet::new(),
            runtime: Runtime::new().map_err(Error::system("starting a runtime"))?,
        };
        for node in 0..validators {
            stage.watch(node);
        }
        CHAINS
            .into_iter()
            .for_each(|chain_id| stage.follow(chain_id));
        Ok(stage)
    }

    /// Starts all nodes, none of which runs, and waits until each has a block.
    ///
    /// # Errors
    /// It does not begin to decide.
    pub fn start_all(&mut self) -> Result<(), Fault> {
        let nodes = 0..self.network.validators();
        for node in nodes.clone() {
            self.restart(node)?;
        }
        self.wait("all have the first block", |seen| {
            nodes.clone().all(|node| seen.tip_of(node) > 0)
        })
    }

    /// Makes one more node, which is watched from now on; it does not run, and is no validator.
    ///
    /// # Errors
    /// Its directory cannot be made.
    pub fn join(&mut self) -> Result<Joiner, Fault> {
        let joiner = self.network.join()?;
        let node = self.watched.lock().add_node();
        self.validators.push(joiner.address);
        self.removed.push(node);
        self.watch(node);
        Ok(joiner)
    }

    fn watch(&mut self, node: Node) {
        let url = self.network.grpc_urls().swap_remove(node);
        let watch = self.watched.clone().blocks(node, url);
        self.watchers.spawn_on(watch, self.runtime.handle());
    }

    /// Follows one more chain, as its own node would, over all sequencers.
    pub fn follow(&mut self, chain_id: u64) {
        self.follow_at(chain_id, self.network.grpc_urls());
    }

    /// Follows a chain at one node alone, through every death of its.
    ///
    /// # Panics
    /// There is no such node.
    pub fn follow_one(&mut self, chain_id: u64, node: Node) {
        let url = self.network.grpc_urls().swap_remove(node);
        self.follow_at(chain_id, vec![url]);
    }

    fn follow_at(&mut self, chain_id: u64, upstreams: Vec<String>) {
        let genesis = self.network.genesis().clone();
        let follow = self.watched.clone().rollup(genesis, chain_id, upstreams);
        self.watchers.spawn_on(follow, self.runtime.handle());
    }

    /// Starts users of the first nodes. No two loads of one network may have the same seed.
    ///
    /// # Errors
    /// Never: the nodes have addresses.
    pub fn load(&self, plan: Plan, nodes: usize) -> Result<Load, Fault> {
        let targets = Targets {
            grpc: self.network.grpc_urls()[..nodes].to_vec(),
            http: (0..nodes).map(|node| self.network.http_url(node)).collect(),
            chain_ids: CHAINS.to_vec(),
        };
        Ok(Load::start(
            plan,
            &targets,
            &self.lives,
            self.runtime.handle(),
        )?)
    }

    /// The processes.
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// Where everything asynchronous runs.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// What was seen so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.watched.lock()
    }

    /// The validator that a node is, or was, or may be.
    ///
    /// # Panics
    /// There is no such node.
    #[must_use]
    pub fn validator(&self, node: Node) -> Address {
        self.validators[node]
    }

    /// The nodes that are validators.
    #[must_use]
    pub fn members(&self) -> Vec<Node> {
        let all = 0..self.network.validators();
        all.filter(|node| !self.removed.contains(node)).collect()
    }

    /// JSON-RPC of a node.
    #[must_use]
    pub fn http_url(&self, node: Node) -> String {
        self.network.http_url(node)
    }

    /// JSON-RPC of a rollup's node, by its port.
    #[must_use]
    pub fn rollup_url(&self, port: u16) -> String {
        self.network.rollup_url(port)
    }

    /// JSON-RPC of a node.
    ///
    /// # Panics
    /// Never: the node has an address.
    #[must_use]
    pub fn client(&self, node: Node) -> RpcClient {
        RpcClient::new(&self.network.http_url(node)).expect("a node has an address")
    }

    /// gRPC of a node.
    ///
    /// # Panics
    /// There is no such node.
    #[must_use]
    pub fn grpc(&self, node: Node) -> Grpc {
        let _entered = self.runtime.enter();
        Grpc::new(&self.network.grpc_urls()[node]).expect("a node has an address")
    }

    /// What a node answers to a transaction when it has come so far, or will not.
    #[must_use]
    pub fn answer(&self, node: Node, signed: &Signed, wait: Wait) -> Answer {
        let mut client = self.grpc(node);
        self.runtime.block_on(client.submit(signed, wait))
    }

    /// Submits a transaction to a node, and waits until it has come so far; a node says after 10 s that it
    /// has not yet, and is asked again.
    ///
    /// # Errors
    /// It has not.
    pub fn submit(&self, node: Node, signed: &Signed, wait: Wait) -> Result<(), Fault> {
        let watch = Stopwatch::start();
        loop {
            match self.answer(node, signed, wait) {
                Answer::Reached(_) => return Ok(()),
                Answer::Late(_) if watch.elapsed() < SOON => {}
                other => {
                    let chain_id = signed.key.0;
                    return Err(Fault::broken(format!(
                        "node {node} answers {other:?} to a transaction of {chain_id}"
                    )));
                }
            }
        }
    }

    /// Runs a command that needs no node.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Finished, Fault> {
        Ok(self.binary.run(["--json"].iter().chain(arguments))?)
    }

    /// Runs a client command against a node.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn command(&self, node: Node, arguments: &[&str]) -> Result<Finished, Fault> {
        let url = self.network.http_url(node);
        let to_node = ["--json", "--rpc", &url];
        Ok(self.binary.run(arguments.iter().chain(&to_node))?)
    }

    /// Whatever is started from now on is of this version.
    pub fn go_on_with(&mut self, binary: &Binary) {
        self.binary = binary.clone();
        self.network.set_binary(binary);
    }

    /// The binary that nodes are started with.
    #[must_use]
    pub fn binary(&self) -> &Binary {
        &self.binary
    }

    /// A rollup's batches in the blocks that were seen.
    #[must_use]
    pub fn batches(&self, chain_id: u64) -> usize {
        self.seen().batches(ChainId(chain_id)).len()
    }
}

//! Four processes with honest users, for those who attack them: what they hold, and whether everybody
//! honest is served meanwhile.

mod honest;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cloverleaf_testnet::external::{Node, Seen, Watched};
use cloverleaf_testnet::process::{Binary, Network, NetworkPlan, Usage, wait_until};
use cloverleaf_testnet::stage::{Dir, SOON};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;
use tokio::time::interval;

pub(super) use cloverleaf_testnet::stage::{CHAINS, VALIDATORS as NODES};
pub(super) use honest::{Figures, Honest};

/// Between two looks at what a process holds.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Descriptors by which an unattacked node differs from itself: honest connections, tables of RocksDB.
const DESCRIPTORS_ALLOWED: u64 = 48;

/// How much attackers give way to nodes and honest users (`nice`): in service they have machines of
/// their own.
const ATTACKERS_NICE: i32 = 19;

/// The network and those who watch it.
pub(super) struct Siege {
    honest: Honest,
    watched: Watched,
    watchers: JoinSet<()>,
    network: Network,
    runtime: Runtime,
    attackers: Runtime,
    /// Removed after the processes have ended.
    _dir: Dir,
}

impl Siege {
    /// Starts a network, of which these nodes run, and honest users of the first.
    pub(super) fn begin(name: &str, seed: u64, nodes: &[Node]) -> Result<Self, String> {
        let binary = Binary::find().map_err(|error| error.to_string())?;
        let dir = Dir::of_process(name).map_err(|error| error.to_string())?;
        let plan = NetworkPlan {
            validators: NODES,
            ..NetworkPlan::default()
        };
        let network = Network::init(&binary, &dir.path().join("network"), plan);
        let mut network = network.map_err(|error| error.to_string())?;
        for node in nodes {
            network.start(*node).map_err(|error| error.to_string())?;
        }
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let attackers = attackers().map_err(|error| error.to_string())?;
        let genesis = network.genesis().clone();
        let watched = Watched::new(&genesis, NODES);
        let mut watchers = JoinSet::new();
        let urls: Vec<String> = nodes
            .iter()
            .map(|node| network.grpc_urls()[*node].clone())
            .collect();
        for (node, url) in nodes.iter().zip(&urls) {
            watchers.spawn_on(watched.clone().blocks(*node, url.clone()), runtime.handle());
        }
        for chain_id in CHAINS {
            // They follow the node that is attacked, and no other.
            let follow = watched
                .clone()
                .rollup(genesis.clone(), chain_id, vec![urls[0].clone()]);
            watchers.spawn_on(follow, runtime.handle());
        }
        let honest = Honest::begin(
            seed,
            &network.http_url(nodes[0]),
            &urls[0],
            runtime.handle(),
        );
        let siege = Self {
            honest,
            watched,
            watchers,
            network,
            runtime,
            attackers,
            _dir: dir,
        };
        siege.wait("honest users are served", || siege.honest.count() > 0)?;
        Ok(siege)
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Does something hostile to its end.
    pub(super) fn attack<T: Send + 'static>(
        &self,
        attack: impl Future<Output = Result<T, String>> + Send + 'static,
    ) -> Result<T, String> {
        let attacking = self.attackers.spawn(attack);
        let ended = self.runtime.block_on(attacking);
        ended.map_err(|error| error.to_string())?
    }

    /// Where everything hostile runs.
    pub(super) fn attackers(&self) -> &Handle {
        self.attackers.handle()
    }

    pub(super) fn tip(&self) -> u64 {
        self.watched.lock().tip()
    }

    /// What honest users met since the last time.
    pub(super) fn figures(&self) -> Figures {
        self.honest.take()
    }

    /// Waits until it is so, or something is wrong.
    pub(super) fn wait(&self, what: &str, mut is_so: impl FnMut() -> bool) -> Result<(), String> {
        let waited = wait_until(what, SOON, || self.fault().is_some() || is_so());
        match self.fault() {
            Some(fault) => Err(fault),
            None => waited.map_err(|error| error.to_string()),
        }
    }

    /// Waits until so many more honest transactions are in blocks.
    pub(super) fn wait_for_honest(&self, more: usize) -> Result<(), String> {
        let before = self.honest.count();
        self.wait("honest users are served", || {
            self.honest.count() >= before + more
        })
    }

    /// Does something, and says what a node held at most meanwhile.
    pub(super) fn watching<T>(
        &self,
        node: Node,
        work: impl FnOnce() -> T,
    ) -> Result<(T, Usage), String> {
        let id = self.network.process_id(node).ok_or("the node is down")?;
        let most = Arc::new(Mutex::new(self.vitals(node)?));
        let seen = Arc::clone(&most);
        let mut looking: JoinSet<()> = JoinSet::new();
        let look = async move {
            let mut looks = interval(LOOK_INTERVAL);
            loop {
                looks.tick().await;
                if let Ok(now) = Usage::of(id) {
                    let mut most = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    most.memory_bytes = most.memory_bytes.max(now.memory_bytes);
                    most.descriptors = most.descriptors.max(now.descriptors);
                }
            }
        };
        looking.spawn_on(look, self.runtime.handle());
        let done = work();
        self.runtime.block_on(looking.shutdown());
        let most = *most.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((done, most))
    }

    /// Kills a node and starts it again; it has to come back.
    pub(super) fn restart(&mut self, node: Node) -> Result<(), String> {
        self.network.kill(node).map_err(|error| error.to_string())?;
        self.network
            .start(node)
            .map_err(|error| error.to_string())?;
        let tip = self.tip();
        self.wait("a restarted validator has the blocks again", || {
            self.watched.lock().tip_of(node) > tip
        })
    }

    /// What a node holds now.
    pub(super) fn vitals(&self, node: Node) -> Result<Usage, String> {
        let id = self.network.process_id(node).ok_or("the node is down")?;
        Usage::of(id).map_err(|error| error.to_string())
    }

    /// Waits until a node has no more descriptors than before.
    pub(super) fn wait_for_descriptors(&self, node: Node, before: Usage) -> Result<(), String> {
        let most = before.descriptors + DESCRIPTORS_ALLOWED;
        let is_so = || self.vitals(node).is_ok_and(|now| now.descriptors <= most);
        let waited = self.wait("descriptors are given back", is_so);
        waited.map_err(|error| {
            let now = self.vitals(node).unwrap_or_default().descriptors;
            format!("{error}: {} before, {now} now", before.descriptors)
        })
    }

    /// What is wrong with the network or what it streams.
    pub(super) fn fault(&self) -> Option<String> {
        let refused = self.honest.refusal();
        refused.or_else(|| self.watched.lock().fault().map(str::to_owned))
    }

    /// Stops the users, and sees that all agree and everything honest was streamed once.
    pub(super) fn end(mut self, nodes: &[Node]) -> Result<(), String> {
        self.runtime.block_on(self.honest.stop());
        let watched = self.watched.clone();
        let agree = |seen: &Seen| nodes.iter().all(|node| seen.tip_of(*node) == seen.tip());
        self.wait("all have one tip, and followers everything once", || {
            let seen = watched.lock();
            agree(&seen) && seen.is_followed(&CHAINS)
        })?;
        self.runtime.block_on(self.watchers.shutdown());
        self.network.check().map_err(|error| error.to_string())
    }
}

/// Threads that get little while others want to run (on Linux each thread has a `nice` of its own). Where that
/// is refused, attackers take what they get.
fn attackers() -> std::io::Result<Runtime> {
    let give_way = || {
        let _refused = rustix::process::setpriority_process(None, ATTACKERS_NICE);
    };
    let mut threads = Builder::new_multi_thread();
    threads.on_thread_start(give_way).enable_all().build()
}

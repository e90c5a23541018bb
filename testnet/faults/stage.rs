//! A network of processes for a row to break, watched from outside. What must not be is an error that
//! says what was seen, so that a row can go on with its next unit.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::MutexGuard;
use std::time::Duration;

use cloverleaf_api::json::{At, Progress};
use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_client::RpcClient;
use cloverleaf_mempool::Name;
use cloverleaf_testnet::external::{Node, Seen, Watched};
use cloverleaf_testnet::load::{Answer, Grpc, Lives, Load, Plan, Targets, Told, Wallet};
use cloverleaf_testnet::process::{Binary, Network, NetworkPlan, metric, wait_until};
use cloverleaf_types::{Address, B256};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// What was seen, or what must not be.
pub(crate) type Verdict<T = ()> = Result<T, String>;

/// How long anything may take that a healthy network does in a second or two: the cores are shared.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// The rollups.
const CHAINS: [u64; 2] = [901, 902];

/// Metrics that are 0 as long as nobody is seen to sign twice.
const SIGNED_TWICE: [&str; 2] = [
    "cloverleaf_consensus_vote_evidence",
    "cloverleaf_consensus_lane_equivocations",
];

/// A network whose nodes' blocks are read as soon as they run.
pub(crate) struct Stage {
    pub(crate) network: Network,
    binary: Binary,
    watched: Watched,
    lives: Lives,
    validators: Vec<Address>,
    _watchers: JoinSet<()>,
    runtime: Runtime,
}

/// A directory for a row, beside the binaries; removed with its owner.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new(row: &str) -> Verdict<Self> {
        let executable = std::env::current_exe().map_err(text)?;
        let folder = executable.parent().unwrap_or(Path::new("."));
        let dir = folder.join(format!("faults-{row}"));
        let _what_an_ended_run_left = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).map_err(text)?;
        Ok(Self(dir))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

impl Stage {
    /// Makes a network in a new directory; nothing runs yet.
    pub(crate) fn make(dir: &Path, plan: NetworkPlan) -> Verdict<Self> {
        let binary = Binary::find().map_err(text)?;
        let network = Network::init(&binary, dir, plan).map_err(text)?;
        let (genesis, count) = (network.genesis().clone(), plan.validators);
        let (watched, runtime) = (Watched::new(&genesis, count), Runtime::new().map_err(text)?);
        let mut watchers = JoinSet::new();
        for (node, url) in network.grpc_urls().into_iter().enumerate() {
            watchers.spawn_on(watched.clone().blocks(node, url), runtime.handle());
        }
        Ok(Self {
            validators: genesis.validators.iter().map(|it| it.address).collect(),
            network,
            binary,
            watched,
            lives: Lives::new(count),
            _watchers: watchers,
            runtime,
        })
    }

    pub(crate) fn binary(&self) -> &Binary {
        &self.binary
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.watched.lock()
    }

    /// Sets a node's floors (D6), in bytes: the usual ones are above all that a small disk has.
    pub(crate) fn set_floors(&self, node: Node, soft: u64, hard: u64) -> Verdict {
        let settings = self.network.dir().join(format!("node{node}/node.toml"));
        let own = fs::read_to_string(&settings).map_err(text)?;
        // Tables of lists end the file, and one more may follow.
        let floors =
            format!("\n[store]\ndisk_soft_floor_bytes = {soft}\ndisk_hard_floor_bytes = {hard}\n");
        fs::write(&settings, own + &floors).map_err(text)?;
        // Power may be cut before the system writes it by itself.
        File::open(&settings)
            .and_then(|file| file.sync_all())
            .map_err(text)
    }

    /// Starts a node that is down. What it announced before, it has.
    pub(crate) fn start(&mut self, node: Node) -> Verdict<u64> {
        let started = self.network.start(node).map_err(text)?;
        let announced = self.seen().tip_of(node);
        if started.height < announced {
            let found = started.height;
            return Err(format!(
                "node {node} announced height {announced} and came back with {found}"
            ));
        }
        Ok(started.height)
    }

    /// Starts all nodes, and waits until each has a block.
    pub(crate) fn start_all(&mut self) -> Verdict {
        let nodes = 0..self.network.validators();
        for node in nodes.clone() {
            self.start(node)?;
        }
        self.wait("all have a block", |seen| {
            nodes.clone().all(|node| seen.tip_of(node) > 0)
        })
    }

    /// To be called before a node is killed.
    pub(crate) fn end_life(&self, node: Node) {
        self.lives.end(node);
    }

    /// Waits until it is so.
    pub(crate) fn wait(&self, what: &str, is_so: impl Fn(&Seen) -> bool) -> Verdict {
        let waited = wait_until(what, SOON, || {
            let seen = self.seen();
            seen.fault().is_some() || is_so(&seen)
        });
        self.check()?;
        let tips = (0..self.network.validators()).map(|node| self.seen().tip_of(node));
        let tips: Vec<u64> = tips.collect();
        waited.map_err(|late| format!("{late}; tips: {tips:?}"))
    }

    /// That nothing was seen which must not be.
    pub(crate) fn check(&self) -> Verdict {
        self.seen()
            .fault()
            .map_or(Ok(()), |fault| Err(fault.to_owned()))
    }

    /// Starts users of all nodes: so many transactions and bundles in a second.
    pub(crate) fn load(&self, seed: u64, rates: (usize, usize)) -> Verdict<Load> {
        let nodes = 0..self.network.validators();
        let targets = Targets {
            grpc: self.network.grpc_urls(),
            http: nodes.map(|node| self.network.http_url(node)).collect(),
            chain_ids: CHAINS.to_vec(),
        };
        let plan = Plan::of_rates(seed, rates.0, rates.1);
        Load::start(plan, &targets, &self.lives, self.runtime.handle()).map_err(text)
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// What a node answers when it is handed something new: an account's first transaction.
    pub(crate) fn submit(&self, node: Node, seed: u64, wait: Wait) -> Verdict<Answer> {
        let signed = Wallet::seeded(seed, node, 0).transfer(CHAINS[0], 0);
        let url = self.network.grpc_urls().swap_remove(node);
        self.runtime.block_on(async {
            let mut client = Grpc::new(&url).map_err(text)?;
            Ok(client.submit(&signed, wait).await)
        })
    }

    /// Waits until a node has what the others have, signs with them, and what it takes in is ordered.
    pub(crate) fn wait_until_it_takes_part(&self, node: Node, seed: u64) -> Verdict {
        let (tip, validator) = (self.seen().tip(), self.validators[node]);
        let what = |doing: &str| format!("node {node} {doing} after height {tip}");
        self.wait(&what("has the blocks"), |seen| seen.tip_of(node) >= tip)?;
        let answer = self.submit(node, seed, Wait::Available)?;
        if !matches!(answer, Answer::Reached(_)) {
            return Err(format!("node {node} says {answer:?}"));
        }
        // Whom nobody else hears shows it by its blocks.
        let is_heard = self.network.validators() > 1;
        self.wait(&what("signs"), |seen| {
            seen.has_signed(node, validator, tip) || (!is_heard && seen.tip_of(node) > tip)
        })?;
        self.wait(&what("has its parcels ordered"), |seen| {
            seen.has_sealed(validator, tip)
        })
    }

    /// Waits until all that was promised is in a block, or its author says why not.
    pub(crate) fn keep(&self, promised: &[Told]) -> Verdict {
        let mut open: Vec<Told> = promised.to_vec();
        let _late = wait_until("all that was promised", SOON, || {
            let seen = self.seen();
            open.retain(|told| seen.place_of(&told.name).is_none());
            open.is_empty() || seen.fault().is_some()
        });
        self.check()?;
        open.retain(|told| {
            let progress = self.progress(&self.network.http_url(told.node), &told.name);
            !progress.is_some_and(|it| it.state.is_final() && it.reason.is_some())
        });
        let count = open.len();
        open.first().map_or(Ok(()), |told| {
            Err(format!("{count} are lost, such as {told:?}"))
        })
    }

    /// What a node knows of something.
    pub(crate) fn progress(&self, url: &str, name: &Name) -> Option<Progress> {
        let client = RpcClient::new(url).ok()?;
        self.runtime.block_on(async {
            match name {
                Name::Transaction((_, id)) => {
                    let status = client.transaction_status(*id).await.ok()??;
                    Some(status.progress)
                }
                Name::Bundle(hash) => Some(client.bundle_status(*hash).await.ok()??.progress),
            }
        })
    }

    /// The hash of a node's block.
    pub(crate) fn hash_at(&self, client: &RpcClient, height: u64) -> Verdict<Option<B256>> {
        let block = self.runtime.block_on(client.block(At::Number(height)));
        Ok(block.map_err(text)?.map(|block| block.hash))
    }

    /// That no node has proof of somebody who signed twice.
    pub(crate) fn nobody_signed_twice(&self) -> Verdict {
        for node in 0..self.network.validators() {
            let url = self.network.metrics_url(node);
            for name in SIGNED_TWICE {
                match metric(&url, name).map_err(text)? {
                    Some(0.0) => {}
                    found => return Err(format!("node {node} says {name} is {found:?}")),
                }
            }
        }
        Ok(())
    }

    /// `db check` of a stopped node's directory.
    pub(crate) fn check_store(&self, home: &Path) -> Verdict {
        let arguments: [&std::ffi::OsStr; 5] = [
            "--json".as_ref(),
            "db".as_ref(),
            "check".as_ref(),
            "--home".as_ref(),
            home.as_os_str(),
        ];
        let checked = self.binary.run(arguments).map_err(text)?;
        if checked.code == Some(0) {
            return Ok(());
        }
        let (code, said, also) = (checked.code, checked.stdout, checked.stderr);
        Err(format!("`db check` ended with {code:?}: {said}{also}"))
    }
}

/// Lets a time pass, in milliseconds: real processes do what they do meanwhile.
pub(crate) fn pause(time_ms: u64) {
    let _over = wait_until("nothing", Duration::from_millis(time_ms), || false);
}

pub(crate) fn text(error: impl ToString) -> String {
    error.to_string()
}

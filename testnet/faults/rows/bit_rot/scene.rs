//! A network whose first node has written every kind of file, and is down.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cloverleaf_api::json::{At, Block, Evidence};
use cloverleaf_client::{RpcClient, save_trust};
use cloverleaf_testnet::external::Watched;
use cloverleaf_testnet::load::{Lives, Load, Plan, Targets};
use cloverleaf_testnet::process::{Binary, Network, NetworkPlan, wait_until};
use cloverleaf_types::TrustRoot;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::misdeed::{key_of, sign_twice};

/// The node whose directory is damaged.
pub(super) const VICTIM: usize = 0;

/// The peer that it holds evidence against.
const OFFENDER: usize = 3;

/// A peer that is never damaged.
const WITNESS: usize = 1;

/// Validators.
const VALIDATORS: usize = 4;

/// The demo rollups.
const CHAINS: [u64; 2] = [901, 902];

/// What users offer in a second: enough that batches are kept beside RocksDB's tables.
const OFFERED: (usize, usize) = (380, 8);

/// Shortest time between two blocks, in milliseconds.
const BLOCK_TIME_MS: u64 = 200;

/// Blocks before the node's first end, after which they are in tables, and before its second, which
/// leaves them in RocksDB's log. Few, so that thousands of copies are read through in minutes.
const BLOCKS: u64 = 5;

/// How long anything may take that a healthy network does in a second or two.
pub(super) const SOON: Duration = Duration::from_secs(60);

pub(super) struct Scene {
    network: Network,
    runtime: Runtime,
    dir: Dir,
    /// What the node kept against its peer.
    evidence: Vec<(String, Evidence)>,
}

/// Removed when all is over.
struct Dir(PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

impl Scene {
    /// Runs the network until the node's directory has everything in it, and kills all.
    pub(super) fn prepare(binary: &Binary) -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("cloverleaf-bit-rot-{}", std::process::id()));
        let dir = Dir(path);
        let _what_a_killed_run_left = fs::remove_dir_all(&dir.0);
        fs::create_dir_all(&dir.0).map_err(|problem| format!("{}: {problem}", dir.0.display()))?;
        let plan = NetworkPlan {
            validators: VALIDATORS,
            block_time_ms: Some(BLOCK_TIME_MS),
            ..NetworkPlan::default()
        };
        let network = Network::init(binary, &dir.0.join("network"), plan).map_err(text)?;
        let mut scene = Self {
            network,
            runtime: Runtime::new().map_err(text)?,
            dir,
            evidence: Vec::new(),
        };
        scene.write_everything()?;
        Ok(scene)
    }

    fn write_everything(&mut self) -> Result<(), String> {
        self.network.start_all().map_err(text)?;
        self.accuse()?;
        let targets = Targets {
            grpc: self.network.grpc_urls(),
            http: (0..VALIDATORS)
                .map(|node| self.network.http_url(node))
                .collect(),
            chain_ids: CHAINS.to_vec(),
        };
        let plan = Plan::of_rates(1, OFFERED.0, OFFERED.1);
        let load = Load::start(
            plan,
            &targets,
            &Lives::new(VALIDATORS),
            self.runtime.handle(),
        )
        .map_err(text)?;
        self.wait_for_blocks()?;
        self.network.kill(VICTIM).map_err(text)?;
        // What is in RocksDB's log goes into tables.
        self.network.start(VICTIM).map_err(text)?;
        self.wait_for_blocks()?;
        self.network.kill_all().map_err(text)?;
        let _what_was_promised_is_not_the_question = self.runtime.block_on(load.stop());
        Ok(())
    }

    /// A peer's key signs two votes for one slot; the peer itself comes back when that slot is over.
    fn accuse(&mut self) -> Result<(), String> {
        self.network.kill(OFFENDER).map_err(text)?;
        let key = key_of(&self.network, OFFENDER)?;
        let client = RpcClient::new(&self.network.http_url(VICTIM)).map_err(text)?;
        let tip = async || client.network_info().await.ok().map(|info| info.height.0);
        let evidence = self.home().join("evidence");
        let last = self.runtime.block_on(sign_twice(&key, &evidence, tip))?;
        self.wait("the slots are over", |scene| {
            scene.tip(WITNESS) > Some(last)
        })?;
        self.network.start(OFFENDER).map_err(text)?;
        self.evidence = self.runtime.block_on(pieces(&client))?;
        if self.evidence.is_empty() {
            return Err("the evidence is not served".to_owned());
        }
        let trust = TrustRoot::genesis(self.network.genesis()).map_err(text)?;
        save_trust(&self.trust(), &trust).map_err(text)
    }

    fn wait_for_blocks(&self) -> Result<(), String> {
        let height = self.tip(VICTIM).unwrap_or(0) + BLOCKS;
        self.wait("blocks", |scene| scene.tip(VICTIM) >= Some(height))
    }

    /// Where the damaged node lives.
    pub(super) fn home(&self) -> PathBuf {
        self.network.dir().join(format!("node{VICTIM}"))
    }

    /// What offline proofs of this network are checked against.
    pub(super) fn trust(&self) -> PathBuf {
        self.dir.0.join("trust.json")
    }

    /// What the node serves is what its peer's blocks hold: every block, every batch of both rollups from
    /// the first on; and its evidence, unless it says that it cannot read it.
    pub(super) fn check_served(&self) -> Result<(), String> {
        let tip = self.tip(WITNESS).ok_or("the witness does not answer")?;
        let genesis = self.network.genesis();
        let (watched, urls) = (Watched::new(genesis, VALIDATORS), self.network.grpc_urls());
        let (mut watchers, handle) = (JoinSet::new(), self.runtime.handle());
        for node in [VICTIM, WITNESS] {
            let blocks = watched.clone().blocks(node, urls[node].clone());
            watchers.spawn_on(blocks, handle);
        }
        for chain_id in CHAINS {
            let upstreams = vec![urls[VICTIM].clone()];
            let batches = watched.clone().rollup(genesis.clone(), chain_id, upstreams);
            watchers.spawn_on(batches, handle);
        }
        let nodes = [VICTIM, WITNESS];
        let read = wait_until("the node streams what was decided", SOON, || {
            let seen = watched.lock();
            let is_read = nodes.iter().all(|node| seen.tip_of(*node) >= tip);
            seen.fault().is_some() || (is_read && seen.is_followed(&CHAINS))
        });
        self.runtime.block_on(watchers.shutdown());
        if let Some(fault) = watched.lock().fault() {
            return Err(fault.to_owned());
        }
        read.map_err(text)?;
        self.check_evidence_served()
    }

    fn check_evidence_served(&self) -> Result<(), String> {
        let client = RpcClient::new(&self.network.http_url(VICTIM)).map_err(text)?;
        for (name, kept) in &self.evidence {
            let served = self.runtime.block_on(client.evidence(name));
            if let Ok(Some(served)) = served
                && served != *kept
            {
                return Err(format!("{name} is served as {served:?}, and was {kept:?}"));
            }
        }
        Ok(())
    }

    /// A place for a copy of it.
    pub(super) fn copy(&self, name: &str) -> PathBuf {
        self.dir.0.join(name)
    }

    pub(super) fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// A node's latest block, as it says itself.
    pub(super) fn tip(&self, node: usize) -> Option<u64> {
        Some(self.ask(node, At::Latest)?.height.0)
    }

    /// A block as a node shows it.
    pub(super) fn block(&self, node: usize, height: u64) -> Option<Block> {
        self.ask(node, At::Number(height))
    }

    fn ask(&self, node: usize, at: At) -> Option<Block> {
        let client = RpcClient::new(&self.network.http_url(node)).ok()?;
        self.runtime.block_on(client.block(at)).ok()?
    }

    /// Waits until it is so.
    pub(super) fn wait(
        &self,
        what: &str,
        mut is_so: impl FnMut(&Self) -> bool,
    ) -> Result<(), String> {
        wait_until(what, SOON, || is_so(self)).map_err(text)
    }
}

/// All the evidence that a node serves, by name.
async fn pieces(client: &RpcClient) -> Result<Vec<(String, Evidence)>, String> {
    let mut pieces = Vec::new();
    for listed in client.evidence_names().await.map_err(text)? {
        let piece = client.evidence(&listed.name).await.map_err(text)?;
        pieces.extend(piece.map(|piece| (listed.name, piece)));
    }
    Ok(pieces)
}

fn text(problem: impl std::fmt::Display) -> String {
    problem.to_string()
}

/// Removes a folder.
pub(super) fn remove(folder: &Path) -> Result<(), String> {
    let removed = fs::remove_dir_all(folder);
    removed.map_err(|problem| format!("removing {}: {problem}", folder.display()))
}

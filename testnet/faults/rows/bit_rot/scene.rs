//! A network whose first node has written every kind of file, and is down.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cloverleaf_api::json::{At, Block};
use cloverleaf_client::RpcClient;
use cloverleaf_testnet::load::{Lives, Load, Plan, Targets};
use cloverleaf_testnet::process::{Binary, Network, NetworkPlan, wait_until};
use tokio::runtime::Runtime;

/// The node whose directory is damaged.
pub(super) const VICTIM: usize = 0;

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
        };
        let network = Network::init(binary, &dir.0.join("network"), plan).map_err(text)?;
        let mut scene = Self {
            network,
            runtime: Runtime::new().map_err(text)?,
            dir,
        };
        scene.write_everything()?;
        Ok(scene)
    }

    fn write_everything(&mut self) -> Result<(), String> {
        self.network.start_all().map_err(text)?;
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

    fn wait_for_blocks(&self) -> Result<(), String> {
        let height = self.tip(VICTIM).unwrap_or(0) + BLOCKS;
        self.wait("blocks", |scene| scene.tip(VICTIM) >= Some(height))
    }

    /// Where the damaged node lives.
    pub(super) fn home(&self) -> PathBuf {
        self.network.dir().join(format!("node{VICTIM}"))
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

fn text(problem: impl std::fmt::Display) -> String {
    problem.to_string()
}

/// Removes a folder.
pub(super) fn remove(folder: &Path) -> Result<(), String> {
    let removed = fs::remove_dir_all(folder);
    removed.map_err(|problem| format!("removing {}: {problem}", folder.display()))
}

//! `cloverleaf dev` as a process.

use std::cell::Cell;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use cloverleaf_api::State;
use cloverleaf_api::json::{At, Block, Progress, SendBundle, SendLeg};
use cloverleaf_client::RpcClient;
use cloverleaf_mempool::Name;
use cloverleaf_testnet::load::Signed;
use cloverleaf_testnet::process::{Binary, Error, Finished, PortBase, Process, wait_until};
use cloverleaf_types::{Atomicity, B256, ChainId};
use tokio::runtime::Runtime;

use crate::scene::{Dir, SOON, Turn};

/// A dev network, running or not.
pub(crate) struct DevNetwork {
    process: Option<Process>,
    binary: Binary,
    dir: Dir,
    ports: PortBase,
    /// How many processes were started: each has a log of its own.
    starts: Cell<usize>,
    runtime: Runtime,
    _turn: Turn,
}

impl DevNetwork {
    /// Makes a new one with these flags, and starts it.
    pub(crate) fn start(name: &str, flags: &[&str]) -> Self {
        let mut network = Self {
            _turn: Turn::take(),
            process: None,
            binary: Binary::find().unwrap_or_else(|error| panic!("{error}")),
            dir: Dir::new(name),
            ports: PortBase::free().unwrap(),
            starts: Cell::new(0),
            runtime: Runtime::new().unwrap(),
        };
        network.start_again(flags);
        network
    }

    /// Starts it after it ended.
    pub(crate) fn start_again(&mut self, flags: &[&str]) {
        let started = self.try_start(&self.data(), flags);
        self.process = Some(started.unwrap_or_else(|error| panic!("{error}")));
    }

    /// Starts `dev` on a directory, on this network's ports.
    pub(crate) fn try_start(&self, data: &Path, flags: &[&str]) -> Result<Process, Error> {
        let (port_base, data) = (self.ports.number().to_string(), data.display().to_string());
        let usual = ["dev", "--data", &data, "--port-base", &port_base];
        let arguments = usual.iter().chain(flags);
        let name = format!("dev-{}", self.starts.replace(self.starts.get() + 1));
        let mut process = Process::start(&self.binary, &name, self.dir(), arguments)?;
        process.ready()?;
        Ok(process)
    }

    /// Where it keeps its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir().join("data")
    }

    /// A place for other files.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The running process, to be ended.
    pub(crate) fn take_process(&mut self) -> Process {
        self.process.take().expect("it runs")
    }

    /// Runs another command of the binary.
    pub(crate) fn command(&self, arguments: &[&str]) -> Finished {
        self.binary.run(arguments).unwrap()
    }

    /// The same with `--json --rpc` of its first node.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Finished {
        let url = self.ports.http_url(0);
        let to_node = ["--json", "--rpc", &url];
        self.binary.run(arguments.iter().chain(&to_node)).unwrap()
    }

    pub(crate) fn client(&self, node: usize) -> RpcClient {
        RpcClient::new(&self.ports.http_url(node)).unwrap()
    }

    /// Where a node listens, so far above its base.
    pub(crate) fn address(&self, node: u16, above: u16) -> (Ipv4Addr, u16) {
        (Ipv4Addr::LOCALHOST, self.ports.number() + 10 * node + above)
    }

    /// A rollup's own JSON-RPC.
    pub(crate) fn execution(&self, index: u16) -> RpcClient {
        RpcClient::new(&format!("http://127.0.0.1:{}", self.ports.rollup(index))).unwrap()
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// A block of a node.
    pub(crate) fn block(&self, node: usize, at: At) -> Option<Block> {
        self.runtime.block_on(self.client(node).block(at)).unwrap()
    }

    /// Sends a transaction.
    pub(crate) fn send(&self, signed: &Signed) -> Name {
        let sent = self.client(0);
        let sent = self
            .runtime
            .block_on(sent.send_raw_transaction(&signed.raw));
        assert_eq!(sent.unwrap(), signed.key.1);
        Name::Transaction(signed.key)
    }

    /// Sends a bundle with these transactions on each rollup.
    pub(crate) fn send_bundle(&self, legs: &[(u64, &[Signed])]) -> Name {
        let legs = legs.iter().map(|(chain_id, signed)| SendLeg {
            chain_id: ChainId(*chain_id),
            txs: signed.iter().map(|signed| signed.raw.clone()).collect(),
        });
        let bundle = SendBundle {
            legs: legs.collect(),
            atomicity: Atomicity::Inclusion,
            min_height: None,
            max_height: None,
            min_timestamp: None,
            max_timestamp: None,
        };
        let sent = self.client(0);
        let sent = self.runtime.block_on(sent.send_bundle(&bundle));
        Name::Bundle(sent.unwrap().bundle_hash)
    }

    /// Waits until something is committed; its height.
    pub(crate) fn committed(&self, name: Name) -> u64 {
        let mut last = None;
        let waited = wait_until(format!("{name:?} is committed"), SOON, || {
            last = self.progress(name);
            last.as_ref()
                .is_some_and(|progress| progress.state.is_final())
        });
        let progress = last.unwrap_or_else(|| panic!("{name:?}: {waited:?}"));
        assert_eq!(progress.state, State::Committed, "{name:?}: {progress:?}");
        progress.height.unwrap().0
    }

    fn progress(&self, name: Name) -> Option<Progress> {
        let client = self.client(0);
        self.runtime.block_on(async {
            match name {
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
        })
    }

    /// The latest block: height and hash.
    pub(crate) fn tip(&self, node: usize) -> (u64, B256) {
        let block = self.block(node, At::Latest).expect("there is a block");
        (block.height.0, block.hash)
    }
}

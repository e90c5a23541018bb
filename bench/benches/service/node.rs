//! One of four validators, with its ports as in service. The others are not there, so that it decides
//! nothing itself: blocks are announced to its streams as its committer does.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use cloverleaf_bench::{Chain, Workload, network};
use cloverleaf_client::endpoint;
use cloverleaf_node::home::{Home, Keys, NodeConfig, Ports, create};
use cloverleaf_node::service::{Listeners, Service, ServiceOptions, listen};
use cloverleaf_replica::Commit;
use cloverleaf_storage::Store;
use cloverleaf_stream::StreamItem;
use cloverleaf_types::{ChainId, Parameters};
use tempfile::TempDir;
use tonic::transport::Endpoint;

/// How many validators the network has.
const VALIDATORS: usize = 4;

/// A running node, and the chain that its blocks are of.
pub(crate) struct Node {
    service: Service,
    chain: Chain,
    /// What its store had when it started.
    pub(crate) stored: Vec<Commit>,
    _dir: TempDir,
}

impl Node {
    /// Starts a node that has so many blocks in its store, none of them in memory.
    pub(crate) async fn start(workload: Workload, blocks: usize) -> Self {
        let mut keys: Vec<Keys> = (0..VALIDATORS).map(|_| Keys::generate()).collect();
        keys.sort_by_key(Keys::address);
        let signers: Vec<_> = keys.iter().map(|keys| Arc::new(keys.signer())).collect();
        let mut genesis = network(&signers, workload.rollups, Parameters::default());
        for (validator, keys) in genesis.validators.iter_mut().zip(&keys) {
            validator.peer_id = keys.network.peer_id_text();
        }
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let dir = dir.expect("the target directory is ours");
        let at = dir.path().join("node");
        let ports = Ports::new(Ports::DEFAULT_BASE).expect("a base that leaves room");
        let mut config = NodeConfig::new(ports, Vec::new());
        create(&at, &genesis, &config, &keys[0]).expect("the directory is ours");
        config.network.port = 0;
        let home = Home::open_with(&at, config).expect("as it was made");
        let mut chain = Chain::of(genesis, signers, workload);
        let stored = commit_to(&home.store_dir(), &mut chain, blocks);
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listeners = Listeners {
            http: listen(any).await.expect("a port is free"),
            grpc: listen(any).await.expect("a port is free"),
            metrics: listen(any).await.expect("a port is free"),
        };
        let service = Service::start_on(home, ServiceOptions::default(), listeners).await;
        Self {
            service: service.expect("the directory is in order"),
            chain,
            stored,
            _dir: dir,
        }
    }

    /// Where it serves streams.
    pub(crate) fn endpoint(&self) -> Endpoint {
        endpoint(&self.service.grpc_url()).expect("the node's own URL")
    }

    /// Where it serves JSON-RPC.
    pub(crate) fn http_address(&self) -> SocketAddr {
        let url = self.service.http_url();
        let address = url.trim_start_matches("http://").parse();
        address.expect("the node's own URL")
    }

    /// Its rollups.
    pub(crate) fn chains(&self) -> Vec<ChainId> {
        let rollups = self.chain.genesis.rollups.iter();
        rollups.map(|rollup| rollup.chain_id).collect()
    }

    /// Its first rollup, and the number of that one's next batch.
    pub(crate) fn first(&self) -> (ChainId, u64) {
        let chain_id = self.chain.genesis.rollups[0].chain_id;
        let rollup = self.chain.state().rollup(chain_id);
        (chain_id, rollup.map_or(1, |rollup| rollup.head.seq + 1))
    }

    /// Decides the next blocks.
    pub(crate) fn decide(&mut self, blocks: usize) -> Vec<Commit> {
        (0..blocks).map(|_| self.chain.decide_next()).collect()
    }

    /// What a committer does once a block is durable. These fit into memory, so nobody asks storage.
    pub(crate) fn announce(&self, commit: &Commit) {
        let items = StreamItem::of_block(&commit.block, &commit.branches);
        let handle = self.service.handle();
        handle.shared().hub.announce(commit.block.height(), items);
    }

    /// Ends it.
    pub(crate) async fn stop(self) {
        self.service.stop().await;
    }
}

/// Commits a chain's next blocks to a store that is closed then.
fn commit_to(dir: &Path, chain: &mut Chain, blocks: usize) -> Vec<Commit> {
    let store = Store::open(dir, chain.state().network());
    let store = store.expect("the directory is ours");
    let committed = (0..blocks).map(|_| {
        let commit = chain.decide_next();
        let stored = store.commit(&cloverleaf_storage::Commit {
            block: &commit.block,
            ids: &commit.ids,
            branches: &commit.branches,
            state: &commit.state,
        });
        stored.expect("the block is the next one");
        commit
    });
    committed.collect()
}

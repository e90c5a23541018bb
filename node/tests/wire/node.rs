//! One validator with its public ports, in the caller's runtime.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use alloy_signer_local::PrivateKeySigner;
use cloverleaf_mempool::pool::Limits;
use cloverleaf_types::rollup::{Format, Verification};
use cloverleaf_types::{ChainId, Genesis, Parameters, Rollup};
use eyre::Result;
use tokio::net::TcpListener;

use cloverleaf_node::home::{
    DEMO_ROLLUPS, ExecutionRpc, Home, NetworkPlan, NodeConfig, Places, Ports, create_network,
    write_genesis,
};
use cloverleaf_node::sequencer::Handle;
use cloverleaf_node::service::{Listeners, Service, ServiceOptions};

use crate::network::{GAMMA, OPAQUE};

/// The network's port is so far above its base.
const NETWORK_OFFSET: u16 = 4;

/// What is special about a test's node.
#[derive(Debug)]
pub(crate) struct TestOptions {
    /// Where it lives: a new directory.
    pub(crate) dir: PathBuf,
    /// What its pool holds at most.
    pub(crate) limits: Limits,
    /// The rollups' own JSON-RPC URLs.
    pub(crate) executions: BTreeMap<ChainId, String>,
    /// How many heights it keeps, of a network with a short replay window; all, of a usual one, if 0.
    pub(crate) keep_heights: u64,
    /// It has a faucet, whose account nobody else knows.
    pub(crate) faucet: bool,
}

/// A running node of a network of one.
pub(crate) struct TestNode {
    /// JSON-RPC.
    pub(crate) http_url: String,
    /// gRPC.
    pub(crate) grpc_url: String,
    /// Metrics and health.
    pub(crate) metrics_url: String,
    /// Its directory.
    pub(crate) dir: PathBuf,
    service: Service,
}

impl TestNode {
    /// Starts a network of one validator that decides as fast as it can.
    ///
    /// # Errors
    /// The directory is not new, or a port is taken.
    pub(crate) async fn start(options: TestOptions) -> Result<Self> {
        let parameters = Parameters {
            block_time_ms: 0,
            empty_block_interval_ms: 100,
            ..Parameters::default()
        };
        let parameters = match options.keep_heights {
            0 => parameters,
            _ => Parameters {
                replay_window_ms: 1,
                ..parameters
            },
        };
        let plan = NetworkPlan {
            name: "test".to_owned(),
            validators: 1,
            rollups: DEMO_ROLLUPS.len(),
            verification: Verification::Once,
            places: Places::Loopback(Ports::new(free_base().await?)?),
            parameters,
            time_ms: now_ms(),
        };
        let network = create_network(&options.dir, &plan)?;
        let genesis = with_more_rollups(network.genesis);
        write_genesis(&network.homes[0].join("genesis.json"), &genesis)?;
        let mut home = Home::open(&network.homes[0])?;
        home.config.store.keep_heights = options.keep_heights;
        let executions = options.executions.into_iter();
        home.config.execution = executions
            .map(|(chain_id, url)| ExecutionRpc { chain_id, url })
            .collect();
        let special = ServiceOptions {
            limits: options.limits,
            amnesia_accepted: None,
            faucet: options.faucet.then(PrivateKeySigner::random),
            any_origin: false,
            stall_max: None,
        };
        let listeners = Listeners {
            http: listener().await?,
            grpc: listener().await?,
            metrics: listener().await?,
        };
        let service = Service::start_on(home, special, listeners).await?;
        Ok(Self {
            http_url: service.http_url(),
            grpc_url: service.grpc_url(),
            metrics_url: service.metrics_url(),
            dir: network.homes[0].clone(),
            service,
        })
    }

    /// Starts the node of a directory, with its settings.
    ///
    /// # Errors
    /// The directory is not in order, or a port is taken.
    pub(crate) async fn of(dir: PathBuf) -> Result<Self> {
        let listeners = Listeners {
            http: listener().await?,
            grpc: listener().await?,
            metrics: listener().await?,
        };
        let home = Home::open(&dir)?;
        let service = Service::start_on(home, ServiceOptions::default(), listeners).await?;
        Ok(Self {
            http_url: service.http_url(),
            grpc_url: service.grpc_url(),
            metrics_url: service.metrics_url(),
            dir,
            service,
        })
    }

    /// Its directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What can be asked inside the node.
    pub(crate) fn handle(&self) -> Handle {
        self.service.handle()
    }

    /// Stops it, and starts it again in the same directory and on the same ports.
    ///
    /// # Errors
    /// Somebody took a port meanwhile, or still has the directory.
    pub(crate) async fn restart(self) -> Result<Self> {
        self.restart_with(ServiceOptions::default()).await
    }

    /// The same with something special.
    ///
    /// # Errors
    /// The same.
    pub(crate) async fn restart_with(self, options: ServiceOptions) -> Result<Self> {
        self.restart_as(options, |_| {}).await
    }

    /// The same with other settings than those of its file.
    ///
    /// # Errors
    /// The same.
    pub(crate) async fn restart_as(
        self,
        options: ServiceOptions,
        change: impl FnOnce(&mut NodeConfig),
    ) -> Result<Self> {
        let [http, grpc] = [&self.http_url, &self.grpc_url].map(|url| {
            let authority = url.trim_start_matches("http://");
            authority.parse::<SocketAddr>()
        });
        let dir = self.dir.clone();
        self.stop().await;
        let listeners = Listeners {
            http: TcpListener::bind(http?).await?,
            grpc: TcpListener::bind(grpc?).await?,
            metrics: listener().await?,
        };
        let mut home = Home::open(&dir)?;
        change(&mut home.config);
        let service = Service::start_on(home, options, listeners).await?;
        Ok(Self {
            http_url: service.http_url(),
            grpc_url: service.grpc_url(),
            metrics_url: service.metrics_url(),
            dir,
            service,
        })
    }

    /// Stops it as a node stops: the ports first.
    pub(crate) async fn stop(self) {
        self.service.stop().await;
    }
}

/// Beside the demo rollups one that no execution RPC answers for, and an opaque one.
fn with_more_rollups(mut genesis: Genesis) -> Genesis {
    let demo = genesis.rollups[0].clone();
    genesis.rollups.push(Rollup {
        chain_id: ChainId(GAMMA),
        name: "gamma".to_owned(),
        ..demo.clone()
    });
    genesis.rollups.push(Rollup {
        chain_id: ChainId(OPAQUE),
        name: "opaque".to_owned(),
        format: Format::Opaque,
        ..demo
    });
    genesis
}

async fn listener() -> Result<TcpListener> {
    Ok(TcpListener::bind("127.0.0.1:0").await?)
}

/// A base whose network port was free a moment ago.
pub(crate) async fn free_base() -> Result<u16> {
    loop {
        let port = listener().await?.local_addr()?.port();
        let base = port.saturating_sub(NETWORK_OFFSET);
        if Ports::new(base).is_ok() {
            return Ok(base);
        }
    }
}

/// The network begins now: bundles' windows are told from its latest block's time.
pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("after 1970");
    u64::try_from(since.as_millis()).expect("a few decades")
}

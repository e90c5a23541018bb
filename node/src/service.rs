//! A validator with its public ports: what `node` runs once and `dev` four times.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use alloy_signer_local::PrivateKeySigner;
use cloverleaf_mempool::pool::Limits;
use eyre::{Context as _, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::pause;
use crate::home::Home;
use crate::rest::Rest;
use crate::rpc::{Desk, Methods, MethodsConfig, WebSockets};
use crate::sequencer::{Fatal, Handle, Sequencer, Watch};
use crate::streams::{JsonStreams, Patience};
use crate::{grpc, rest, rpc};

/// Longest wait, in milliseconds, for the answers that the ports still owe when they stop: a client that
/// does not read must not hold up the validator's end.
const PORTS_STOP_MAX_MS: u64 = 3_000;

/// What is special about a service.
#[derive(Debug, Default)]
pub struct ServiceOptions {
    /// What the pool holds at most.
    pub limits: Limits,
    /// Pays for the faucet: in dev networks only.
    pub faucet: Option<PrivateKeySigner>,
    /// Pages of any origin may ask: in dev networks only.
    pub any_origin: bool,
    /// How long a reader of a stream may leave an item untaken; the usual time without.
    pub stall_max: Option<Duration>,
}

/// A running validator and its ports.
pub struct Service {
    sequencer: Sequencer,
    stop: CancellationToken,
    tasks: TaskTracker,
    http: SocketAddr,
    grpc: SocketAddr,
}

impl Service {
    /// Starts the validator of a directory on its configured ports.
    ///
    /// # Errors
    /// A port is taken, or the directory is not in order.
    pub async fn start(home: Home, options: ServiceOptions) -> Result<Self> {
        let ports = home.config.ports()?;
        let address = home.config.listen_address;
        let http = listen((address, ports.http()).into()).await?;
        let grpc = listen((address, ports.grpc()).into()).await?;
        Self::start_on(home, options, http, grpc).await
    }

    /// Starts the validator of a directory on these listeners.
    ///
    /// # Errors
    /// The directory is not in order, or the network's port is taken.
    pub async fn start_on(
        home: Home,
        options: ServiceOptions,
        http: TcpListener,
        grpc: TcpListener,
    ) -> Result<Self> {
        let (http_address, grpc_address) = (http.local_addr()?, grpc.local_addr()?);
        let executions: BTreeMap<_, _> = home
            .config
            .execution
            .iter()
            .map(|it| (it.chain_id, it.url.clone()))
            .collect();
        let sequencer = Sequencer::start(home, options.limits).await?;
        let desk = Desk::new(sequencer.handle(), executions);
        let methods = Methods::new(MethodsConfig {
            desk: desk.clone(),
            faucet: options.faucet,
            grpc: Some(format!("http://{grpc_address}")),
        });
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let fatal = sequencer.fatal();
        let watch = |what| fatal.watch(what, &stop);
        let mut patience = Patience::until(stop.clone());
        patience.stall_max = options.stall_max.unwrap_or(patience.stall_max);
        let streams = JsonStreams::new(desk.clone(), patience.clone());
        let websockets = WebSockets {
            methods: methods.clone(),
            streams: streams.clone(),
            tasks: tasks.clone(),
            any_origin: options.any_origin,
        };
        let rest = rest::router(Rest {
            desk: desk.clone(),
            streams,
            methods: methods.clone(),
        });
        let beside = rest.merge(rpc::websocket_router(websockets));
        let router = rpc::router(methods, beside, options.any_origin);
        let served = rpc::serve(http, router, stop.clone());
        tasks.spawn(watched(watch("the JSON-RPC port"), served));
        let gaps = rpc::watch_gaps(desk.clone(), stop.clone());
        tasks.spawn(watched(watch("the task that asks for nonces"), gaps));
        let served = grpc::serve(grpc, desk, patience);
        tasks.spawn(watched(watch("the gRPC port"), async move {
            if let Err(error) = served.await {
                tracing::error!(%error, "the gRPC port ended");
            }
        }));
        Ok(Self {
            sequencer,
            stop,
            tasks,
            http: http_address,
            grpc: grpc_address,
        })
    }

    /// Asks the validator.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.sequencer.handle()
    }

    /// Tells when it must end by itself.
    #[must_use]
    pub fn fatal(&self) -> Fatal {
        self.sequencer.fatal()
    }

    /// Where it serves JSON-RPC.
    #[must_use]
    pub fn http_url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Where it serves gRPC.
    #[must_use]
    pub fn grpc_url(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// Stops it: the ports first, then the validator.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => {}
            () = pause(PORTS_STOP_MAX_MS) => {
                tracing::warn!("clients do not take their answers; stopping without them");
            }
        }
        self.sequencer.stop().await;
    }
}

/// Runs something that must not end before the service stops.
async fn watched(watch: Watch, task: impl Future<Output = ()>) {
    let _watch = watch;
    task.await;
}

/// Takes a port.
///
/// # Errors
/// Somebody else has it.
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .wrap_err_with(|| format!("port {} is taken; choose another base", address.port()))
}

//! A validator with its public ports: what `node` runs once and `dev` four times.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alloy_signer_local::PrivateKeySigner;
use cloverleaf_mempool::pool::Limits;
use cloverleaf_types::Height;
use eyre::{Context as _, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::pause;
use crate::health::{Health, NodeHealth};
use crate::home::Home;
use crate::operator::Socket;
use crate::rest::Rest;
use crate::rpc::{Connections, Desk, Methods, MethodsConfig, WebSockets};
use crate::sequencer::{Fatal, Handle, Sequencer};
use crate::streams::{JsonStreams, Patience};
use crate::{grpc, operator, rest, rpc};

/// Longest wait, in milliseconds, for the answers that the ports still owe when they stop: a client that
/// does not read must not hold up the validator's end.
const PORTS_STOP_MAX_MS: u64 = 3_000;

/// What is special about a service.
#[derive(Debug, Default)]
pub struct ServiceOptions {
    /// What the pool holds at most.
    pub limits: Limits,
    /// With amnesia, the height from which the operators let the key sign (D4).
    pub amnesia_accepted: Option<Height>,
    /// Pays for the faucet: in dev networks only.
    pub faucet: Option<PrivateKeySigner>,
    /// Pages of any origin may ask: in dev networks only.
    pub any_origin: bool,
    /// How long a reader of a stream may leave an item untaken; the usual time without.
    pub stall_max: Option<Duration>,
}

/// The listeners of a validator's ports.
#[derive(Debug)]
pub struct Listeners {
    /// JSON-RPC and REST.
    pub http: TcpListener,
    /// gRPC.
    pub grpc: TcpListener,
    /// Metrics and health.
    pub metrics: TcpListener,
}

/// A running validator and its ports.
pub struct Service {
    sequencer: Sequencer,
    public: PortGroup,
    operator: PortGroup,
    http: SocketAddr,
    grpc: SocketAddr,
    metrics: SocketAddr,
}

/// Ports, and the tasks behind them, that stop together.
#[derive(Debug, Default)]
struct PortGroup {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Service {
    /// Starts the validator of a directory on its configured ports.
    ///
    /// # Errors
    /// A port is taken, or the directory is not in order.
    pub async fn start(home: Home, options: ServiceOptions) -> Result<Self> {
        let (rpc, grpc, metrics) = (&home.config.rpc, &home.config.grpc, &home.config.metrics);
        let listeners = Listeners {
            http: listen((rpc.address, rpc.port).into()).await?,
            grpc: listen((grpc.address, grpc.port).into()).await?,
            metrics: listen((metrics.address, metrics.port).into()).await?,
        };
        Self::start_on(home, options, listeners).await
    }

    /// Starts the validator of a directory on these listeners.
    ///
    /// # Errors
    /// The directory is not in order, or the network's port is taken.
    pub async fn start_on(
        home: Home,
        options: ServiceOptions,
        listeners: Listeners,
    ) -> Result<Self> {
        let (http, grpc) = (listeners.http.local_addr()?, listeners.grpc.local_addr()?);
        let metrics = listeners.metrics.local_addr()?;
        let executions: BTreeMap<_, _> = home
            .config
            .execution
            .iter()
            .map(|it| (it.chain_id, it.url.clone()))
            .collect();
        let announced_grpc = home.config.announced_grpc(grpc);
        if announced_grpc.is_none() {
            tracing::warn!("nobody is told where gRPC is: set grpc.announce to its URL");
        }
        let dir = home.dir.clone();
        let sequencer = Sequencer::start(home, options.limits, options.amnesia_accepted).await?;
        let (handle, fatal) = (sequencer.handle(), sequencer.fatal());
        let (operator, public) = (PortGroup::default(), PortGroup::default());
        let health = NodeHealth::new(handle.clone(), fatal.clone(), public.stop.clone());
        let health: Arc<dyn Health> = Arc::new(health);
        let metered = handle.shared().metrics.metered.clone();
        let stop = operator.stop.clone();
        let served = operator::serve(listeners.metrics, Arc::clone(&health), metered, stop);
        operator.run("the operator's port", &fatal, served);
        serve_socket(&dir, &operator, &handle, &fatal);
        let desk = Desk::new(handle, executions);
        let methods = Methods::new(MethodsConfig {
            desk: desk.clone(),
            faucet: options.faucet,
            grpc: announced_grpc,
        });
        let mut patience = Patience::until(public.stop.clone());
        patience.stall_max = options.stall_max.unwrap_or(patience.stall_max);
        let streams = JsonStreams::new(desk.clone(), patience.clone());
        let websockets = WebSockets {
            methods: methods.clone(),
            streams: streams.clone(),
            tasks: public.tasks.clone(),
            any_origin: options.any_origin,
        };
        let rest = rest::router(Rest {
            desk: desk.clone(),
            streams,
            methods: methods.clone(),
        });
        let beside = rest.merge(rpc::websocket_router(websockets));
        let router = rpc::router(methods, beside, options.any_origin);
        let (connections, stop) = (Connections::of_node(), public.stop.clone());
        let served = rpc::serve(listeners.http, connections, router, stop);
        public.run("the JSON-RPC port", &fatal, served);
        let gaps = rpc::watch_gaps(desk.clone(), public.stop.clone());
        public.run("the task that asks for nonces", &fatal, gaps);
        let served = grpc::serve(listeners.grpc, desk, health, patience);
        public.run("the gRPC port", &fatal, async move {
            if let Err(error) = served.await {
                tracing::error!(%error, "the gRPC port ended");
            }
        });
        Ok(Self {
            sequencer,
            public,
            operator,
            http,
            grpc,
            metrics,
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

    /// Where it serves metrics and health.
    #[must_use]
    pub fn metrics_url(&self) -> String {
        format!("http://{}", self.metrics)
    }

    /// Stops it, in the reverse of the order in which it was started: the public ports, the
    /// operator's, which says meanwhile that it is stopping, then the validator.
    pub async fn stop(self) {
        self.public.stop().await;
        self.operator.stop().await;
        self.sequencer.stop().await;
    }
}

impl PortGroup {
    /// Runs a part that must not end before the ports stop.
    fn run(
        &self,
        what: &'static str,
        fatal: &Fatal,
        part: impl Future<Output = ()> + Send + 'static,
    ) {
        let watch = fatal.watch(what, &self.stop);
        self.tasks.spawn(async move {
            let _watch = watch;
            part.await;
        });
    }

    /// Ends the parts: what was asked is answered, as far as clients take their answers.
    async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => {}
            () = pause(PORTS_STOP_MAX_MS) => {
                tracing::warn!("clients do not take their answers; stopping without them");
            }
        }
    }
}

/// The operator's socket. A node decides and serves without one.
fn serve_socket(dir: &Path, operator: &PortGroup, handle: &Handle, fatal: &Fatal) {
    match Socket::bind(dir) {
        Ok(socket) => {
            let served = socket.serve(handle.shared().store.clone(), operator.stop.clone());
            operator.run("the operator's socket", fatal, served);
        }
        Err(error) => {
            tracing::warn!(%error, "no socket for the operator: no snapshot can be made while it runs");
        }
    }
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

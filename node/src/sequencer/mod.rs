//! A running validator: the replica on its own thread, and the threads and tasks around it.
//!
//! ```text
//!  rpc ──Handle──► requests ─┐                       ┌─► votes journal (inline, synced)
//!  network ─► inbound ───────┼─► engine ─► Replica ──┼─► parcel writer ─┐
//!      ▲      (verifies)     │     ▲                 ├─► committer ─► store, streams
//!      └─────────────────────┼─────┼─── sends ───────┘         │
//!                            └─────┴──── completions ◄─────────┴──────────┘
//! ```
//! Start order: disk, network, threads, engine. Stop order: the reverse.

mod committer;
mod completions;
mod engine;
mod fatal;
mod handle;
mod inbound;
mod parcel_writer;
mod peers;
mod recover;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::thread::JoinHandle;

use cloverleaf_mempool::pool::Limits;
use cloverleaf_network::{Network, NetworkConfig, NetworkHandle, PeerConfig, address_text};
use cloverleaf_replica::{Input, PlacedIndex, Replica};
use cloverleaf_storage::Store;
use cloverleaf_stream::{Hub, Limits as StreamLimits};
use cloverleaf_types::{Height, TransactionKey};
use eyre::{Context as _, Result};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle as Task;
use tokio_util::sync::CancellationToken;

use crate::adapters::StreamSource;
use crate::home::Home;
use committer::Committer;
use completions::Completions;
use engine::{Engine, Inboxes, Waiting};
use handle::{REQUESTS_MAX, Request};
use inbound::{INPUTS_MAX, Mailboxes};
use parcel_writer::ParcelWriter;
use peers::Peers;

pub use fatal::Fatal;
pub use handle::{Handle, Shared, SubmitError, Until};
pub use recover::DamagedJournal;

/// A running validator.
pub struct Sequencer {
    handle: Handle,
    fatal: Fatal,
    stop: CancellationToken,
    network: NetworkHandle,
    tasks: Vec<Task<()>>,
    threads: Vec<JoinHandle<()>>,
    hub: Arc<Hub>,
    _home: Home,
}

/// W2: the transaction index of the store. A store that cannot be read ends the node.
struct StoreIndex {
    store: Store,
    fatal: Fatal,
}

impl PlacedIndex for StoreIndex {
    fn placed(&self, (chain_id, id): &TransactionKey) -> Option<Height> {
        match self.store.transaction(*chain_id, *id) {
            Ok(place) => place.map(|place| place.height),
            Err(error) => {
                self.fatal.disk(&error);
                None
            }
        }
    }
}

impl Sequencer {
    /// Starts the validator of a directory.
    ///
    /// # Errors
    /// The disk is not in order, or the network's port cannot be taken.
    pub async fn start(home: Home, limits: Limits) -> Result<Self> {
        let (fatal, stop) = (Fatal::default(), CancellationToken::new());
        let (home, disk) = off_async_threads(move || {
            let disk = recover::open(&home);
            (home, disk)
        })
        .await?;
        let disk = disk?;
        let (network, events, network_task) = start_network(&home).await?;
        let peers = Peers::new(network.clone(), disk.recovered.state.validators());
        let source = Arc::new(StreamSource::new(disk.store.clone(), &home.genesis));
        let hub = Arc::new(Hub::new(source.clone(), source, StreamLimits::default())?);
        let shared = Arc::new(Shared {
            genesis: home.genesis.clone(),
            own: home.keys.address(),
            store: disk.store.clone(),
            hub: Arc::clone(&hub),
            connected: AtomicU32::new(0),
        });
        let (mailboxes, requests, inboxes) = mail();
        let network_id = home.genesis.network();
        let carrier = inbound::carry(events, peers.clone(), network_id, mailboxes);
        let (tip, tip_receiver) = watch::channel(Arc::new(disk.recovered.state.clone()));
        let done = inboxes.completions.clone();
        let logs = (disk.lane_log, disk.parcel_store);
        let (parcel_writer, parcel_thread) =
            ParcelWriter::start(logs, done.clone(), fatal.clone())?;
        let store = disk.store.clone();
        let (committer, commit_thread) =
            Committer::start(store, Arc::clone(&hub), done, fatal.clone())?;
        let index = Box::new(StoreIndex {
            store: disk.store,
            fatal: fatal.clone(),
        });
        let engine = Engine {
            replica: Replica::new(disk.recovered, limits, index)?,
            votes: disk.votes,
            parcel_writer,
            committer,
            peers,
            shared: Arc::clone(&shared),
            tip,
            fatal: fatal.clone(),
            waiting: Waiting::default(),
        };
        let start = Input::Start {
            votes: disk.entries,
            first_kept: Height(1),
        };
        let engine_thread = start_engine(engine, start, inboxes, stop.clone(), fatal.clone())?;
        Ok(Self {
            handle: Handle::new(requests, tip_receiver, shared),
            fatal,
            stop,
            network,
            tasks: vec![network_task, spawn(carrier)],
            threads: vec![engine_thread, parcel_thread, commit_thread],
            hub,
            _home: home,
        })
    }

    /// Asks it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Tells when it must end by itself.
    #[must_use]
    pub fn fatal(&self) -> Fatal {
        self.fatal.clone()
    }

    /// Stops it: what is being written is finished, then its directory is free.
    pub async fn stop(self) {
        self.hub.close();
        self.stop.cancel();
        self.network.shutdown();
        for task in self.tasks {
            let _ended = task.await;
        }
        let threads = self.threads;
        let joined =
            off_async_threads(move || threads.into_iter().all(|thread| thread.join().is_ok()));
        if !joined.await.is_ok_and(|joined| joined) {
            tracing::error!("a thread ended with a panic");
        }
    }
}

/// Runs work that may block or take long, off the async threads.
#[expect(
    clippy::disallowed_methods,
    reason = "the caller awaits it on the spot"
)]
pub(crate) async fn off_async_threads<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .wrap_err("work off the async threads was cut off")
}

#[expect(
    clippy::disallowed_methods,
    reason = "its caller owns the task and awaits it"
)]
fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Task<()> {
    tokio::spawn(task)
}

/// The mailboxes of the engine's thread, and who writes to them.
fn mail() -> (Mailboxes, mpsc::Sender<Request>, Inboxes) {
    let (urgent, urgent_inbox) = mpsc::channel(INPUTS_MAX);
    let (bulk, bulk_inbox) = mpsc::channel(INPUTS_MAX);
    let (requests, request_inbox) = mpsc::channel(REQUESTS_MAX);
    let inboxes = Inboxes {
        urgent: urgent_inbox,
        bulk: bulk_inbox,
        requests: request_inbox,
        completions: Completions::default(),
    };
    (Mailboxes { urgent, bulk }, requests, inboxes)
}

async fn start_network(
    home: &Home,
) -> Result<(NetworkHandle, cloverleaf_network::NetworkEvents, Task<()>)> {
    let ports = home.config.ports()?;
    let peers = home.config.peers.iter().map(|peer| PeerConfig {
        peer_id: peer.peer_id.clone(),
        address: Some(address_text(peer.address)),
    });
    let config = NetworkConfig {
        keypair: home.keys.network.clone(),
        listen: (home.config.listen_address, ports.network()).into(),
        peers: peers.collect(),
        network_id: hex::encode(home.genesis.network()),
    };
    let Network {
        handle,
        events,
        task,
    } = cloverleaf_network::start(config).await?;
    let task = spawn(async move {
        if let Err(error) = task.run().await {
            tracing::error!(%error, "the network ended");
        }
    });
    Ok((handle, events, task))
}

fn start_engine(
    engine: Engine,
    start: Input,
    inboxes: Inboxes,
    stop: CancellationToken,
    fatal: Fatal,
) -> Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let thread = std::thread::Builder::new()
        .name("sequencer".to_owned())
        .spawn(move || {
            let stopped = stop.clone();
            runtime.block_on(engine.run(start, inboxes, stop));
            if !stopped.is_cancelled() {
                fatal.broken("the sequencer's thread ended early");
            }
        })?;
    Ok(thread)
}

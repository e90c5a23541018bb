//! A running validator: the replica on its own thread, and the threads and tasks around it.
//!
//! ```text
//!  rpc ──Handle──► requests ─┐                       ┌─► votes journal (inline, synced)
//!  network ─► inbound ───────┼─► engine ─► Replica ──┼─► parcel writer ─┐
//!      ▲      (verifies)     │     ▲                 ├─► committer ─► store, streams, pruner
//!      └─────────────────────┼─────┼─── sends ───────┼─► reader ────────┤
//!                            └─────┴──── completions ◄──────────────────┘
//! ```
//! Start order: disk, network, threads, engine. Stop order: the reverse.

mod committer;
mod completions;
mod depth;
mod dump;
mod engine;
mod evidence;
mod fatal;
mod floors;
mod handle;
mod inbound;
mod index;
mod invariant;
mod journals;
mod meter;
mod parcel_writer;
mod peers;
mod pruner;
mod reader;
mod recover;
mod vitals;
mod waiting;

use std::sync::Arc;
use std::thread::JoinHandle;

use cloverleaf_mempool::pool::Limits;
use cloverleaf_network::{ConnectionMetrics, Network, NetworkConfig, NetworkHandle};
use cloverleaf_replica::{Input, Room};
use cloverleaf_storage::Store;
use cloverleaf_stream::{Hub, Limits as StreamLimits};
use cloverleaf_types::Height;
use eyre::{Context as _, Result};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle as Task;
use tokio_util::sync::CancellationToken;

use crate::adapters::StreamSource;
use crate::clock::SteadyClock;
use crate::home::Home;
use crate::metrics::Metered;
use committer::Committer;
use completions::Completions;
use engine::{Engine, Inboxes};
use handle::{REQUESTS_MAX, Request};
use inbound::{BULK_MAX, Mailboxes, SYNC_MAX, URGENT_MAX};
use meter::Meter;
use parcel_writer::ParcelWriter;
use peers::Peers;
use pruner::{Keep, Pruner};
use reader::Reader;
use waiting::Waiting;

pub(crate) use fatal::Watch;
pub use fatal::{Fatal, exit_code};
pub use floors::Floors;
pub use handle::{HandIn, HandedIn, Handle, Shared, SubmitError, Taken, Until};
pub use journals::DamagedJournal;
pub(crate) use journals::{begin as begin_journals, forget_signed};
pub use recover::Found;
pub use vitals::{Vitals, Work};

/// Fewer kept heights than this are warned of: an hour of a network that makes a block every 200 ms,
/// in which an operator can be there.
const KEEP_HEIGHTS_LOW: u64 = 18_000;

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

impl Sequencer {
    /// Starts the validator of a directory. With amnesia (D4) it signs from `amnesia_accepted` on, if the
    /// block before it is the tip then, or comes to be.
    ///
    /// # Errors
    /// The disk is not in order, or the network's port cannot be taken.
    pub async fn start(
        home: Home,
        limits: Limits,
        amnesia_accepted: Option<Height>,
    ) -> Result<Self> {
        let (fatal, stop) = (Fatal::of(&home), CancellationToken::new());
        let (home, disk) = open(home, limits, amnesia_accepted, fatal.clone()).await?;
        let state = Arc::new(disk.replica.state().clone());
        let (tip, tip_receiver) = watch::channel(Arc::clone(&state));
        let source = Arc::new(StreamSource::new(disk.store.clone(), tip_receiver.clone()));
        let limits = stream_limits(&home);
        let hub = Arc::new(Hub::new(source.clone(), source, limits)?);
        let shared = Arc::new(Shared::new(&home, disk.store.clone(), Arc::clone(&hub))?);
        let (network, events, network_task) =
            start_network(&home, &shared.metrics.metered, &fatal, &stop).await?;
        let peers = Peers::new(network.clone(), &home.config.peers, Arc::clone(&shared));
        peers.follow(&state);
        let (mailboxes, requests, inboxes) = mail();
        let carrier = inbound::carry(events, peers.clone(), home.genesis.network(), mailboxes);
        let done = inboxes.completions.clone();
        let disk_completions = done.clone();
        let watched = |what| (fatal.clone(), fatal.watch(what, &stop));
        let logs = (disk.lane_log, disk.parcel_store);
        let (parcel_writer, parcel_thread) = ParcelWriter::start(
            logs,
            done.clone(),
            Arc::clone(&shared),
            watched("the parcels' thread"),
        )?;
        let (first_kept, room) = found(&disk.store, &shared)?;
        let ((committer, reader), disk_threads) =
            start_store(&home, disk.store, &shared, done, watched)?;
        note_amnesia(&shared, disk.replica.observe().is_amnesiac);
        let engine = Engine {
            replica: disk.replica,
            votes: disk.votes,
            parcel_writer,
            committer,
            reader,
            peers,
            meter: Meter::new(Arc::clone(&shared)),
            shared: Arc::clone(&shared),
            tip,
            fatal: fatal.clone(),
            waiting: Waiting::default(),
            clock: SteadyClock::new(),
        };
        let votes = disk.entries;
        // D6: a disk without room is known before anything is signed.
        let start = [Input::Disk(room), Input::Start { votes, first_kept }];
        let watch = fatal.watch("the sequencer's thread", &stop);
        let engine_thread = start_engine(engine, start, inboxes, stop.clone(), watch)?;
        let carrier = spawn_watched(fatal.watch("the network's reader", &stop), carrier);
        let floors = floors::watch(Arc::clone(&shared), disk_completions, stop.clone());
        let floors = spawn_watched(fatal.watch("the watch of the disk", &stop), floors);
        Ok(Self {
            handle: Handle::new(requests, tip_receiver, shared),
            fatal,
            stop,
            network,
            tasks: vec![network_task, carrier, floors],
            threads: [engine_thread, parcel_thread]
                .into_iter()
                .chain(disk_threads)
                .collect(),
            hub,
            _home: home,
        })
    }

    /// Opens a directory's disk as a start does, and says what a start would go on from. What a start
    /// mends is mended: a torn tail is cut off, a damaged journal is kept aside.
    ///
    /// # Errors
    /// The disk is not in order.
    pub fn look(home: &Home) -> Result<Found> {
        recover::look(home)
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

/// D4: known before the first door is open. That no peer has spoken yet is true of every start.
fn note_amnesia(shared: &Shared, is_amnesiac: bool) {
    shared.vitals.note_amnesia(is_amnesiac);
    shared.vitals.note_held(true);
    let gauge = &shared.metrics.consensus.is_amnesiac;
    gauge.set(i64::from(is_amnesiac));
}

/// A task whose end before the sequencer's is noticed.
fn spawn_watched(watch: Watch, task: impl Future<Output = ()> + Send + 'static) -> Task<()> {
    spawn(async move {
        let _watch = watch;
        task.await;
    })
}

async fn open(
    home: Home,
    limits: Limits,
    amnesia_accepted: Option<Height>,
    fatal: Fatal,
) -> Result<(Home, recover::Disk)> {
    let opened = off_async_threads(move || {
        let disk = recover::open(&home, limits, amnesia_accepted, fatal)?;
        Ok((home, disk))
    });
    opened.await?
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
    let (urgent, urgent_inbox) = mpsc::channel(URGENT_MAX);
    let (bulk, bulk_inbox) = mpsc::channel(BULK_MAX);
    let (sync, sync_inbox) = mpsc::channel(SYNC_MAX);
    let (requests, request_inbox) = mpsc::channel(REQUESTS_MAX);
    let inboxes = Inboxes {
        urgent: urgent_inbox,
        sync: sync_inbox,
        bulk: bulk_inbox,
        requests: request_inbox,
        completions: Completions::default(),
    };
    let mailboxes = Mailboxes { urgent, sync, bulk };
    (mailboxes, requests, inboxes)
}

/// The lowest height that is kept, and what the disk has room for.
fn found(store: &Store, shared: &Shared) -> Result<(Height, Room)> {
    let first_kept = store.first_height()?.unwrap_or(Height(1));
    let (free_bytes, room) = shared.floors.look()?;
    shared.metrics.storage.disk(free_bytes, room);
    if room != Room::Ample {
        floors::say(&shared.floors, free_bytes);
    }
    Ok((first_kept, room))
}

/// Who writes to the store, and who reads from it for peers.
type StoreThreads = (Committer, Reader);

/// The thread that commits, and the one that removes old blocks when not all are kept.
fn start_store(
    home: &Home,
    store: Store,
    shared: &Arc<Shared>,
    done: Completions,
    watched: impl Fn(&'static str) -> (Fatal, Watch),
) -> Result<(StoreThreads, Vec<JoinHandle<()>>)> {
    let keep = Keep {
        heights: home.config.store.keep_heights,
        replay_window_ms: home.genesis.parameters.replay_window_ms,
    };
    let (mut pruner, mut threads) = (None, Vec::new());
    if keep.heights > 0 {
        if keep.heights < KEEP_HEIGHTS_LOW {
            tracing::warn!(
                keep_heights = keep.heights,
                "store.keep_heights keeps less than an hour of a busy network: if all validators do so, one that \
                 is away for longer cannot follow any more"
            );
        }
        let ends = watched("the thread that removes old blocks");
        let (started, thread) = Pruner::start(store.clone(), keep, done.clone(), ends)?;
        pruner = Some(started);
        threads.push(thread);
    }
    let ends = watched("the thread that reads blocks for peers");
    let (reader, thread) = Reader::start(store.clone(), Arc::clone(shared), done.clone(), ends)?;
    threads.push(thread);
    let ends = watched("the commits' thread");
    let (committer, thread) = Committer::start(store, Arc::clone(shared), done, pruner, ends)?;
    threads.push(thread);
    Ok(((committer, reader), threads))
}

fn stream_limits(home: &Home) -> StreamLimits {
    StreamLimits {
        recent_bytes_max: home.config.streams.recent_bytes,
        ..StreamLimits::default()
    }
}

async fn start_network(
    home: &Home,
    metered: &Metered,
    fatal: &Fatal,
    stop: &CancellationToken,
) -> Result<(NetworkHandle, cloverleaf_network::NetworkEvents, Task<()>)> {
    let listen = &home.config.network;
    let config = NetworkConfig {
        keypair: home.keys.network.clone(),
        listen: (listen.address, listen.port).into(),
        peers: Vec::new(), // the state says who, before anything is sent
        network_id: hex::encode(home.genesis.network()),
    };
    let Network {
        handle,
        events,
        task,
    } = cloverleaf_network::start(config).await?;
    let task = task.measured(metered.with(ConnectionMetrics::register));
    let watch = fatal.watch("the network", stop);
    let task = spawn(async move {
        let _watch = watch;
        if let Err(error) = task.run().await {
            tracing::error!(%error, "the network ended");
        }
    });
    Ok((handle, events, task))
}

fn start_engine(
    engine: Engine,
    start: [Input; 2],
    inboxes: Inboxes,
    stop: CancellationToken,
    watch: Watch,
) -> Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let thread = std::thread::Builder::new()
        .name("sequencer".to_owned())
        .spawn(move || {
            let _watch = watch;
            runtime.block_on(engine.run(start, inboxes, stop));
        })?;
    Ok(thread)
}

//! The thread that makes blocks durable, and only then tells anybody (D1).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use cloverleaf_replica::{Commit, Input, Misdeed};
use cloverleaf_storage::{Store, StoreError};
use cloverleaf_stream::StreamItem;
use cloverleaf_types::Bound;

use super::completions::Completions;
use super::depth::Depth;
use super::dump::Scene;
use super::fatal::{Fatal, Watch};
use super::handle::Shared;
use super::pruner::Pruner;
use crate::clock::Stopwatch;

/// Work that can wait: one commit at a time, and a little evidence.
pub(super) const QUEUE_MAX: usize = 256;

/// What the store is asked.
#[derive(Debug)]
pub(super) enum StoreWork {
    /// Make a block durable.
    Commit(Arc<Commit>),
    /// Keep what somebody did.
    Evidence { misdeed: Arc<Misdeed>, range: u64 },
}

/// The thread's mailbox.
#[derive(Debug)]
pub(super) struct Committer {
    queue: SyncSender<StoreWork>,
    depth: Depth,
}

impl Committer {
    /// Starts the thread. It ends when the mailbox is dropped.
    pub(super) fn start(
        store: Store,
        shared: Arc<Shared>,
        completions: Completions,
        pruner: Option<Pruner>,
        (fatal, watch): (Fatal, Watch),
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, work) = sync_channel(QUEUE_MAX);
        let depth = Depth::default();
        let worker = Worker {
            store,
            shared,
            completions,
            pruner,
            depth: depth.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || {
                let _watch = watch;
                if let Err((error, scene)) = worker.run(&work) {
                    fatal.store_at(&error, scene.map(|scene| *scene));
                }
            })?;
        Ok((Self { queue, depth }, thread))
    }

    /// What waits or has just been taken, and the most of both.
    pub(super) fn bound(&self) -> Bound {
        Bound::new("store_work", self.depth.get(), QUEUE_MAX + 1)
    }

    /// Whether no work finds room.
    pub(super) fn is_full(&self) -> bool {
        self.depth.get() >= QUEUE_MAX
    }

    /// Queues work. False when the queue is full or the thread has ended.
    pub(super) fn push(&self, work: StoreWork) -> bool {
        self.depth.put();
        match self.queue.try_send(work) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.depth.take();
                false
            }
        }
    }
}

/// What the thread works with.
struct Worker {
    store: Store,
    shared: Arc<Shared>,
    completions: Completions,
    pruner: Option<Pruner>,
    depth: Depth,
}

/// Why the thread ends, and the block that it was about.
type Failed = (StoreError, Option<Box<Scene>>);

impl Worker {
    fn run(&self, work: &Receiver<StoreWork>) -> Result<(), Failed> {
        while let Ok(work) = work.recv() {
            self.depth.take();
            self.shared.vitals.commit.begin();
            match work {
                StoreWork::Commit(commit) => self.commit(&commit).map_err(|error| {
                    let block = &commit.block;
                    let scene = Scene::of_block(&block.block, &block.certificate);
                    (error, Some(Box::new(scene)))
                })?,
                StoreWork::Evidence { misdeed, range } => {
                    self.shared.evidence.keep(&misdeed, range);
                }
            }
            self.shared.vitals.commit.end();
        }
        let kept = self.store.table_whole_index();
        kept.map_err(|error| (error, None))
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let took = Stopwatch::start();
        let parts = cloverleaf_storage::Commit {
            block: &commit.block,
            ids: &commit.ids,
            branches: &commit.branches,
            state: &commit.state,
        };
        let metrics = &self.shared.metrics.storage;
        let mut placing = None;
        self.store.commit_then(&parts, || {
            metrics.commit_seconds.observe(took.seconds());
            self.announce(commit);
            placing = Some(Stopwatch::start());
        })?;
        if let Some(placing) = placing {
            metrics.index_seconds.observe(placing.seconds());
        }
        if let Some(pruner) = &self.pruner {
            pruner.committed();
        }
        Ok(())
    }

    /// Tells everybody of a block that is durable.
    fn announce(&self, commit: &Commit) {
        let height = commit.block.height();
        self.completions.push([Input::Committed { height }]);
        let items = StreamItem::of_block(&commit.block, &commit.branches);
        self.shared.hub.announce(height, items);
    }
}

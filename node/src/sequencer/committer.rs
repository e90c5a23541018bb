//! The thread that makes blocks durable, and only then tells anybody (D1).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use cloverleaf_replica::{BlockRange, Commit, Input};
use cloverleaf_storage::{Store, StoreError};
use cloverleaf_stream::StreamItem;

use super::completions::Completions;
use super::fatal::{Fatal, Watch};
use super::handle::Shared;
use super::pruner::Pruner;
use crate::clock::Stopwatch;

/// Work that can wait: one commit at a time, and one read for each peer.
const QUEUE_MAX: usize = 256;

/// Blocks that one answer to a peer holds at most, whatever they weigh.
const BLOCKS_PER_READ_MAX: usize = 16;

/// What the store is asked.
#[derive(Debug)]
pub(super) enum StoreWork {
    /// Make a block durable.
    Commit(Arc<Commit>),
    /// Read blocks for a peer.
    Read(BlockRange),
}

/// The thread's mailbox.
#[derive(Debug)]
pub(super) struct Committer {
    queue: SyncSender<StoreWork>,
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
        let thread = std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || {
                let _watch = watch;
                if let Err(error) = run(&store, &shared, &work, &completions, pruner.as_ref()) {
                    fatal.store(&error);
                }
            })?;
        Ok((Self { queue }, thread))
    }

    /// Queues work. False when the queue is full or the thread has ended.
    pub(super) fn push(&self, work: StoreWork) -> bool {
        match self.queue.try_send(work) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

fn run(
    store: &Store,
    shared: &Shared,
    work: &Receiver<StoreWork>,
    completions: &Completions,
    pruner: Option<&Pruner>,
) -> Result<(), StoreError> {
    while let Ok(work) = work.recv() {
        shared.vitals.commit.begin();
        let (took, metrics) = (Stopwatch::start(), &shared.metrics.storage);
        match work {
            StoreWork::Commit(commit) => {
                store.commit(&cloverleaf_storage::Commit {
                    block: &commit.block,
                    ids: &commit.ids,
                    branches: &commit.branches,
                    state: &commit.state,
                })?;
                metrics.commit_seconds.observe(took.seconds());
                let height = commit.block.height();
                completions.push([Input::Committed { height }]);
                shared.hub.announce(
                    height,
                    StreamItem::of_block(&commit.block, &commit.branches),
                );
                if let Some(pruner) = pruner {
                    pruner.committed();
                }
            }
            StoreWork::Read(range) => {
                let count = usize::try_from(range.to.0.saturating_sub(range.from.0))
                    .map_or(BLOCKS_PER_READ_MAX, |above| {
                        (above + 1).min(BLOCKS_PER_READ_MAX)
                    });
                let blocks = store.blocks_from(range.from, count, range.bytes_max)?;
                metrics.read_seconds.observe(took.seconds());
                let blocks = blocks.into_iter().map(|(_, block)| block).collect();
                completions.push([Input::BlocksRead { range, blocks }]);
            }
        }
        shared.vitals.commit.end();
    }
    Ok(())
}

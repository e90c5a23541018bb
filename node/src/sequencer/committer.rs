//! The thread that makes blocks durable, and only then tells anybody (D1).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use cloverleaf_replica::{Commit, Input};
use cloverleaf_storage::{Store, StoreError};
use cloverleaf_stream::StreamItem;

use super::completions::Completions;
use super::fatal::{Fatal, Watch};
use super::handle::Shared;
use super::pruner::Pruner;
use crate::clock::Stopwatch;

/// Commits that can wait: the replica gives one at a time.
const QUEUE_MAX: usize = 4;

/// The thread's mailbox.
#[derive(Debug)]
pub(super) struct Committer {
    queue: SyncSender<Arc<Commit>>,
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
        let (queue, commits) = sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || {
                let _watch = watch;
                if let Err(error) = run(&store, &shared, &commits, &completions, pruner.as_ref()) {
                    fatal.store(&error);
                }
            })?;
        Ok((Self { queue }, thread))
    }

    /// Queues a commit. False when the queue is full or the thread has ended.
    pub(super) fn push(&self, commit: Arc<Commit>) -> bool {
        self.queue.try_send(commit).is_ok()
    }
}

fn run(
    store: &Store,
    shared: &Shared,
    commits: &Receiver<Arc<Commit>>,
    completions: &Completions,
    pruner: Option<&Pruner>,
) -> Result<(), StoreError> {
    while let Ok(commit) = commits.recv() {
        shared.vitals.commit.begin();
        let took = Stopwatch::start();
        store.commit(&cloverleaf_storage::Commit {
            block: &commit.block,
            ids: &commit.ids,
            branches: &commit.branches,
            state: &commit.state,
        })?;
        let seconds = took.seconds();
        shared.metrics.storage.commit_seconds.observe(seconds);
        let height = commit.block.height();
        completions.push([Input::Committed { height }]);
        let item = StreamItem::of_block(&commit.block, &commit.branches);
        shared.hub.announce(height, item);
        if let Some(pruner) = pruner {
            pruner.committed();
        }
        shared.vitals.commit.end();
    }
    Ok(())
}

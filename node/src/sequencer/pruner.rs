//! The thread that removes old blocks, beside the commits and never in their way.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use cloverleaf_replica::Input;
use cloverleaf_storage::limits::REMOVED_TOGETHER;
use cloverleaf_storage::{Needed, Store, StoreError};
use cloverleaf_types::Height;

use super::completions::Completions;
use super::fatal::{Fatal, Watch};

/// Blocks that are removed after one commit at most: what was kept before the setting goes step by
/// step, some hundred blocks a second.
const BLOCKS_PER_STEP_MAX: u64 = 64;

/// Commits that wait for their step: a step looks at the present tip, so one is enough.
const STEPS_WAITING_MAX: usize = 1;

/// What is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    /// So many of the latest heights.
    pub(super) heights: u64,
    /// What the replay window holds (W1), in milliseconds of block time.
    pub(super) replay_window_ms: u64,
}

/// The thread's mailbox.
#[derive(Debug)]
pub(super) struct Pruner {
    committed: SyncSender<()>,
}

impl Pruner {
    /// Starts the thread. It ends when the mailbox is dropped.
    pub(super) fn start(
        store: Store,
        keep: Keep,
        completions: Completions,
        (fatal, watch): (Fatal, Watch),
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (committed, commits) = sync_channel(STEPS_WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("prune".to_owned())
            .spawn(move || {
                let _watch = watch;
                if let Err(error) = run(&store, keep, &commits, &completions) {
                    fatal.store(&error);
                }
            })?;
        Ok((Self { committed }, thread))
    }

    /// Says that there is a new tip. Never waits.
    pub(super) fn committed(&self) {
        // When it is full, the step that waits will see this tip too.
        let _waits = self.committed.try_send(());
    }
}

fn run(
    store: &Store,
    keep: Keep,
    commits: &Receiver<()>,
    completions: &Completions,
) -> Result<(), StoreError> {
    while commits.recv().is_ok() {
        let replay_window_ms = keep.replay_window_ms;
        let below = store.prunable_below(keep.heights, replay_window_ms)?;
        let first = store.first_height()?.unwrap_or(below);
        if below.0.saturating_sub(first.0) < REMOVED_TOGETHER {
            continue; // Each write waits for the disk.
        }
        let needed = Needed::ByWindow { replay_window_ms };
        if store.prune(below, needed, BLOCKS_PER_STEP_MAX)? > 0 {
            let first_kept = store.first_height()?.unwrap_or(Height(1));
            tracing::debug!(height = %first_kept, "older blocks were removed");
            completions.push([Input::Pruned { first_kept }]);
        }
    }
    Ok(())
}

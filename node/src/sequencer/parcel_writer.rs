//! The thread that makes parcels durable: the own lane log and the store of others' parcels.
//!
//! Whatever has come while a sync ran goes into the next one, so that a busy node syncs large
//! groups and an idle one syncs at once.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use cloverleaf_journal::{JournalError, SegmentedJournal};
use cloverleaf_replica::{Input, KeptParcel};
use cloverleaf_types::limits::{LANE_WINDOW_PARCELS, VALIDATORS_MAX};
use cloverleaf_types::{Bound, Height};

use super::completions::Completions;
use super::depth::Depth;
use super::fatal::{Fatal, Watch};
use super::handle::Shared;
use crate::clock::Stopwatch;

/// Longest segment of the two logs, in bytes: some seconds of a busy node, and removed as a whole.
pub(super) const SEGMENT_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Writes that can wait: what all lanes can hold above their last cuts, two epochs each (L4).
pub(super) const QUEUE_MAX: usize = 2 * 256 * VALIDATORS_MAX;

/// Writes that one sync makes durable, at most: the first of them must not wait for ever.
const GROUP_MAX: usize = 1_024;

const _: () = assert!(
    LANE_WINDOW_PARCELS == 256,
    "QUEUE_MAX follows the lane window"
);

/// One write.
#[derive(Debug)]
pub(super) enum ParcelWrite {
    /// To the lane log.
    Log(KeptParcel),
    /// To the parcel store.
    Store(KeptParcel),
    /// Files that hold only parcels of lower heights may go.
    Forget {
        /// From the parcel store.
        stored_below: Height,
        /// From the lane log.
        logged_below: Height,
    },
}

/// The thread's mailbox.
#[derive(Debug)]
pub(super) struct ParcelWriter {
    queue: SyncSender<ParcelWrite>,
    depth: Depth,
}

impl ParcelWriter {
    /// Starts the thread. It ends when the mailbox is dropped.
    pub(super) fn start(
        (lane_log, parcel_store): (SegmentedJournal, SegmentedJournal),
        completions: Completions,
        shared: Arc<Shared>,
        (fatal, watch): (Fatal, Watch),
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, writes) = sync_channel(QUEUE_MAX);
        let depth = Depth::default();
        let writes = Writes {
            queue: writes,
            depth: depth.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("parcels".to_owned())
            .spawn(move || {
                let _watch = watch;
                if let Err(error) = run(lane_log, parcel_store, &writes, &completions, &shared) {
                    fatal.journal(&error);
                }
            })?;
        Ok((Self { queue, depth }, thread))
    }

    /// What waits or has just been taken, and the most of both.
    pub(super) fn bound(&self) -> Bound {
        Bound::new("parcel_writes", self.depth.get(), QUEUE_MAX + GROUP_MAX)
    }

    /// Whether no write finds room.
    pub(super) fn is_full(&self) -> bool {
        self.depth.get() >= QUEUE_MAX
    }

    /// Queues a write. False when the queue is full or the thread has ended: the lanes' limits make
    /// the first impossible, and the second ends the node.
    pub(super) fn write(&self, write: ParcelWrite) -> bool {
        self.depth.put();
        match self.queue.try_send(write) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.depth.take();
                false
            }
        }
    }
}

/// What the thread takes its work from.
struct Writes {
    queue: Receiver<ParcelWrite>,
    depth: Depth,
}

impl Writes {
    /// The next group: waits for its first write; nothing when there will be none.
    fn group(&self) -> Option<Vec<ParcelWrite>> {
        let first = self.queue.recv().ok()?;
        let more = self.queue.try_iter().take(GROUP_MAX - 1);
        let group: Vec<ParcelWrite> = std::iter::once(first).chain(more).collect();
        group.iter().for_each(|_| self.depth.take());
        Some(group)
    }
}

fn run(
    mut lane_log: SegmentedJournal,
    mut parcel_store: SegmentedJournal,
    writes: &Writes,
    completions: &Completions,
    shared: &Shared,
) -> Result<(), JournalError> {
    let metrics = &shared.metrics.journal;
    while let Some(group) = writes.group() {
        shared.vitals.parcels.begin();
        let (mut logged, mut stored, mut forget) = (Vec::new(), Vec::new(), None);
        for write in group {
            match write {
                ParcelWrite::Log(kept) => {
                    lane_log.append(kept.height.0, kept.parcel.encoded())?;
                    let hash = kept.parcel.hash();
                    logged.push(Input::ParcelLogged { hash });
                }
                ParcelWrite::Store(kept) => {
                    parcel_store.append(kept.height.0, kept.parcel.encoded())?;
                    let hash = kept.parcel.hash();
                    stored.push(Input::ParcelStored { hash });
                }
                ParcelWrite::Forget {
                    stored_below,
                    logged_below,
                } => forget = Some((stored_below, logged_below)),
            }
        }
        // L3, L4: nothing is said before it is synced; own parcels do not wait for others'.
        if !logged.is_empty() {
            let took = Stopwatch::start();
            lane_log.sync()?;
            metrics.synced("lane", logged.len(), lane_log.len_bytes(), took);
            completions.push(logged);
        }
        if !stored.is_empty() {
            let took = Stopwatch::start();
            parcel_store.sync()?;
            metrics.synced("parcels", stored.len(), parcel_store.len_bytes(), took);
            completions.push(stored);
        }
        // Last: what a file held may have been filed again in this very group.
        if let Some((stored_below, logged_below)) = forget {
            parcel_store.remove_below(stored_below.0)?;
            lane_log.remove_below(logged_below.0)?;
        }
        shared.vitals.parcels.end();
    }
    Ok(())
}

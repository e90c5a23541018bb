//! The thread that makes parcels durable: the own lane log and the store of others' parcels.
//!
//! Whatever has come while a sync ran goes into the next one, so that a busy node syncs large
//! groups and an idle one syncs at once.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use cloverleaf_journal::{JournalError, SegmentedJournal};
use cloverleaf_replica::{Input, KeptParcel};
use cloverleaf_types::Height;
use cloverleaf_types::limits::{LANE_WINDOW_PARCELS, VALIDATORS_MAX};

use super::completions::Completions;
use super::fatal::Fatal;

/// Longest segment of the two logs, in bytes: some seconds of a busy node, and removed as a whole.
pub(super) const SEGMENT_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Writes that can wait: what all lanes can hold above their last cuts, two epochs each (L4).
const QUEUE_MAX: usize = 2 * 256 * VALIDATORS_MAX;

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
}

impl ParcelWriter {
    /// Starts the thread. It ends when the mailbox is dropped.
    pub(super) fn start(
        (lane_log, parcel_store): (SegmentedJournal, SegmentedJournal),
        completions: Completions,
        fatal: Fatal,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, writes) = sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("parcels".to_owned())
            .spawn(move || {
                if let Err(error) = run(lane_log, parcel_store, &writes, &completions) {
                    fatal.disk(&error);
                }
            })?;
        Ok((Self { queue }, thread))
    }

    /// Queues a write. False when the queue is full or the thread has ended: the lanes' limits make
    /// the first impossible, and the second ends the node.
    pub(super) fn write(&self, write: ParcelWrite) -> bool {
        match self.queue.try_send(write) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

fn run(
    mut lane_log: SegmentedJournal,
    mut parcel_store: SegmentedJournal,
    writes: &Receiver<ParcelWrite>,
    completions: &Completions,
) -> Result<(), JournalError> {
    while let Ok(first) = writes.recv() {
        let mut done = Vec::new();
        let (mut logged, mut stored) = (false, false);
        for write in std::iter::once(first).chain(writes.try_iter()) {
            match write {
                ParcelWrite::Log(kept) => {
                    lane_log.append(kept.height.0, kept.parcel.encoded())?;
                    done.push(Input::ParcelLogged {
                        hash: kept.parcel.hash(),
                    });
                    logged = true;
                }
                ParcelWrite::Store(kept) => {
                    parcel_store.append(kept.height.0, kept.parcel.encoded())?;
                    done.push(Input::ParcelStored {
                        hash: kept.parcel.hash(),
                    });
                    stored = true;
                }
                ParcelWrite::Forget {
                    stored_below,
                    logged_below,
                } => {
                    parcel_store.remove_below(stored_below.0)?;
                    lane_log.remove_below(logged_below.0)?;
                }
            }
        }
        // L3, L4: nothing is said before it is synced.
        if logged {
            lane_log.sync()?;
        }
        if stored {
            parcel_store.sync()?;
        }
        completions.push(done);
    }
    Ok(())
}

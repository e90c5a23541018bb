//! The thread that reads decided blocks for peers: what it reads is decoded and hashed, and no commit
//! waits for that.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use bytes::Bytes;
use cloverleaf_replica::{BlockRange, Input};
use cloverleaf_storage::{Store, StoreError};
use cloverleaf_types::{Bound, Height};

use super::completions::Completions;
use super::depth::Depth;
use super::fatal::{Fatal, Watch};
use super::handle::Shared;
use super::vitals::Vitals;
use crate::clock::Stopwatch;

/// Reads that wait: one for each peer.
const QUEUE_MAX: usize = 256;

/// Blocks that one answer to a peer holds at most, whatever they weigh.
const BLOCKS_PER_READ_MAX: usize = 16;

/// The thread's mailbox.
#[derive(Debug)]
pub(super) struct Reader {
    queue: SyncSender<BlockRange>,
    depth: Depth,
}

impl Reader {
    /// Starts the thread. It ends when the mailbox is dropped.
    pub(super) fn start(
        store: Store,
        shared: Arc<Shared>,
        completions: Completions,
        (fatal, watch): (Fatal, Watch),
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, ranges) = sync_channel(QUEUE_MAX);
        let depth = Depth::default();
        let taken = depth.clone();
        let thread = std::thread::Builder::new()
            .name("read".to_owned())
            .spawn(move || {
                let _watch = watch;
                let next = || {
                    let range = ranges.recv().ok();
                    range.inspect(|_| taken.take())
                };
                if let Err(error) = run(&store, &shared, next, &completions) {
                    fatal.store(&error);
                }
            })?;
        Ok((Self { queue, depth }, thread))
    }

    /// Queues a read. False when the queue is full or the thread has ended.
    pub(super) fn push(&self, range: BlockRange) -> bool {
        self.depth.put();
        let is_queued = self.queue.try_send(range).is_ok();
        if !is_queued {
            self.depth.take();
        }
        is_queued
    }

    /// What waits or has just been taken, and the most of both.
    pub(super) fn bound(&self) -> Bound {
        Bound::new("store_reads", self.depth.get(), QUEUE_MAX + 1)
    }

    /// Whether no read finds room.
    pub(super) fn is_full(&self) -> bool {
        self.depth.get() >= QUEUE_MAX
    }
}

fn run(
    store: &Store,
    shared: &Shared,
    next: impl Fn() -> Option<BlockRange>,
    completions: &Completions,
) -> Result<(), StoreError> {
    // Of a block that is longer than an answer, each part is asked for by itself.
    let mut long: Option<(Height, Bytes)> = None;
    while let Some(range) = next() {
        shared.vitals.read.begin();
        let took = Stopwatch::start();
        let (blocks, read_bytes) = match &long {
            Some((height, block)) if *height == range.from => (vec![block.clone()], 0),
            _ => {
                let blocks = judge(read(store, &range), &range, &shared.vitals)?;
                // A damaged block was read too, and is not sent.
                let bytes = match blocks.len() {
                    0 => range.bytes_max,
                    _ => blocks.iter().map(Bytes::len).sum(),
                };
                (blocks, bytes)
            }
        };
        let first = blocks.first().filter(|block| block.len() > range.bytes_max);
        long = first.map(|block| (range.from, block.clone()));
        shared.metrics.storage.read_seconds.observe(took.seconds());
        completions.push([Input::BlocksRead {
            range,
            blocks,
            read_bytes,
        }]);
        shared.vitals.read.end();
    }
    Ok(())
}

/// A block that nobody needs here must not end the node whenever a peer asks for it: others have it.
fn judge(
    read: Result<Vec<Bytes>, StoreError>,
    range: &BlockRange,
    vitals: &Vitals,
) -> Result<Vec<Bytes>, StoreError> {
    match read {
        Err(error @ StoreError::Damaged { .. }) => {
            tracing::error!(peer = %range.peer, from = %range.from, "{error}");
            vitals.note_damage();
            Ok(Vec::new())
        }
        read => read,
    }
}

fn read(store: &Store, range: &BlockRange) -> Result<Vec<Bytes>, StoreError> {
    let count = usize::try_from(range.to.0.saturating_sub(range.from.0));
    let count = count.map_or(BLOCKS_PER_READ_MAX, |above| {
        (above + 1).min(BLOCKS_PER_READ_MAX)
    });
    let blocks = store.blocks_from(range.from, count, range.bytes_max)?;
    Ok(blocks.into_iter().map(|(_, block)| block).collect())
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::{Address, Height};

    use super::*;

    #[test]
    fn damaged_block_that_a_peer_asks_for_is_told_and_ends_nothing() {
        let (vitals, path) = (Vitals::default(), std::path::PathBuf::new);
        let range = BlockRange {
            peer: Address::ZERO,
            from: Height(1),
            to: Height(1),
            bytes_max: 1,
        };
        let block = Bytes::from_static(b"block");
        let read = judge(Ok(vec![block.clone()]), &range, &vitals);
        assert_eq!(read.unwrap(), [block]);
        assert!(!vitals.is_damaged());
        let failed = StoreError::Stopped { path: path() };
        assert!(judge(Err(failed), &range, &vitals).is_err());
        assert!(!vitals.is_damaged());
        let damaged = StoreError::Damaged {
            path: path(),
            what: "a byte".to_owned(),
        };
        let read = judge(Err(damaged), &range, &vitals);
        assert!(read.unwrap().is_empty());
        assert!(vitals.is_damaged());
    }
}

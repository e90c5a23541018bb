//! Where the committer's announcements meet the subscribers.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use cloverleaf_types::{ChainId, Height};

use crate::backlog::{Backlog, Readers};
use crate::error::{SourceError, StreamError};
use crate::feed::Feed;
use crate::item::{Positioned, StreamBlock, StreamItem};
use crate::limits::Limits;
use crate::page::Pages;
use crate::source::{BatchSource, BlockSource};
use crate::subscription::Subscription;

/// What the streams hold in memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The latest batches of all rollups, shared by all consumers.
    pub recent_bytes: usize,
    /// Pages of the backlog, each of one consumer.
    pub page_bytes: usize,
}

/// Hands the batches of every rollup, and the blocks, to whoever subscribes.
pub struct Hub {
    batches: Arc<dyn BatchSource>,
    blocks: Arc<dyn BlockSource>,
    limits: Limits,
    readers: Readers,
    /// Locked for moments only, never across a wait; nothing when closed.
    live: Mutex<Option<Live>>,
}

/// What changes with every block.
struct Live {
    height: Height,
    /// Blocks have a tip but no ring: followers are few, and storage has the latest in memory.
    blocks: Feed<StreamBlock>,
    /// The rollups that somebody subscribed to or that had a batch since the start; no more than
    /// are registered, since an unknown chain id gets no feed.
    rollups: BTreeMap<ChainId, Feed<StreamItem>>,
    /// What the rings hold, by block: batches may share their block's buffer, so that only dropping
    /// all batches of a block is sure to free memory.
    recent: VecDeque<Announced>,
    recent_bytes: usize,
}

/// What one block put into the rings.
struct Announced {
    bytes: usize,
    items: Vec<(ChainId, u64)>,
}

impl Hub {
    /// A hub over what storage has.
    ///
    /// # Errors
    /// Storage could not say where its tip is.
    pub fn new(
        batches: Arc<dyn BatchSource>,
        blocks: Arc<dyn BlockSource>,
        limits: Limits,
    ) -> Result<Self, SourceError> {
        let height = blocks.tip()?;
        let pages = Pages::new(limits.page_bytes_max, limits.pages_bytes_max);
        let live = Live {
            height,
            blocks: Feed::new(height.0),
            rollups: BTreeMap::new(),
            recent: VecDeque::new(),
            recent_bytes: 0,
        };
        Ok(Self {
            batches,
            blocks,
            limits,
            readers: Readers::new(limits.reads_max, pages),
            live: Mutex::new(Some(live)),
        })
    }

    /// Announces a block after its synced write has returned (D1): `items` are its batches, as
    /// [`StreamItem::of_block`] makes them. Never waits for a consumer. A height that was announced
    /// before changes nothing.
    pub fn announce(&self, height: Height, items: Vec<Arc<StreamItem>>) {
        let mut live = self.lock();
        let Some(live) = live.as_mut().filter(|live| live.height < height) else {
            return;
        };
        live.height = height;
        live.keep(&items);
        live.trim(self.limits.recent_bytes_max);
        for item in &items {
            live.rollup(item.chain_id, 0).advance(item.seq);
        }
        live.blocks.advance(height.0);
    }

    /// The number of the rollup's next batch: where a subscriber begins that wants no backlog.
    ///
    /// # Errors
    /// The rollup is unknown, or storage failed.
    pub fn next_seq(&self, chain_id: ChainId) -> Result<u64, StreamError> {
        let head = self.batches.head(chain_id)?;
        head.map(|head| head + 1)
            .ok_or(StreamError::UnknownRollup { chain_id })
    }

    /// The height of the next block.
    ///
    /// # Errors
    /// The hub is closed.
    pub fn next_height(&self) -> Result<Height, StreamError> {
        let live = self.lock();
        let live = live.as_ref().ok_or(StreamError::Closed)?;
        Ok(live.height.next())
    }

    /// What the streams hold in memory. What was handed out is not theirs any more.
    #[must_use]
    pub fn held(&self) -> Held {
        Held {
            recent_bytes: self.lock().as_ref().map_or(0, |live| live.recent_bytes),
            page_bytes: self.readers.pages().bytes(),
        }
    }

    /// Subscribes to a rollup's batches from `from_seq` on; 0 stands for the first, which is 1. A
    /// number that is not decided yet is waited for.
    ///
    /// # Errors
    /// The rollup is unknown, the hub is closed, or storage failed.
    pub fn subscribe(
        &self,
        chain_id: ChainId,
        from_seq: u64,
    ) -> Result<Subscription<StreamItem>, StreamError> {
        let (source, limits) = (Arc::clone(&self.batches), self.limits);
        let read = Arc::new(move |from, bytes_max| {
            source.read(chain_id, from, limits.page_items_max, bytes_max)
        });
        let backlog = Backlog::new(read, self.readers.clone());
        let head = self.batches.head(chain_id)?;
        let head = head.ok_or(StreamError::UnknownRollup { chain_id })?;
        let mut live = self.lock();
        let live = live.as_mut().ok_or(StreamError::Closed)?;
        let feed = live.rollup(chain_id, head);
        Ok(feed.subscribe(from_seq.max(1), backlog))
    }

    /// Subscribes to blocks from a height on; 0 stands for the first, which is 1.
    ///
    /// # Errors
    /// The hub is closed.
    pub fn subscribe_blocks(&self, from: Height) -> Result<Subscription<StreamBlock>, StreamError> {
        let (source, limits) = (Arc::clone(&self.blocks), self.limits);
        let read = Arc::new(move |from, bytes_max| {
            source.read_blocks(Height(from), limits.page_items_max, bytes_max)
        });
        let backlog = Backlog::new(read, self.readers.clone());
        let live = self.lock();
        let live = live.as_ref().ok_or(StreamError::Closed)?;
        Ok(live.blocks.subscribe(from.0.max(1), backlog))
    }

    /// Ends every subscription and refuses new ones: part of an orderly shutdown.
    pub fn close(&self) {
        self.lock().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Live>> {
        self.live.lock().expect("nothing panics while it is locked")
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Hub")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Live {
    /// The rollup's feed; a new one begins at the head that storage named. Storage answers before
    /// this is locked, so an announcement may have come between: then the feed exists, or its next
    /// announcement tells.
    fn rollup(&mut self, chain_id: ChainId, head: u64) -> &Feed<StreamItem> {
        let feed = self.rollups.entry(chain_id);
        feed.or_insert_with(|| Feed::new(head))
    }

    fn keep(&mut self, items: &[Arc<StreamItem>]) {
        if items.is_empty() {
            return;
        }
        let bytes = items.iter().map(|item| item.memory_bytes()).sum();
        for item in items {
            self.rollup(item.chain_id, 0).keep(Arc::clone(item));
        }
        let items = items.iter().map(|item| (item.chain_id, item.seq)).collect();
        self.recent.push_back(Announced { bytes, items });
        self.recent_bytes += bytes;
    }

    /// Drops the oldest blocks' batches from the rings until the rest fits.
    fn trim(&mut self, bytes_max: usize) {
        while self.recent_bytes > bytes_max {
            let Some(oldest) = self.recent.pop_front() else {
                return;
            };
            self.recent_bytes -= oldest.bytes;
            for (chain_id, seq) in oldest.items {
                self.rollup(chain_id, 0).drop_through(seq);
            }
        }
    }
}

//! The streams that a machine serves: the shipped hub over its store.

use std::sync::Arc;

use cloverleaf_stream::{
    BatchSource, BlockSource, Hub, Limits, Positioned as _, Read, SourceError, StreamBlock,
    StreamError, StreamItem, Subscription,
};
use cloverleaf_types::{ChainId, Height};

use super::{Host, Store};

/// Bytes of recent batches that a hub holds: a few blocks, so that readers need the backlog too.
const RECENT_BYTES_MAX: usize = 16 * 1024;

/// Most batches that are read from the store at once.
const PAGE_ITEMS_MAX: usize = 3;

/// A hub as a start makes it.
pub(super) fn hub(store: &Store) -> Hub {
    let limits = Limits {
        recent_bytes_max: RECENT_BYTES_MAX,
        page_items_max: PAGE_ITEMS_MAX,
        ..Limits::default()
    };
    let (batches, blocks) = (Arc::new(store.clone()), Arc::new(store.clone()));
    Hub::new(batches, blocks, limits).expect("a store in memory knows its tip")
}

impl Host {
    /// Subscribes to a rollup's stream, while the machine is up.
    ///
    /// # Errors
    /// What the hub says.
    pub(crate) fn subscribe(
        &self,
        chain_id: ChainId,
        from_seq: u64,
    ) -> Result<Option<Subscription<StreamItem>>, StreamError> {
        let skipped = u64::from(self.surroundings.controls.streams_skip);
        let running = self.running.as_ref();
        let subscribed = running.map(|it| it.hub.subscribe(chain_id, from_seq + skipped));
        subscribed.transpose()
    }

    /// The latest durable batch of a rollup that it knows.
    pub(crate) fn head(&self, chain_id: ChainId) -> Option<u64> {
        self.store.seq(chain_id)
    }
}

impl BatchSource for Store {
    fn head(&self, chain_id: ChainId) -> Result<Option<u64>, SourceError> {
        Ok(self.seq(chain_id))
    }

    fn read(
        &self,
        chain_id: ChainId,
        from_seq: u64,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Read<StreamItem>, SourceError> {
        let mut bytes = 0;
        let mut items = self.batches_from(chain_id, from_seq, items_max);
        let mut fits = |item: &Arc<StreamItem>| {
            bytes += item.memory_bytes();
            bytes <= bytes_max
        };
        let fitting = items.iter().take_while(|item| fits(item)).count();
        items.truncate(fitting.max(1));
        match items.is_empty() {
            true => Ok(Read::AtTip),
            false => Ok(Read::Items(items)),
        }
    }
}

/// Nobody follows blocks here.
impl BlockSource for Store {
    fn tip(&self) -> Result<Height, SourceError> {
        Ok(self.tip())
    }

    fn read_blocks(&self, _: Height, _: usize, _: usize) -> Result<Read<StreamBlock>, SourceError> {
        Ok(Read::AtTip)
    }
}

//! The backlog of the streams: storage, behind the seams of `stream`.

use std::sync::Arc;

use cloverleaf_bundle::State;
use cloverleaf_storage::{Store, StoredBatch};
use cloverleaf_stream::{
    BatchSource, BlockSource, Read, SourceError, StreamBlock, StreamItem, bundles_of,
};
use cloverleaf_types::manifest::bundles_tree;
use cloverleaf_types::{ChainId, Height};
use tokio::sync::watch;

/// Reads decided batches and blocks from the store.
#[derive(Debug)]
pub(crate) struct StreamSource {
    store: Store,
    /// The registry: streams of registered rollups wait for their first batch (S1).
    tip: watch::Receiver<Arc<State>>,
}

impl StreamSource {
    /// The source of a network's store; `tip` follows the state after its latest block.
    pub(crate) fn new(store: Store, tip: watch::Receiver<Arc<State>>) -> Self {
        Self { store, tip }
    }

    /// The rollup's head after the latest block, 0 before its first batch; nothing if it was never
    /// registered.
    fn decided(&self, chain_id: ChainId) -> Option<u64> {
        let state = self.tip.borrow();
        state.rollup(chain_id).map(|found| found.head.seq)
    }
}

impl BatchSource for StreamSource {
    fn head(&self, chain_id: ChainId) -> Result<Option<u64>, SourceError> {
        // The store may be a block ahead of the state, and the state outlives pruned batches.
        let stored = self.store.head(chain_id).map_err(SourceError::new)?;
        Ok(stored.max(self.decided(chain_id)))
    }

    fn read(
        &self,
        chain_id: ChainId,
        from_seq: u64,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Read<StreamItem>, SourceError> {
        let batches = self
            .store
            .batches_from(chain_id, from_seq, items_max, bytes_max);
        let batches = batches.map_err(SourceError::new)?;
        if !batches.is_empty() {
            let items = batches
                .into_iter()
                .map(|batch| Arc::new(stream_item(chain_id, batch)));
            return Ok(Read::Items(items.collect()));
        }
        let stored = self.store.first_available(chain_id);
        let first_available = match stored.map_err(SourceError::new)? {
            Some(first) => first,
            // Nothing is left: the first will be the one that comes next.
            None => self.decided(chain_id).map_or(0, |head| head + 1),
        };
        if from_seq < first_available {
            Ok(Read::Pruned { first_available })
        } else {
            Ok(Read::AtTip)
        }
    }
}

impl BlockSource for StreamSource {
    fn tip(&self) -> Result<Height, SourceError> {
        Ok(self
            .store
            .tip()
            .map_or(Height::GENESIS, |(height, _)| height))
    }

    fn read_blocks(
        &self,
        from: Height,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Read<StreamBlock>, SourceError> {
        let blocks = self.store.blocks_from(from, items_max, bytes_max);
        let blocks = blocks.map_err(SourceError::new)?.into_iter();
        let items: Vec<_> = blocks
            .map(|(height, encoded)| Arc::new(StreamBlock { height, encoded }))
            .collect();
        if !items.is_empty() {
            return Ok(Read::Items(items));
        }
        match self.store.first_height().map_err(SourceError::new)? {
            Some(first) if from < first => Ok(Read::Pruned {
                first_available: first.0,
            }),
            _ => Ok(Read::AtTip),
        }
    }
}

/// A stored batch as streams carry it.
pub(crate) fn stream_item(chain_id: ChainId, stored: StoredBatch) -> StreamItem {
    let manifests = &stored.decision.manifests;
    StreamItem {
        chain_id,
        seq: stored.seq,
        batch: stored.bytes,
        branch: stored.branch,
        bundles: bundles_of(chain_id, manifests, &bundles_tree(manifests)),
        header: Arc::new(stored.decision.header.clone()),
        certificate: Arc::new(stored.decision.certificate.clone()),
    }
}

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
}

impl BatchSource for StreamSource {
    fn head(&self, chain_id: ChainId) -> Result<Option<u64>, SourceError> {
        let head = self.store.head(chain_id).map_err(SourceError::new)?;
        Ok(head.or_else(|| self.tip.borrow().rollup(chain_id).map(|_registered| 0)))
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
        match self
            .store
            .first_available(chain_id)
            .map_err(SourceError::new)?
        {
            Some(first_available) if from_seq < first_available => {
                Ok(Read::Pruned { first_available })
            }
            _ => Ok(Read::AtTip),
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
        header: Arc::new(stored.decision.header),
        certificate: Arc::new(stored.decision.certificate),
    }
}

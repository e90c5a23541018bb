//! The index of transactions, which follows its block (D8): it is written when the block is durable, without
//! RocksDB's log, and says itself how far it goes. What a crash takes of it is made again from the blocks.
//!
//! ```text
//!  commit  synced write of the block ─► durable ─► its places, and that the index goes up to it
//!  open    how far does the index go? ─► the places of the blocks above ─► tables
//!  prune   does the index go so far in tables? else what is in memory goes there first
//! ```
//! A block that is durable and not in the index yet is asked besides, so that nobody sees the difference.

use std::fmt::Display;
use std::sync::{Arc, PoisonError, RwLock};

use cloverleaf_types::{Batch, ChainId, Height, TransactionId};

use crate::column::Column;
use crate::commit::Commit;
use crate::database::Writes;
use crate::error::StoreError;
use crate::keys;
use crate::limits::INDEX_STEP;
use crate::places::TransactionPlace;
use crate::store::Store;

/// Where the transactions of a block are.
pub(crate) struct BlockPlaces {
    height: Height,
    /// By rising chain id, as in the block.
    batches: Vec<OfBatch>,
}

/// Where the transactions of a batch are.
struct OfBatch {
    chain_id: ChainId,
    seq: u64,
    /// By rising id, with their positions.
    ids: Vec<(TransactionId, u32)>,
}

/// The places of a durable block, until they are in the index.
#[derive(Default)]
pub(crate) struct Latest(RwLock<Option<Arc<BlockPlaces>>>);

impl Latest {
    /// Where a transaction is in that block.
    pub(crate) fn find(&self, chain_id: ChainId, id: TransactionId) -> Option<TransactionPlace> {
        let places = self.0.read().unwrap_or_else(PoisonError::into_inner);
        places.as_ref()?.find(chain_id, id)
    }

    fn set(&self, places: Option<Arc<BlockPlaces>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = places;
    }
}

impl BlockPlaces {
    pub(crate) fn of(commit: &Commit<'_>) -> Self {
        let batches = commit.block.block.batches.iter().zip(commit.ids);
        Self {
            height: commit.block.height(),
            batches: batches
                .map(|(batch, ids)| OfBatch::new(batch, ids))
                .collect(),
        }
    }

    fn find(&self, chain_id: ChainId, id: TransactionId) -> Option<TransactionPlace> {
        let found = self
            .batches
            .binary_search_by_key(&chain_id, |batch| batch.chain_id);
        let batch = self.batches.get(found.ok()?)?;
        let found = batch.ids.binary_search_by_key(&id, |(id, _)| *id);
        let (_, index) = batch.ids.get(found.ok()?)?;
        Some(self.place(batch, *index))
    }

    fn place(&self, batch: &OfBatch, index: u32) -> TransactionPlace {
        TransactionPlace {
            height: self.height,
            seq: batch.seq,
            index,
        }
    }

    /// RocksDB keeps them sorted, and finds a place soonest beside the last one.
    fn put(&self, writes: &mut Writes<'_>) {
        for batch in &self.batches {
            for (id, index) in &batch.ids {
                let key = keys::transaction(batch.chain_id, *id);
                let place = keys::transaction_place(&self.place(batch, *index));
                writes.put(Column::Transactions, &key, &place);
            }
        }
        let goes_to = keys::height(self.height);
        writes.put(Column::Transactions, keys::INDEX_GOES_TO, &goes_to);
    }
}

impl OfBatch {
    fn new(batch: &Batch, ids: &[TransactionId]) -> Self {
        let mut ids: Vec<_> = ids.iter().copied().zip(0..).collect();
        ids.sort_unstable_by_key(|(id, _)| *id);
        Self {
            chain_id: batch.header().chain_id,
            seq: batch.header().seq,
            ids,
        }
    }
}

impl Store {
    /// Shows the places of a block that has just become durable, before anybody hears of it.
    pub(crate) fn show_places(&self, places: BlockPlaces) -> Arc<BlockPlaces> {
        let places = Arc::new(places);
        self.latest().set(Some(Arc::clone(&places)));
        places
    }

    /// Writes the places of the block that was shown.
    pub(crate) fn index_shown(&self, places: &BlockPlaces) -> Result<(), StoreError> {
        let mut writes = self.database().writes();
        places.put(&mut writes);
        self.database().write_unlogged(writes)?;
        self.latest().set(None);
        Ok(())
    }

    /// The height up to which the index has all that is kept. Where nothing says it, in a store of before, it has
    /// everything.
    pub(crate) fn index_goes_to(&self) -> Result<Height, StoreError> {
        let (column, key) = (Column::Transactions, keys::INDEX_GOES_TO);
        let height = self.database().get_as(column, key, keys::number)?;
        Ok(height.map_or_else(|| self.tip_height(), Height))
    }

    /// Makes the places again that a crash took, from the blocks; returns when they are in tables, so that the
    /// next start does not make them again.
    pub(crate) fn complete_index(&self) -> Result<(), StoreError> {
        let (tip, first) = (self.tip_height(), self.first_height()?);
        let goes_to = self.index_goes_to()?.min(tip);
        let first = first.unwrap_or(tip).max(goes_to.next());
        for height in (first.0..=tip.0).map(Height) {
            let places = self.places_of(height)?;
            let is_step = height == tip || height.0.is_multiple_of(INDEX_STEP);
            if is_step || !places.batches.is_empty() {
                let mut writes = self.database().writes();
                places.put(&mut writes);
                self.database().write_unlogged(writes)?;
            }
            if is_step {
                self.database().flush(Column::Transactions)?;
            }
        }
        self.writer().tabled = tip;
        Ok(())
    }

    /// The places of a block's transactions, whose ids are hashed again.
    fn places_of(&self, height: Height) -> Result<BlockPlaces, StoreError> {
        let mut batches = Vec::new();
        for (chain_id, seq) in self.listed(height)? {
            let damaged = |why: &dyn Display| self.damaged_batch(chain_id, seq, why);
            let stored = self.batch(chain_id, seq)?;
            let missing = || damaged(&format_args!("missing, though block {height} names it"));
            let stored = stored.ok_or_else(missing)?;
            let batch = Batch::decode(stored.bytes).map_err(|error| damaged(&error))?;
            let batch = batch.claimed(); // it was hashed when it was read
            batches.push(OfBatch::new(batch, &batch.ids()));
        }
        Ok(BlockPlaces { height, batches })
    }

    /// Moves what the index of transactions has in memory into tables, so that the next start does not have to make
    /// it again. Blocks the thread for as long as the disk takes.
    ///
    /// # Errors
    /// The disk failed.
    pub fn table_whole_index(&self) -> Result<(), StoreError> {
        self.table_index(self.tip_height().next())
    }

    /// Moves what the index has in memory into tables, unless all below a height is there: then those blocks
    /// can be removed, since nothing will have to be made of them again.
    pub(crate) fn table_index(&self, below: Height) -> Result<(), StoreError> {
        let indexed = {
            let writer = self.writer();
            if writer.stopped || below <= writer.tabled.next() {
                return Ok(());
            }
            self.index_goes_to()?
        };
        self.database().flush(Column::Transactions)?;
        self.writer().tabled = indexed;
        Ok(())
    }
}

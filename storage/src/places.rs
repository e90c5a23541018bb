//! Where a transaction or a bundle is.

use cloverleaf_types::{B256, ChainId, Height, TransactionId};
use rocksdb::Direction;

use crate::column::Column;
use crate::error::StoreError;
use crate::keys;
use crate::store::Store;

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionPlace {
    /// Its block.
    pub height: Height,
    /// Its rollup's batch.
    pub seq: u64,
    /// Its position in the batch, from 0.
    pub index: u32,
}

/// Where a bundle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundlePlace {
    /// Its block.
    pub height: Height,
    /// Its manifest's position in the block, from 0.
    pub index: u32,
}

impl Store {
    /// Where a rollup's transaction was placed last (W2).
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn transaction(
        &self,
        chain_id: ChainId,
        id: TransactionId,
    ) -> Result<Option<TransactionPlace>, StoreError> {
        if let Some(place) = self.latest().find(chain_id, id) {
            return Ok(Some(place));
        }
        let key = keys::transaction(chain_id, id);
        let read = keys::read_transaction_place;
        self.database().get_as(Column::Transactions, &key, read)
    }

    /// Where a bundle was placed last.
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn bundle(&self, hash: B256) -> Result<Option<BundlePlace>, StoreError> {
        let read = keys::read_bundle_place;
        self.database()
            .get_as(Column::Bundles, hash.as_slice(), read)
    }

    /// The entries of an index: their keys, and the heights that they name.
    pub(crate) fn places(
        &self,
        column: Column,
    ) -> impl Iterator<Item = Result<(Box<[u8]>, Height), StoreError>> + '_ {
        let database = self.database();
        let entries = database.with_prefix(column, &[], Direction::Forward);
        let named = entries.map(move |entry| {
            let (key, value) = entry?;
            if *key == *keys::INDEX_GOES_TO {
                return Ok(None);
            }
            let height = keys::place_height(column, &value);
            let damaged = || database.damaged(column, &key, "no value of this column");
            Ok(Some((key.clone(), height.ok_or_else(damaged)?)))
        });
        named.filter_map(Result::transpose)
    }
}

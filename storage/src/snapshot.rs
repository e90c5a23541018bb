//! A copy of a store as it is at one moment, and what of a copy no block vouches for.

use std::path::Path;

use cloverleaf_types::Height;

use crate::column::Column;
use crate::error::StoreError;
use crate::store::Store;

/// Entries that are removed in one write: some megabytes of memory.
const REMOVALS_PER_WRITE: usize = 50_000;

impl Store {
    /// Writes what is durable now as a store of its own into a new directory: hard links to the files that
    /// never change, and copies of the others; copies of all on another file system. Commits go on
    /// meanwhile. Blocks the thread until the copy is durable.
    ///
    /// # Errors
    /// The directory exists, or the disk failed; nothing is in its place then.
    pub fn snapshot(&self, to: &Path) -> Result<(), StoreError> {
        self.database().checkpoint(to)
    }

    /// Removes the places of transactions and bundles that name blocks which were pruned: nothing is left
    /// that vouches for them. How many they were.
    ///
    /// # Errors
    /// The disk failed or is damaged; it can be called again.
    pub fn forget_unproven_places(&self) -> Result<u64, StoreError> {
        let first = self.first_height()?.unwrap_or(Height::GENESIS);
        let mut removed = 0;
        for column in [Column::Transactions, Column::Bundles] {
            removed += self.forget_places(column, first)?;
        }
        Ok(removed)
    }

    fn forget_places(&self, column: Column, first: Height) -> Result<u64, StoreError> {
        let database = self.database();
        let (mut removed, mut pending, mut writes) = (0, 0, database.writes());
        for place in self.places(column) {
            let (key, height) = place?;
            if height >= first {
                continue;
            }
            writes.delete(column, &key);
            (removed, pending) = (removed + 1, pending + 1);
            if pending == REMOVALS_PER_WRITE {
                database.write(std::mem::replace(&mut writes, database.writes()))?;
                pending = 0;
            }
        }
        database.write_synced(writes)?;
        Ok(removed)
    }
}

//! Forgets old blocks.

use cloverleaf_types::{ChainId, Height};
use rocksdb::Direction;

use crate::column::Column;
use crate::error::StoreError;
use crate::keys;
use crate::store::Store;

impl Store {
    /// The lowest block that is still stored; nothing before the first.
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn first_height(&self) -> Result<Option<Height>, StoreError> {
        let database = self.database();
        let mut entries = database.with_prefix(Column::Blocks, &[], Direction::Forward);
        let Some(entry) = entries.next() else {
            return Ok(None);
        };
        let (key, _) = entry?;
        let height = keys::number(&key).map(Height);
        let height = height.ok_or_else(|| database.damaged(Column::Blocks, &key, "no height"))?;
        Ok(Some(height))
    }

    /// Removes the blocks below a height and their batches, lowest first, each block in one synced
    /// write; how many that were. The latest block always stays. The places of transactions and
    /// bundles stay too: what they name is gone, but an author still knows them (W2).
    ///
    /// The caller keeps what the replay window (W1) and its readers need. A read of what is being
    /// removed may say that the store is damaged.
    ///
    /// # Errors
    /// The disk failed or is damaged; what was removed before stays removed.
    pub fn prune(&self, below: Height) -> Result<u64, StoreError> {
        let tip = self.tip().map_or(Height::GENESIS, |(height, _)| height);
        let below = below.min(tip);
        let mut removed = 0;
        // Looked up once: what is removed stays in the way of whoever reads from the start, until the
        // database is compacted.
        let Some(mut next) = self.first_height()? else {
            return Ok(removed);
        };
        while next < below {
            // A commit waits for one block, not for all.
            let mut writer = self.writer();
            if let Err(error) = self.remove(next) {
                writer.stopped = true;
                return Err(error);
            }
            removed += 1;
            next = next.next();
        }
        Ok(removed)
    }

    fn remove(&self, height: Height) -> Result<(), StoreError> {
        let database = self.database();
        let mut writes = database.writes();
        let prefix = keys::height(height);
        for entry in database.with_prefix(Column::Heights, &prefix, Direction::Forward) {
            let (key, seq) = entry?;
            let listed = keys::second_number(&key).zip(keys::number(&seq));
            let damaged = || database.damaged(Column::Heights, &key, "names no batch");
            let (chain_id, seq) = listed.ok_or_else(damaged)?;
            let batch = keys::rollup_seq(ChainId(chain_id), seq);
            writes.delete(Column::Batches, &batch);
            writes.delete(Column::Branches, &batch);
            writes.delete(Column::Heights, &key);
        }
        writes.delete(Column::Blocks, &prefix);
        database.write_synced(writes)
    }
}

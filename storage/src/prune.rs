//! Forgets old blocks.

use cloverleaf_bundle::Window;
use cloverleaf_types::{ChainId, Height};
use rocksdb::Direction;

use crate::column::Column;
use crate::database::Writes;
use crate::error::StoreError;
use crate::store::{Store, meta};
use crate::{keys, limits};

/// Who still needs old blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// Nodes that start from this store: they read what the replay window holds (W1), of so many
    /// milliseconds of block time.
    ByWindow {
        /// `replay_window_ms` of the network.
        replay_window_ms: u64,
    },
    /// Nobody: no node goes on from this store.
    ByNobody,
}

impl Store {
    /// The lowest block that is still whole; nothing before the first.
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn first_height(&self) -> Result<Option<Height>, StoreError> {
        let Some((tip, _)) = self.tip() else {
            return Ok(None);
        };
        let first = self.pruned_below()?;
        if first > Height(1) {
            return Ok(Some(first.min(tip)));
        }
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

    /// The lowest height that was not removed, as the last removal wrote it.
    pub(crate) fn pruned_below(&self) -> Result<Height, StoreError> {
        let first = self
            .database()
            .get_as(Column::Meta, meta::FIRST, keys::number)?;
        Ok(first.map_or(Height(1), Height))
    }

    /// Where pruning may go to when so many of the latest heights are to be kept: never past what the
    /// replay window holds at the tip, nor past the block before it, where a starting node sees that
    /// the window has ended (W1).
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn prunable_below(
        &self,
        keep_heights: u64,
        replay_window_ms: u64,
    ) -> Result<Height, StoreError> {
        let (Some((tip, _)), Some(first)) = (self.tip(), self.first_height()?) else {
            return Ok(Height::GENESIS);
        };
        let tip_ms = self.timestamp_ms(tip)?;
        let is_held = |height| self.is_held(height, (tip, tip_ms), replay_window_ms);
        let wanted = tip.back(keep_heights.saturating_sub(1)).max(first);
        if !is_held(wanted)? {
            return Ok(wanted);
        }
        // Time rises with height: the last block that is not held is found by halving.
        let (mut free, mut held) = (first.0, wanted.0);
        while held.saturating_sub(free) > 1 {
            let middle = free + (held - free) / 2;
            if is_held(Height(middle))? {
                held = middle;
            } else {
                free = middle;
            }
        }
        Ok(Height(free))
    }

    /// Whether the blocks of the replay window at the tip are there, and the one before, where a starting
    /// node sees that the window has ended (W1).
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn has_window(&self, replay_window_ms: u64) -> Result<bool, StoreError> {
        let (Some((tip, _)), Some(first)) = (self.tip(), self.first_height()?) else {
            return Ok(true);
        };
        if first == Height(1) {
            return Ok(true);
        }
        let (first_ms, tip_ms) = (self.timestamp_ms(first)?, self.timestamp_ms(tip)?);
        Ok(!Window::new(replay_window_ms).reaches(first, first_ms, tip, tip_ms))
    }

    /// Removes up to `blocks_max` blocks below a height and their batches, lowest first; how many that
    /// were. The latest block always stays. Chain 0's batches stay too, with the headers, certificates
    /// and branches that prove them: they say who decides. So do the places of transactions and bundles:
    /// what they name is gone, but an author still knows them (W2).
    ///
    /// Some blocks go together, in one synced write: what a crash of the machine brings back is removed
    /// again. [`Store::prunable_below`] says how far it may go.
    ///
    /// # Errors
    /// Somebody needs what it would remove: nothing has changed. The disk failed or is damaged; what was
    /// removed before stays removed.
    pub fn prune(&self, below: Height, needed: Needed, blocks_max: u64) -> Result<u64, StoreError> {
        let tip = self.tip().map_or(Height::GENESIS, |(height, _)| height);
        let below = below.min(tip);
        let Some(mut next) = self.first_height()? else {
            return Ok(0);
        };
        if let (Needed::ByWindow { replay_window_ms }, true) = (needed, next < below) {
            self.check_unneeded(below, tip, replay_window_ms)?;
        }
        let end = Height(next.0.saturating_add(blocks_max)).min(below);
        if next < end {
            self.table_index(end)?;
        }
        let mut removed = 0;
        while next < below && removed < blocks_max {
            // A commit waits for some blocks, not for all.
            let some = limits::REMOVED_TOGETHER.min(blocks_max - removed);
            let end = Height(next.0.saturating_add(some)).min(below);
            let mut writer = self.writer();
            if writer.stopped {
                let path = self.database().path().to_path_buf();
                return Err(StoreError::Stopped { path });
            }
            if let Err(error) = self.remove(next, end) {
                writer.stopped = true;
                return Err(error);
            }
            removed += end.0 - next.0;
            next = end;
        }
        Ok(removed)
    }

    /// Gives the space of what was removed back to the system: rewrites the tables. Takes long.
    ///
    /// # Errors
    /// The disk failed.
    pub fn reclaim(&self) -> Result<(), StoreError> {
        let columns = Column::ALL.iter().filter(|column| column.is_pruned());
        for column in columns {
            self.database().compact(*column)?;
        }
        Ok(())
    }

    /// The lowest block that stays is below all that the window holds, so that a starting node sees where
    /// the window has ended.
    fn check_unneeded(
        &self,
        below: Height,
        tip: Height,
        replay_window_ms: u64,
    ) -> Result<(), StoreError> {
        let tip_ms = self.timestamp_ms(tip)?;
        if !self.is_held(below, (tip, tip_ms), replay_window_ms)? {
            return Ok(());
        }
        let mut held = below;
        let mut first = self.first_height()?.unwrap_or(below);
        while first < held {
            let middle = Height(first.0 + (held.0 - first.0) / 2);
            if self.is_held(middle, (tip, tip_ms), replay_window_ms)? {
                held = middle;
            } else {
                first = middle.next();
            }
        }
        Err(StoreError::Needed { below, held, tip })
    }

    /// True for a block that the replay window at a tip holds: its height and its time.
    fn is_held(
        &self,
        height: Height,
        (tip, tip_ms): (Height, u64),
        replay_window_ms: u64,
    ) -> Result<bool, StoreError> {
        let window = Window::new(replay_window_ms);
        Ok(window.reaches(height, self.timestamp_ms(height)?, tip, tip_ms))
    }

    /// Removes the blocks from a height on, up to another one.
    fn remove(&self, first: Height, end: Height) -> Result<(), StoreError> {
        let database = self.database();
        let mut writes = database.writes();
        for height in first.0..end.0 {
            self.remove_block(Height(height), &mut writes)?;
        }
        writes.put(Column::Meta, meta::FIRST, &end.0.to_be_bytes());
        database.write_synced(writes)
    }

    fn remove_block(&self, height: Height, writes: &mut Writes<'_>) -> Result<(), StoreError> {
        let mut has_control = false;
        for (chain_id, seq) in self.listed(height)? {
            writes.delete(Column::Heights, &keys::height_rollup(height, chain_id));
            if chain_id == ChainId::CONTROL {
                has_control = true;
                continue;
            }
            let batch = keys::rollup_seq(chain_id, seq);
            writes.delete(Column::Batches, &batch);
            writes.delete(Column::Branches, &batch);
        }
        if !has_control {
            writes.delete(Column::Blocks, &keys::height(height));
        }
        Ok(())
    }

    fn timestamp_ms(&self, height: Height) -> Result<u64, StoreError> {
        let header = self.header(height)?;
        let missing = || {
            let key = keys::height(height);
            self.database().damaged(Column::Blocks, &key, "missing")
        };
        Ok(header.ok_or_else(missing)?.timestamp_ms)
    }
}

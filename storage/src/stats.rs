//! What a store holds, in figures.

use cloverleaf_types::{ChainId, Height};

use crate::column::Column;
use crate::error::StoreError;
use crate::store::Store;

/// How much a column takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnSize {
    /// The column's name.
    pub name: &'static str,
    /// Its tables and large values on the disk, in bytes.
    pub bytes: u64,
    /// What is in RocksDB's log alone, as it is in memory, in bytes.
    pub log_bytes: u64,
}

/// Which batches of a rollup are there; none before its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollupSpan {
    /// The rollup.
    pub chain_id: ChainId,
    /// The number of its first batch that is kept.
    pub first: Option<u64>,
    /// The number of its latest.
    pub last: Option<u64>,
}

/// What a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// The lowest whole block.
    pub first: Height,
    /// The latest.
    pub last: Height,
    /// All columns.
    pub columns: Vec<ColumnSize>,
    /// All rollups ever registered, in that order, chain 0 first.
    pub rollups: Vec<RollupSpan>,
}

impl Store {
    /// What it holds; nothing before the first block.
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn stats(&self) -> Result<Option<Stats>, StoreError> {
        let Some(state) = self.checked_state()? else {
            return Ok(None);
        };
        let columns = Column::ALL.iter().map(|column| {
            let (bytes, log_bytes) = self.database().bytes_of(*column)?;
            let name = column.name();
            Ok(ColumnSize {
                name,
                bytes,
                log_bytes,
            })
        });
        let rollups = state.rollups().iter().map(|found| {
            let chain_id = found.rollup.chain_id;
            Ok(RollupSpan {
                chain_id,
                first: self.first_available(chain_id)?,
                last: self.head(chain_id)?,
            })
        });
        Ok(Some(Stats {
            first: self.first_height()?.unwrap_or(state.height()),
            last: state.height(),
            columns: columns.collect::<Result<_, StoreError>>()?,
            rollups: rollups.collect::<Result<_, StoreError>>()?,
        }))
    }
}

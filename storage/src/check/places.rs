//! The indexes: where transactions, bundles and batches are, and that there is nothing else.

use cloverleaf_types::{DecidedBlock, Height};
use rocksdb::Direction;

use super::Checked;
use crate::column::Column;
use crate::error::StoreError;
use crate::keys;
use crate::places::{BundlePlace, TransactionPlace};
use crate::store::Store;

/// How many entries of an index the blocks account for.
pub(super) struct Places<'a> {
    store: &'a Store,
    /// What was placed before was pruned: its entries stay, and name nothing.
    first: Height,
}

impl<'a> Places<'a> {
    pub(super) fn new(store: &'a Store, first: Height) -> Self {
        Self { store, first }
    }

    /// Every transaction and bundle of a block is found at its place, or at a later one.
    pub(super) fn check(&self, decided: &DecidedBlock, report: &mut Checked) {
        let height = decided.height();
        for batch in &decided.block.batches {
            let (chain_id, seq) = (batch.header().chain_id, batch.header().seq);
            for (index, id) in (0_u32..).zip(batch.ids()) {
                let here = TransactionPlace { height, seq, index };
                match self.store.transaction(chain_id, id) {
                    Ok(Some(place)) if place == here => report.transactions += 1,
                    Ok(Some(place)) if height < place.height && place.height <= report.last => {}
                    Ok(place) => {
                        let what = format!(
                            "column transactions: transaction {id} of rollup {chain_id} is in batch \
                             {seq}, at {index}; the index says {place:?}"
                        );
                        report.found(height, what);
                    }
                    Err(error) => report.unreadable(height, error),
                }
            }
        }
        for manifest in &decided.block.manifests {
            let (hash, index) = (manifest.bundle_hash(), manifest.index);
            let here = BundlePlace { height, index };
            match self.store.bundle(hash) {
                Ok(Some(place)) if place == here => report.bundles += 1,
                Ok(Some(place)) if height < place.height && place.height <= report.last => {}
                Ok(place) => {
                    let what = format!(
                        "column bundles: bundle {hash} is at {index}; the index says {place:?}"
                    );
                    report.found(height, what);
                }
                Err(error) => report.unreadable(height, error),
            }
        }
    }

    /// No column has more entries than the blocks account for: one that names a later height would be
    /// served, or taken for a part of that block when it comes.
    pub(super) fn check_rest(&self, report: &mut Checked) {
        if !report.is_whole() {
            return; // the blocks that were not read account for some
        }
        let (first, last) = (self.first, report.last);
        let batches = report.batches + report.control_batches;
        // Of each pruned block with a batch of chain 0 the decision is left, and not its list.
        let columns = [
            (Column::Blocks, report.blocks + report.control_batches),
            (Column::Heights, report.batches),
            (Column::Batches, batches),
            (Column::Branches, batches),
            (Column::Transactions, report.transactions),
            (Column::Bundles, report.bundles),
        ];
        for (column, accounted) in columns {
            match self.entries(column) {
                Ok(entries) if entries == accounted => {}
                Ok(entries) => {
                    let name = column.name();
                    let what = format!(
                        "column {name}: {entries} entries from block {first} on, of which the blocks \
                         account for {accounted}"
                    );
                    report.found(last, what);
                }
                Err(error) => report.unreadable(last, error),
            }
        }
    }

    /// The entries of a column that name a block which is kept.
    fn entries(&self, column: Column) -> Result<u64, StoreError> {
        let database = self.store.database();
        let mut entries = 0;
        for entry in database.with_prefix(column, &[], Direction::Forward) {
            let (key, value) = entry?;
            let height = match column {
                Column::Transactions | Column::Bundles => keys::place_height(column, &value),
                _ => Some(self.first),
            };
            let damaged = || database.damaged(column, &key, "no value of this column");
            let height = height.ok_or_else(damaged)?;
            entries += u64::from(height >= self.first);
        }
        Ok(entries)
    }
}

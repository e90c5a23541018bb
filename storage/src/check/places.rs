//! The indexes: where transactions, bundles and batches are, and that there is nothing else.

use cloverleaf_types::{DecidedBlock, Height};
use rocksdb::Direction;

use super::Checked;
use crate::column::Column;
use crate::error::StoreError;
use crate::places::{BundlePlace, TransactionPlace};
use crate::store::Store;

/// How many entries of an index the blocks account for.
pub(super) struct Places<'a> {
    store: &'a Store,
    /// What was placed before was pruned: its entries stay, and name nothing.
    first: Height,
    /// What a crash took of the index of transactions above is made again by the next start.
    index_goes_to: Height,
}

impl<'a> Places<'a> {
    pub(super) fn new(store: &'a Store, report: &mut Checked) -> Self {
        let (first, last) = (report.first, report.last);
        let index_goes_to = store.index_goes_to().unwrap_or_else(|error| {
            report.unreadable(last, error);
            last
        });
        Self {
            store,
            first,
            index_goes_to,
        }
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
                    Ok(place) if self.may_lack(height, place) => report.unindexed += 1,
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

    /// True where the index has not come to a block yet: it knows nothing of a transaction, or where it was
    /// before.
    fn may_lack(&self, height: Height, place: Option<TransactionPlace>) -> bool {
        height > self.index_goes_to && place.is_none_or(|place| place.height < height)
    }

    /// The index of transactions ends at a block that is there, from which a start can go on, or at the one
    /// before the first.
    pub(super) fn check_end(&self, report: &mut Checked) {
        let (height, last) = (self.index_goes_to, report.last);
        if height.next() < self.first || last < height {
            let what = format!("column transactions: it says that it goes to block {height}");
            report.found(last, what);
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
        if !matches!(column, Column::Transactions | Column::Bundles) {
            let database = self.store.database();
            let mut all = database.with_prefix(column, &[], Direction::Forward);
            return all.try_fold(0, |entries, entry| entry.map(|_| entries + 1));
        }
        let mut places = self.store.places(column);
        places.try_fold(0, |entries, place| {
            let (_, height) = place?;
            Ok(entries + u64::from(height >= self.first))
        })
    }
}

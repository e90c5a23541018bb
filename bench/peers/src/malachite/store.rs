//! What was decided: durable, and the latest of it for validators that lag.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use eyre::Result;
use malachite_core_types::CommitCertificate;
use malachite_sync::RawDecidedValue;
use rocksdb::{DB, Options, WriteBatch, WriteOptions};
use tokio::task::spawn_blocking;

use super::codec::decided;
use super::context::Four;
use super::types::Height;

/// Heights that a validator may lag and still be helped.
const RECENT: usize = 32;

/// What comes before a height in the key of its certificate; a block's key is its height alone.
const CERTIFICATE: &[u8] = b"certificate";

/// Decided blocks of one validator.
pub(crate) struct Store {
    database: Option<Arc<DB>>,
    recent: BTreeMap<Height, (Bytes, CommitCertificate<Four>)>,
}

impl Store {
    /// A new one, in a folder or in memory alone.
    pub(crate) fn open(folder: Option<&Path>) -> Result<Self> {
        let mut options = Options::default();
        options.create_if_missing(true);
        let database = folder
            .map(|folder| DB::open(&options, folder))
            .transpose()?;
        Ok(Self {
            database: database.map(Arc::new),
            recent: BTreeMap::new(),
        })
    }

    /// Keeps a decided block, in one synced write.
    pub(crate) async fn commit(
        &mut self,
        certificate: CommitCertificate<Four>,
        block: Bytes,
    ) -> Result<()> {
        let height = certificate.height;
        if let Some(database) = self.database.clone() {
            let mut batch = WriteBatch::default();
            let key = height.0.to_be_bytes();
            batch.put(key, &block);
            batch.put([CERTIFICATE, &key].concat(), borsh::to_vec(&certificate)?);
            let mut synced = WriteOptions::default();
            synced.set_sync(true);
            spawn_blocking(move || database.write_opt(batch, &synced)).await??;
        }
        self.recent.insert(height, (block, certificate));
        if self.recent.len() > RECENT {
            self.recent.pop_first();
        }
        Ok(())
    }

    /// The lowest height that is here; the first of all while there is none.
    pub(crate) fn first(&self) -> Height {
        let first = self.recent.keys().next().copied();
        first.unwrap_or(<Height as malachite_core_types::Height>::INITIAL)
    }

    /// What is here of a range.
    pub(crate) fn range(&self, range: RangeInclusive<Height>) -> Vec<RawDecidedValue<Four>> {
        let found = self.recent.range(range).map(|(_, found)| found.clone());
        found
            .map(|(block, certificate)| decided(block, certificate))
            .collect()
    }
}

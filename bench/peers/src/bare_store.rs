//! RocksDB alone: one value, synced.

use std::path::Path;

use rocksdb::{DB, Error, Options, WriteOptions};
use tempfile::TempDir;

use crate::payload;

/// A database with the library's own options.
pub struct BareStore {
    database: DB,
    synced: WriteOptions,
    value: Vec<u8>,
    written: u64,
    _folder: TempDir,
}

impl BareStore {
    /// An empty one in a folder of its own inside of this one, for values of so many bytes.
    ///
    /// # Errors
    /// RocksDB cannot open it.
    ///
    /// # Panics
    /// There is no room for a folder.
    pub fn open(inside: &Path, value_bytes: usize) -> Result<Self, Error> {
        let folder = tempfile::tempdir_in(inside).expect("room for a folder");
        let mut options = Options::default();
        options.create_if_missing(true);
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        Ok(Self {
            database: DB::open(&options, folder.path())?,
            synced,
            value: payload(1, value_bytes).into(),
            written: 0,
            _folder: folder,
        })
    }

    /// Writes a value under a key of its own, and syncs.
    ///
    /// # Errors
    /// RocksDB cannot.
    pub fn write(&mut self) -> Result<(), Error> {
        self.written += 1;
        let key = self.written.to_be_bytes();
        self.database.put_opt(key, &self.value, &self.synced)
    }

    /// How many were written.
    ///
    /// # Panics
    /// The last one is not there.
    #[must_use]
    pub fn written(&self) -> u64 {
        let last = self.database.get(self.written.to_be_bytes());
        assert_eq!(last.ok().flatten().as_ref(), Some(&self.value));
        self.written
    }
}

//! RocksDB as it comes, and one value for whatever is written together.

use std::path::Path;

use rocksdb::{DB, Options, WriteBatch, WriteOptions};

/// A database with RocksDB's own settings.
pub(crate) struct Bare(DB);

impl Bare {
    /// Opens the one in a directory, or makes it.
    pub(crate) fn open(path: &Path) -> Self {
        let mut options = Options::default();
        options.create_if_missing(true);
        Self(DB::open(&options, path).expect("the directory is ours"))
    }

    /// Writes a value and returns when it is durable.
    pub(crate) fn write(&self, key: &[u8], value: &[u8]) {
        let mut batch = WriteBatch::default();
        batch.put(key, value);
        let mut options = WriteOptions::default();
        options.set_sync(true);
        let written = self.0.write_opt(batch, &options);
        written.expect("room on the disk");
    }

    /// Reads a value that was written.
    pub(crate) fn read(&self, key: &[u8]) -> Vec<u8> {
        let value = self.0.get(key).expect("a disk that reads");
        value.expect("it was written")
    }
}

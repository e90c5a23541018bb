//! Synced writes at their cheapest: over a file that was written before, so that a sync is for data alone.

use std::fs::{File, OpenOptions};
use std::io::Result;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// A file that is written from its start again where it ends.
pub(crate) struct Journal {
    file: File,
    size: u64,
    offset: u64,
}

impl Journal {
    /// Makes one of so many bytes.
    pub(crate) fn create(path: &Path, bytes: usize) -> Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.create_new(true).write(true).open(path)?;
        file.write_all_at(&vec![1; bytes], 0)?;
        file.sync_all()?;
        let size = file.metadata()?.len();
        Ok(Self {
            file,
            size,
            offset: 0,
        })
    }

    /// Writes and syncs.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let length = bytes.len() as u64;
        if self.offset + length > self.size {
            self.offset = 0;
        }
        self.file.write_all_at(bytes, self.offset)?;
        self.file.sync_data()?;
        self.offset += length;
        Ok(())
    }
}

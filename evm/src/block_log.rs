//! The records of executed batches, appended and synced one by one.

use std::path::{Path, PathBuf};

use alloy_rlp::Decodable as _;
use cloverleaf_journal::{FileDisk, JournalError, Outcome, SegmentedJournal};

use crate::{error::Error, limits::LOG_SEGMENT_BYTES, record::Record, store::files};

/// Name of the log's files in the rollup's folder.
const NAME: &str = "blocks";

/// A segmented journal of records, filed under the number of their block.
pub(crate) struct BlockLog {
    folder: PathBuf,
    journal: SegmentedJournal<FileDisk>,
}

impl std::fmt::Debug for BlockLog {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("BlockLog")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl BlockLog {
    /// Opens the log in `folder`, made when it is missing, and hands its records to `visitor` in
    /// their order. A record that was being written at a crash is cut off: its batch comes again.
    pub(crate) fn open(
        folder: &Path,
        mut visitor: impl FnMut(Record) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let damaged = |problem| Error::Damaged {
            path: folder.to_owned(),
            problem,
        };
        let disk = FileDisk::open(folder).map_err(|source| files(folder, source))?;
        let opened = SegmentedJournal::open(disk, NAME, LOG_SEGMENT_BYTES)?;
        for found in opened.outcomes {
            if let Outcome::Damaged {
                offset,
                reason,
                kept_as,
            } = found.outcome
            {
                let file = found.file;
                return Err(damaged(format!(
                    "{file} at byte {offset}: {reason}; it is kept as {kept_as}"
                )));
            }
        }
        for stored in opened.records {
            let record = Record::decode(&mut stored.payload.as_slice())
                .map_err(|error| damaged(format!("record of block {}: {error}", stored.height)))?;
            visitor(record)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            journal: opened.journal,
        })
    }

    /// Makes a record durable.
    pub(crate) fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        self.journal
            .append(record.number(), &alloy_rlp::encode(record))?;
        self.journal.sync()
    }

    /// Lets go of files whose blocks are all below `oldest`.
    pub(crate) fn prune(&mut self, oldest: u64) -> Result<(), JournalError> {
        self.journal.remove_below(oldest).map(|_removed| ())
    }
}

//! One file of records: opened, appended to, replaced.

use crate::{
    Disk, File, FileDisk, JournalError, PAYLOAD_BYTES_MAX, Record,
    record::{self, DamageReason, End, Place, Scan},
};

/// How much a journal holds in memory before it writes, in bytes: appended records beyond it are
/// written (not synced) at once, so that a long run without a sync cannot grow the memory.
pub const BUFFER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What follows a journal's name while its replacement is being written.
const REPLACEMENT_SUFFIX: &str = ".new";

/// A file that checked records are appended to. The only owner of its file.
pub struct Journal<D: Disk = FileDisk> {
    disk: D,
    name: String,
    file: D::File,
    /// Encoded records that are not yet in the file.
    buffer: Vec<u8>,
    /// The file's length, in bytes.
    written_bytes: u64,
    /// Whether something was written since the last sync.
    unsynced: bool,
    /// Set by the first error of the disk, for good.
    broken: bool,
}

/// A journal as it was found.
pub struct Opened<D: Disk = FileDisk> {
    /// Ready for the next record.
    pub journal: Journal<D>,
    /// The readable records, in the order in which they were appended. After damage: those before
    /// it, which are no longer in the journal.
    pub records: Vec<Record>,
    /// How the file was found.
    pub outcome: Outcome,
}

/// How a file was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every byte belongs to a record, or there was no file.
    Clean,
    /// The last record was never synced and has been cut off. Nothing is lost that a sync had
    /// acknowledged.
    TornTail {
        /// How much was cut off.
        cut_bytes: u64,
    },
    /// Something that may have been synced cannot be read. The file was kept aside and the journal
    /// is empty; its owner decides what that means (rule D4).
    Damaged {
        /// Where the first unreadable record begins, in bytes.
        offset: u64,
        /// What is wrong there.
        reason: DamageReason,
        /// The name that the damaged file has now.
        kept_as: String,
    },
}

impl<D: Disk> Journal<D> {
    /// Opens the journal `name` of `disk`, or begins an empty one. What was read is durable when
    /// this returns, also after a crash between a write and its sync.
    ///
    /// # Errors
    /// An error of the disk. Unreadable records are no error but an [`Outcome`].
    pub fn open(disk: D, name: &str) -> Result<Opened<D>, JournalError> {
        let replacement = format!("{name}{REPLACEMENT_SUFFIX}");
        disk.remove(&replacement)
            .map_err(JournalError::disk(name, "remove its old replacement"))?;
        let mut file = disk
            .open(name)
            .map_err(JournalError::disk(name, "open the file"))?;
        let bytes = file
            .read()
            .map_err(JournalError::disk(name, "read the file"))?;
        let Scan {
            records,
            valid_bytes,
            end,
        } = record::scan(&bytes);
        let mut written_bytes = as_u64(valid_bytes);
        let outcome = match end {
            End::Clean => Outcome::Clean,
            End::Torn => {
                file.truncate(written_bytes)
                    .map_err(JournalError::disk(name, "cut off the torn tail"))?;
                Outcome::TornTail {
                    cut_bytes: as_u64(bytes.len() - valid_bytes),
                }
            }
            End::Damaged(reason) => {
                let kept_as = keep_aside(&disk, name)?;
                file = disk
                    .open(name)
                    .map_err(JournalError::disk(name, "begin a new file"))?;
                let offset = written_bytes;
                written_bytes = 0;
                Outcome::Damaged {
                    offset,
                    reason,
                    kept_as,
                }
            }
        };
        file.sync()
            .map_err(JournalError::disk(name, "sync the file"))?;
        let journal = Self {
            disk,
            name: name.to_owned(),
            file,
            buffer: Vec::new(),
            written_bytes,
            unsynced: false,
            broken: false,
        };
        Ok(Opened {
            journal,
            records,
            outcome,
        })
    }

    /// Adds a record to the buffer. It is durable after the next [`Journal::sync`], not before.
    ///
    /// # Errors
    /// [`JournalError::PayloadTooLong`] above [`PAYLOAD_BYTES_MAX`]; an error of the disk when the
    /// buffer was full and had to be written.
    pub fn append(&mut self, height: u64, payload: &[u8]) -> Result<(), JournalError> {
        self.check_usable()?;
        self.check_length(payload)?;
        let place = match self.unsynced || !self.buffer.is_empty() {
            true => Place::WithLast,
            false => Place::AfterSync,
        };
        record::encode(&mut self.buffer, place, height, payload);
        if self.buffer.len() > BUFFER_BYTES_MAX {
            self.write_buffer()?;
        }
        Ok(())
    }

    /// Makes all appended records durable: one write and one fdatasync, however many they are.
    /// Does nothing when there is nothing new.
    ///
    /// # Errors
    /// An error of the disk. The journal is then broken and the node must stop before it releases
    /// anything that waited for this sync (rule D1).
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.check_usable()?;
        if !self.buffer.is_empty() {
            self.write_buffer()?;
        }
        if self.unsynced {
            let synced = self.file.sync();
            self.note("sync the file", synced)?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Replaces the whole content by `records`, followed by whatever was appended and not yet
    /// written; durable when this returns. A crash leaves the old content or the new, never less.
    /// This is how records below a height are deleted.
    ///
    /// # Errors
    /// [`JournalError::PayloadTooLong`] when a payload is above [`PAYLOAD_BYTES_MAX`] (nothing was
    /// changed); an error of the disk.
    pub fn rewrite(&mut self, records: &[Record]) -> Result<(), JournalError> {
        self.check_usable()?;
        let mut bytes = Vec::new();
        for record in records {
            self.check_length(&record.payload)?;
            // Nobody sees this file before all of it is synced.
            record::encode(&mut bytes, Place::AfterSync, record.height, &record.payload);
        }
        bytes.append(&mut self.buffer);
        let replaced = self.replace(&bytes);
        self.file = self.note("replace the file", replaced)?;
        self.written_bytes = as_u64(bytes.len());
        self.unsynced = false;
        Ok(())
    }

    /// The length of the journal in bytes, what is not yet written included.
    pub fn len_bytes(&self) -> u64 {
        self.written_bytes + as_u64(self.buffer.len())
    }

    /// Writes `bytes` to a new file, durably, and gives it the journal's name.
    fn replace(&self, bytes: &[u8]) -> std::io::Result<D::File> {
        let replacement = format!("{}{REPLACEMENT_SUFFIX}", self.name);
        let mut file = self.disk.open(&replacement)?;
        file.append(bytes)?;
        file.sync()?;
        self.disk.rename(&replacement, &self.name)?;
        Ok(file)
    }

    fn write_buffer(&mut self) -> Result<(), JournalError> {
        let written = self.file.append(&self.buffer);
        self.note("write", written)?;
        self.unsynced = true;
        self.written_bytes += as_u64(self.buffer.len());
        self.buffer.clear();
        Ok(())
    }

    /// Marks the journal as broken when the disk failed: there is no second try.
    fn note<T>(
        &mut self,
        action: &'static str,
        result: std::io::Result<T>,
    ) -> Result<T, JournalError> {
        self.broken |= result.is_err();
        result.map_err(JournalError::disk(&self.name, action))
    }

    /// For its owner, when the disk failed elsewhere.
    pub(crate) fn break_for_good(&mut self) {
        self.broken = true;
    }

    fn check_usable(&self) -> Result<(), JournalError> {
        if self.broken {
            return Err(JournalError::Broken {
                file: self.name.clone(),
            });
        }
        Ok(())
    }

    fn check_length(&self, payload: &[u8]) -> Result<(), JournalError> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(JournalError::PayloadTooLong {
                file: self.name.clone(),
                len_bytes: payload.len(),
                limit_bytes: PAYLOAD_BYTES_MAX,
            });
        }
        Ok(())
    }
}

/// The readable records at the beginning of a file, which stays as it is: of one that was kept aside.
///
/// # Errors
/// An error of the disk.
pub fn read_beginning<D: Disk>(disk: &D, name: &str) -> Result<Vec<Record>, JournalError> {
    let read = disk.open(name).and_then(|mut file| file.read());
    let bytes = read.map_err(JournalError::disk(name, "read the file"))?;
    Ok(record::scan(&bytes).records)
}

/// Renames a damaged file to the first free name and returns that name.
pub(crate) fn keep_aside<D: Disk>(disk: &D, name: &str) -> Result<String, JournalError> {
    let taken = disk
        .list()
        .map_err(JournalError::disk(name, "list the folder"))?;
    let kept_as = (1_u64..)
        .map(|number| format!("{name}.damaged-{number}"))
        .find(|candidate| !taken.contains(candidate))
        .expect("a folder holds fewer files than there are numbers");
    disk.rename(name, &kept_as)
        .map_err(JournalError::disk(name, "keep the damaged file aside"))?;
    Ok(kept_as)
}

/// A length in memory as a length in a file.
pub(crate) fn as_u64(len: usize) -> u64 {
    u64::try_from(len).expect("an address has at most 64 bits")
}

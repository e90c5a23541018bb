//! RocksDB with the settings that make one synced write per block durable.

use std::fmt::{self, Display};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rocksdb::{
    Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBRecoveryMode, Direction, ErrorKind,
    IteratorMode, Options, PrefixRange, ReadOptions, WriteBatch, WriteOptions,
    checkpoint::Checkpoint, properties,
};

use crate::column::Column;
use crate::error::StoreError;
use crate::limits;
use crate::log_file::{self, CURRENT};
use crate::memory::Memory;

/// Settings without a setter: RocksDB does not resume by itself after a failed write in the
/// background, and a process that ends does not wait for what the next start can make again.
const NO_DELAY: &str = "max_bgerror_resume_count=0;avoid_flush_during_shutdown=true";

/// RocksDB's properties of a column: bytes of its tables, of large values, and of what is in memory.
const TABLE_BYTES: &str = "rocksdb.live-sst-files-size";
const BLOB_BYTES: &str = "rocksdb.live-blob-file-size";
const MEMORY_BYTES: &str = "rocksdb.cur-size-all-mem-tables";

/// The file whose lock is held while a store is open.
const HELD: &str = "HELD";

/// A key and its value.
type Entry = (Box<[u8]>, Bytes);

/// An open RocksDB, and the directory that its errors name.
pub(crate) struct Database {
    db: DB,
    path: PathBuf,
    /// Held before anything is cut off; RocksDB's own lock comes later. None where nothing is changed.
    _held: Option<File>,
}

impl Database {
    /// Opens the database in a directory, or makes both.
    pub(crate) fn open(path: &Path, memory: Memory) -> Result<Self, StoreError> {
        Self::check_beginning(path)?;
        make_directory(path)?;
        let held = Some(hold(path)?);
        log_file::mend(path)?;
        let path = path.to_path_buf();
        match open(&path, memory) {
            Ok(db) => Ok(Self {
                db,
                path,
                _held: held,
            }),
            Err(source) if is_locked(&source) => Err(StoreError::InUse { path }),
            Err(source) => Err(StoreError::Open { path, source }),
        }
    }

    /// Opens the database in a directory without changing it: what is in RocksDB's log alone is read
    /// into memory.
    pub(crate) fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let torn = log_file::check(path)?;
        if let Some(torn) = torn.iter().find(|torn| !torn.can_be_passed_over()) {
            return Err(StoreError::Unfinished {
                path: path.join(&torn.name),
            });
        }
        let path = path.to_path_buf();
        let memory = Memory::default();
        let opened = columns(memory).and_then(|columns| {
            let refuse_a_log = false;
            let mut options = options(memory)?;
            // Goes back to before what it cannot read, which is a torn record: all else was looked at.
            options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
            DB::open_cf_descriptors_read_only(&options, &path, columns, refuse_a_log)
        });
        match opened {
            Ok(db) => Ok(Self {
                db,
                path,
                _held: None,
            }),
            Err(source) => Err(StoreError::Open { path, source }),
        }
    }

    /// True if a database was ever made in a directory.
    pub(crate) fn is_in(path: &Path) -> bool {
        path.join(CURRENT).exists()
    }

    /// RocksDB takes a directory without [`CURRENT`] for a new one, and removes the tables in it.
    pub(crate) fn check_beginning(path: &Path) -> Result<(), StoreError> {
        if Self::is_in(path) {
            return Ok(());
        }
        let files = fs::read_dir(path).into_iter().flatten().flatten();
        let is_content = |file: &PathBuf| {
            let extension = file.extension().and_then(|it| it.to_str());
            matches!(extension, Some("sst" | "blob" | "log"))
        };
        let mut content = files.map(|file| file.path()).filter(is_content);
        content.next().map_or(Ok(()), |file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let what = format!("the file {CURRENT} is missing, though {name} is there");
            let path = path.to_path_buf();
            Err(StoreError::Damaged { path, what })
        })
    }

    /// The bytes of a column on the disk, and those that are in RocksDB's log alone.
    pub(crate) fn bytes_of(&self, column: Column) -> Result<(u64, u64), StoreError> {
        let figure = |name: &str| {
            let figure = self.db.property_int_value_cf(self.family(column), name);
            let figure = figure.map_err(|source| self.unreadable(column, &[], source))?;
            Ok(figure.unwrap_or_default())
        };
        let on_disk = figure(TABLE_BYTES)? + figure(BLOB_BYTES)?;
        Ok((on_disk, figure(MEMORY_BYTES)?))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The value at a key.
    pub(crate) fn get(&self, column: Column, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let value = self.db.get_cf(self.family(column), key);
        let value = value.map_err(|source| self.unreadable(column, key, source))?;
        Ok(value.map(Bytes::from))
    }

    /// The value at a key, read by `read`, which refuses what was not written so.
    pub(crate) fn get_as<T>(
        &self,
        column: Column,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let Some(value) = self.get(column, key)? else {
            return Ok(None);
        };
        let read = read(&value);
        let read = read.ok_or_else(|| self.damaged(column, key, "no value of this column"))?;
        Ok(Some(read))
    }

    /// The entries whose keys begin with a prefix, in order.
    pub(crate) fn with_prefix<'a>(
        &'a self,
        column: Column,
        prefix: &'a [u8],
        direction: Direction,
    ) -> impl Iterator<Item = Result<Entry, StoreError>> + 'a {
        let mut options = ReadOptions::default();
        options.set_iterate_range(PrefixRange(prefix));
        let mode = match direction {
            Direction::Forward => IteratorMode::Start,
            Direction::Reverse => IteratorMode::End,
        };
        let entries = self.db.iterator_cf_opt(self.family(column), options, mode);
        entries.map(move |entry| match entry {
            Ok((key, value)) => Ok((key, Bytes::from(value))),
            Err(source) => Err(self.unreadable(column, prefix, source)),
        })
    }

    /// Writes everything or nothing, and returns when it is durable.
    pub(crate) fn write_synced(&self, writes: Writes<'_>) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.write_with(writes, &options)
    }

    /// Writes everything or nothing. It is durable with the next write that is synced. Not in a store that is
    /// in use: there only the last record may not be synced (see [`log_file`]).
    pub(crate) fn write(&self, writes: Writes<'_>) -> Result<(), StoreError> {
        self.write_with(writes, &WriteOptions::default())
    }

    /// Writes everything or nothing, into memory alone: it is durable when it has come into a table, by
    /// [`Database::flush`] or in its time.
    pub(crate) fn write_unlogged(&self, writes: Writes<'_>) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        self.write_with(writes, &options)
    }

    fn write_with(&self, writes: Writes<'_>, options: &WriteOptions) -> Result<(), StoreError> {
        let path = || self.path.clone();
        let written = self.db.write_opt(writes.batch, options);
        written.map_err(|source| StoreError::Write {
            path: path(),
            source,
        })?;
        // A flush or compaction that failed leaves the write above durable, but the next one may
        // not be.
        let errors = self.db.property_int_value(properties::BACKGROUND_ERRORS);
        let source = |source| StoreError::Write {
            path: path(),
            source,
        };
        match errors.map_err(source)? {
            None | Some(0) => Ok(()),
            Some(_) => Err(StoreError::Stopped { path: path() }),
        }
    }

    /// Writes a database with everything that is durable now into a new directory. What is in RocksDB's
    /// log alone is moved into tables first.
    pub(crate) fn checkpoint(&self, to: &Path) -> Result<(), StoreError> {
        let made = Checkpoint::new(&self.db).and_then(|made| made.create_checkpoint(to));
        let path = to.to_path_buf();
        made.map_err(|source| StoreError::Snapshot { path, source })
    }

    /// Rewrites a column without what was removed from it.
    pub(crate) fn compact(&self, column: Column) -> Result<(), StoreError> {
        self.flush(column)?;
        self.db
            .compact_range_cf(self.family(column), None::<&[u8]>, None::<&[u8]>);
        Ok(())
    }

    /// Moves what a column has in memory into tables, and returns when they are durable.
    pub(crate) fn flush(&self, column: Column) -> Result<(), StoreError> {
        let (path, flushed) = (self.path.clone(), self.db.flush_cf(self.family(column)));
        flushed.map_err(|source| StoreError::Write { path, source })
    }

    /// Moves everything that is in memory into tables.
    #[cfg(test)]
    pub(crate) fn flush_all(&self) -> Result<(), StoreError> {
        Column::ALL
            .into_iter()
            .try_for_each(|column| self.flush(column))
    }

    /// Waits until nothing runs in the background.
    #[cfg(test)]
    pub(crate) fn settle(&self) -> Result<(), rocksdb::Error> {
        let options = rocksdb::WaitForCompactOptions::default();
        self.db.wait_for_compact(&options)
    }

    /// Begins a write.
    pub(crate) fn writes(&self) -> Writes<'_> {
        Writes {
            database: self,
            batch: WriteBatch::default(),
        }
    }

    /// Says that what is stored at a key is not what was written; `why` says what is wrong with it.
    pub(crate) fn damaged(&self, column: Column, key: &[u8], why: impl Display) -> StoreError {
        let (path, place) = (self.path.clone(), Place { column, key });
        let what = format!("{place}: {why}");
        StoreError::Damaged { path, what }
    }

    /// A failed checksum is damage, and RocksDB's text names the file; all else is the disk's fault.
    fn unreadable(&self, column: Column, key: &[u8], source: rocksdb::Error) -> StoreError {
        if source.kind() == ErrorKind::Corruption {
            return self.damaged(column, key, source);
        }
        let (path, place) = (self.path.clone(), Place { column, key }.to_string());
        StoreError::Read {
            path,
            place,
            source,
        }
    }

    fn family(&self, column: Column) -> &ColumnFamily {
        let family = self.db.cf_handle(column.name());
        family.expect("every column is opened with the database")
    }
}

/// A column and a key in it, as errors name them.
struct Place<'a> {
    column: Column,
    key: &'a [u8],
}

impl Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "column {}, key 0x", self.column.name())?;
        let mut bytes = self.key.iter();
        bytes.try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// What is written together.
pub(crate) struct Writes<'a> {
    database: &'a Database,
    batch: WriteBatch,
}

impl Writes<'_> {
    /// Adds or replaces an entry.
    pub(crate) fn put(&mut self, column: Column, key: &[u8], value: &[u8]) {
        self.batch.put_cf(self.database.family(column), key, value);
    }

    /// Removes an entry.
    pub(crate) fn delete(&mut self, column: Column, key: &[u8]) {
        self.batch.delete_cf(self.database.family(column), key);
    }
}

fn open(path: &Path, memory: Memory) -> Result<DB, rocksdb::Error> {
    DB::open_cf_descriptors(&options(memory)?, path, columns(memory)?)
}

fn columns(memory: Memory) -> Result<Vec<ColumnFamilyDescriptor>, rocksdb::Error> {
    let cache = Cache::new_lru_cache(memory.cache_bytes);
    let columns = Column::ALL.iter();
    columns
        .map(|column| column.descriptor(&cache, memory))
        .collect()
}

/// Left as RocksDB has them: checksums are verified on each read; sizes of tables are compared with the
/// manifest when opening, and their ids and counts of entries whenever they are used; nothing is recovered
/// by best efforts; columns are not flushed together, since what goes past the log says itself how far it
/// goes. Closed logs are in the manifest; that the last one is not cut short, the journals' watermark says (D4).
fn options(memory: Memory) -> Result<Options, rocksdb::Error> {
    let mut options = Options::default().get_options_from_string(NO_DELAY)?;
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    // What is torn was cut off before; the default would silently go back to before any damage.
    options.set_wal_recovery_mode(DBRecoveryMode::AbsoluteConsistency);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_paranoid_checks(true);
    options.set_max_total_wal_size(limits::LOG_BYTES_MAX);
    options.set_db_write_buffer_size(memory.write_buffers_bytes);
    options.set_max_background_jobs(limits::BACKGROUND_JOBS);
    options.set_max_open_files(limits::OPEN_FILES_MAX);
    options.set_bytes_per_sync(limits::WRITEBACK_BYTES);
    // A read error of a mapped file is a signal that ends the process, not an error.
    options.set_allow_mmap_reads(false);
    options.set_allow_mmap_writes(false);
    options.set_keep_log_file_num(limits::TEXT_LOGS_MAX);
    options.set_max_log_file_size(limits::TEXT_LOG_BYTES_MAX);
    Ok(options)
}

/// RocksDB has one kind for all errors of the system; only its text tells them apart.
fn is_locked(error: &rocksdb::Error) -> bool {
    let text: &str = error.as_ref();
    text.contains("While lock file") || text.contains("lock hold by current process")
}

/// Takes a store, or says that another has it.
fn hold(path: &Path) -> Result<File, StoreError> {
    let (path, file) = (path.to_path_buf(), path.join(HELD));
    let held = match File::create(&file) {
        Ok(held) => held,
        Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
            return Err(StoreError::Directory { path, source });
        }
        Err(source) => return Err(StoreError::File { path: file, source }),
    };
    match held.try_lock() {
        Ok(()) => Ok(held),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path }),
        Err(TryLockError::Error(source)) => Err(StoreError::File { path: file, source }),
    }
}

/// A new directory is durable when its parent is synced.
fn make_directory(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    let path = || path.to_path_buf();
    fs::create_dir_all(path()).map_err(|source| StoreError::Directory {
        path: path(),
        source,
    })?;
    let synced = path().canonicalize().and_then(|made| match made.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    });
    synced.map_err(|source| StoreError::Unsynced {
        path: path(),
        source,
    })
}

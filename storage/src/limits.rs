//! How much of the machine the store may take: sized for two cores and a few gigabytes.

/// Blocks of tables kept in memory, in bytes.
pub const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Writes kept in memory before they are sorted into tables, in bytes, over all columns.
pub const WRITE_BUFFERS_BYTES: usize = 128 * 1024 * 1024;

/// One column has so many parts of that at most: a minute or more of blocks, so that tables are few.
pub const WRITE_BUFFER_PARTS: usize = 4;

/// Fewest bytes of writes that are kept in memory, over all columns: with fewer there would be a table
/// for every few blocks.
pub const WRITE_BUFFERS_BYTES_MIN: usize = 1024 * 1024;

/// RocksDB's log, in bytes: bounds how long opening after a crash takes.
pub const LOG_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Decisions that were read lately, in bytes, about: a few pages of what streams read.
pub const RECENT_DECISIONS_BYTES: usize = 16 * 1024 * 1024;

/// Open files: the rest of the process needs descriptors for connections.
pub const OPEN_FILES_MAX: i32 = 512;

/// Threads that flush and compact: one per core.
pub const BACKGROUND_JOBS: i32 = 2;

/// Blocks after which a start that completes the index of transactions keeps what it has: a second of work, which
/// one that is interrupted does not do again.
pub const INDEX_STEP: u64 = 16_384;

/// Bytes after which written tables are handed to the disk, so that no sync waits for all of them.
pub const WRITEBACK_BYTES: u64 = 1024 * 1024;

/// A part of a table's index or filter, in bytes: as much as a block of what is found by it.
pub const METADATA_BLOCK_BYTES: usize = 4 * 1024;

/// Smallest batch kept beside the tables, in bytes: compactions never copy larger ones.
pub const BLOB_BYTES_MIN: u64 = 4 * 1024;

/// Batches in one file, in bytes.
pub const BLOB_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Entries in a row of a table among which removals are counted.
pub const REMOVALS_WINDOW: usize = 256;

/// Removals among those after which the table is rewritten, so that pruned blocks give their space back
/// and nobody reads past more of them.
pub const REMOVALS_MAX: usize = 128;

/// Blocks that are removed in one synced write: a commit that comes meanwhile waits for it.
pub const REMOVED_TOGETHER: u64 = 16;

/// RocksDB's own text logs: how many.
pub const TEXT_LOGS_MAX: usize = 4;

/// RocksDB's own text logs: bytes each.
pub const TEXT_LOG_BYTES_MAX: usize = 4 * 1024 * 1024;

//! The columns, and how RocksDB keeps each.

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType,
    Options,
};

use crate::limits::{
    BLOB_BYTES_MIN, BLOB_FILE_BYTES, METADATA_BLOCK_BYTES, REMOVALS_MAX, REMOVALS_WINDOW,
    WRITE_BUFFER_PARTS,
};
use crate::memory::Memory;

/// Bits of filter a key: one look-up in a hundred for an absent key touches the disk.
const FILTER_BITS: f64 = 10.0;

/// The same for what is not in a table yet: its part of a write buffer. An entry of about 100 bytes gets
/// 16 bits.
const MEMORY_FILTER_RATIO: f64 = 0.02;

/// Settings without a setter: a checksum in memory for each entry, verified before it is written
/// on; and a table that was written is read back before what it was made of is removed. Large batches
/// are not in tables, so little is read twice.
const PROTECTED: &str = "memtable_protection_bytes_per_key=8;paranoid_file_checks=true";

/// The same, for keys that rise by rollup or by height, as a rollup's batches do and the ids of its transactions
/// within a block: each is looked for from where the one before it of the same rollup or height went, and not
/// from the beginning.
const SORTED_BY_NUMBER: &str = "memtable_insert_with_hint_prefix_extractor=rocksdb.FixedPrefix.8";

/// A column: one sorted map from keys to values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// Facts about the store, by name.
    Meta,
    /// Decisions, by height.
    Blocks,
    /// Which batches a block has.
    Heights,
    /// Batches, by rollup and number.
    Batches,
    /// The heights and head branches of batches, by rollup and number.
    Branches,
    /// Places of transactions, by rollup and id.
    Transactions,
    /// Places of bundles, by hash.
    Bundles,
}

impl Column {
    pub(crate) const ALL: [Self; 7] = [
        Self::Meta,
        Self::Blocks,
        Self::Heights,
        Self::Batches,
        Self::Branches,
        Self::Transactions,
        Self::Bundles,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Blocks => "blocks",
            Self::Heights => "heights",
            Self::Batches => "batches",
            Self::Branches => "branches",
            Self::Transactions => "transactions",
            Self::Bundles => "bundles",
        }
    }

    /// All columns share one cache.
    pub(crate) fn descriptor(
        self,
        cache: &Cache,
        memory: Memory,
    ) -> Result<ColumnFamilyDescriptor, rocksdb::Error> {
        let mut options = Options::default().get_options_from_string(PROTECTED)?;
        if self.is_sorted_by_number() {
            options = options.get_options_from_string(SORTED_BY_NUMBER)?;
        }
        options.set_write_buffer_size(memory.write_buffers_bytes / WRITE_BUFFER_PARTS);
        options.set_compression_type(self.compression());
        if self.is_pruned() {
            let (window, removals) = (REMOVALS_WINDOW, REMOVALS_MAX);
            options.add_compact_on_deletion_collector_factory(window, removals, 0.0);
        }
        let mut tables = BlockBasedOptions::default();
        tables.set_block_cache(cache);
        // Indexes and filters are cached like all else, so they must be small: one that does not fit into a
        // part of the cache would be read whole for each look-up.
        tables.set_cache_index_and_filter_blocks(true);
        tables.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        tables.set_partition_filters(true);
        tables.set_metadata_block_size(METADATA_BLOCK_BYTES);
        tables.set_pin_top_level_index_and_filter(true);
        if self.is_asked_for_absent_keys() {
            tables.set_bloom_filter(FILTER_BITS, false);
            options.set_memtable_prefix_bloom_ratio(MEMORY_FILTER_RATIO);
            options.set_memtable_whole_key_filtering(true);
        }
        options.set_block_based_table_factory(&tables);
        if self == Self::Batches {
            options.set_enable_blob_files(true);
            options.set_min_blob_size(BLOB_BYTES_MIN);
            options.set_blob_file_size(BLOB_FILE_BYTES);
            options.set_blob_compression_type(DBCompressionType::Lz4);
        }
        Ok(ColumnFamilyDescriptor::new(self.name(), options))
    }

    fn compression(self) -> DBCompressionType {
        match self {
            // Hashes do not shrink.
            Self::Transactions | Self::Bundles => DBCompressionType::None,
            _ => DBCompressionType::Lz4,
        }
    }

    /// Old blocks are removed from it.
    pub(crate) fn is_pruned(self) -> bool {
        matches!(
            self,
            Self::Blocks | Self::Heights | Self::Batches | Self::Branches
        )
    }

    /// Keys begin with a number, and rise behind it.
    fn is_sorted_by_number(self) -> bool {
        matches!(
            self,
            Self::Heights | Self::Batches | Self::Branches | Self::Transactions
        )
    }

    /// W2 and the status calls ask for ids that mostly were never placed.
    fn is_asked_for_absent_keys(self) -> bool {
        matches!(self, Self::Transactions | Self::Bundles)
    }
}

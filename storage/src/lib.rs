//! Keep decided blocks in RocksDB.

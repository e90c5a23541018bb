//! What can go wrong with a store, and what to do.

use std::path::PathBuf;

use cloverleaf_types::{B256, Height};

/// Every variant names the directory or the height. After `Write` and `Stopped` the process must
/// end before anything else leaves it; after `Damaged` it must not serve from this directory.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory cannot be made, or nothing in it.
    #[error(
        "the store's directory {path} cannot be made: {source}; check its parent and permissions"
    )]
    Directory {
        /// The store's directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process holds the directory.
    #[error("the store {path} is in use by another process; stop it, or choose another directory")]
    InUse {
        /// The store's directory.
        path: PathBuf,
    },
    /// RocksDB does not open the directory.
    #[error(
        "the store {path} cannot be opened: {source}; check space and disk; if it is damaged, keep \
         it aside and start again: the node fetches the blocks from its peers, and its key has amnesia \
         meanwhile"
    )]
    Open {
        /// The store's directory.
        path: PathBuf,
        /// What RocksDB said.
        source: rocksdb::Error,
    },
    /// A new directory may not be there after a power cut: the disk's fault.
    #[error(
        "the directory {path} was made, but could not be synced: {source}; check space and disk"
    )]
    Unsynced {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A record of which a power cut kept a part could not be cut off: the disk's fault.
    #[error(
        "{path} ends in a record that was not written whole, and cannot be shortened: {source}; check the \
         disk and its permissions, then start again"
    )]
    Mend {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the store cannot be read or locked: the disk's fault.
    #[error(
        "the file {path} cannot be read or locked: {source}; check space, disk and permissions"
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store cannot be looked at without a change.
    #[error(
        "{path} ends in a record that a power cut kept a part of; start the node, which cuts it off"
    )]
    Unfinished {
        /// The file.
        path: PathBuf,
    },
    /// The directory holds another network's blocks.
    #[error(
        "the store {path} belongs to network {found}, not to {expected}; choose another directory, \
         or the genesis that it was made with"
    )]
    OtherNetwork {
        /// The store's directory.
        path: PathBuf,
        /// The network in it.
        found: B256,
        /// The network asked for.
        expected: B256,
    },
    /// The directory was written by another version of this software.
    #[error(
        "the store {path} has format {found}, this version reads {expected}; use the version that \
         wrote it, or an empty directory"
    )]
    OtherFormat {
        /// The store's directory.
        path: PathBuf,
        /// The format in it.
        found: u32,
        /// The format of this version.
        expected: u32,
    },
    /// A read failed: the disk's fault.
    #[error("the store {path} cannot be read at {place}: {source}; check the disk")]
    Read {
        /// The store's directory.
        path: PathBuf,
        /// The column and the key, or what keys begin with.
        place: String,
        /// What RocksDB said.
        source: rocksdb::Error,
    },
    /// A write or its sync failed: the disk's fault. Whether it is durable is unknown.
    #[error("the store {path} cannot be written: {source}; check space and disk, then start again")]
    Write {
        /// The store's directory.
        path: PathBuf,
        /// What RocksDB said.
        source: rocksdb::Error,
    },
    /// A write in front or in the background failed before.
    #[error("the store {path} takes no more blocks after a failed write; start again")]
    Stopped {
        /// The store's directory.
        path: PathBuf,
    },
    /// A copy of the store cannot be written.
    #[error(
        "the snapshot {path} cannot be written: {source}; it must be a new directory, with space \
         beside it"
    )]
    Snapshot {
        /// The copy's directory.
        path: PathBuf,
        /// What RocksDB said.
        source: rocksdb::Error,
    },
    /// What is stored is not what was decided.
    #[error(
        "the store {path} is damaged: {what}; keep it aside and start again: the node fetches the \
         blocks from its peers, and its key has amnesia meanwhile"
    )]
    Damaged {
        /// The store's directory.
        path: PathBuf,
        /// The column, the key and what is wrong there, with the file when RocksDB names it.
        what: String,
    },
    /// The caller's fault: heights are committed one by one.
    #[error("block {found} cannot be committed: the store's next height is {expected}")]
    NotNext {
        /// The height due.
        expected: Height,
        /// The height given.
        found: Height,
    },
    /// The caller's fault: the block does not extend the chain that is stored.
    #[error(
        "block {height} cannot be committed: its parent is {found}, the store's tip {expected}"
    )]
    OtherParent {
        /// The block's height.
        height: Height,
        /// The parent it names.
        found: B256,
        /// The hash of the store's tip; the network's id before the first block.
        expected: B256,
    },
    /// The caller's fault: a bundle in the block is not there as a whole, or not where the block says
    /// that it is (B5).
    #[error(
        "block {height} cannot be committed: bundle {bundle} is not in it whole, as its manifest says"
    )]
    Torn {
        /// The block's height.
        height: Height,
        /// The bundle; zero when a batch shows a leg of none.
        bundle: B256,
    },
    /// The caller's fault: somebody still needs what it wants to remove (W1).
    #[error(
        "blocks below {below} cannot be removed: the replay window at block {tip} holds those from \
         {held} on, and a starting node reads the one before"
    )]
    Needed {
        /// The lowest height that was to stay.
        below: Height,
        /// The lowest height that the window holds.
        held: Height,
        /// The latest block.
        tip: Height,
    },
    /// The caller's fault: what it gave would not read back.
    #[error("block {height} cannot be committed: its {what} do not belong to it")]
    Foreign {
        /// The block's height.
        height: Height,
        /// The part.
        what: &'static str,
    },
}

impl StoreError {
    /// Whether it says that what is stored is not what was written; anything else may pass.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Open { source, .. } => source.kind() == rocksdb::ErrorKind::Corruption,
            _ => false,
        }
    }
}

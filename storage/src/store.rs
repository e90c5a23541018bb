//! The store: which directory, whose, and how far it is.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use bytes::Bytes;
use cloverleaf_types::{B256, Height, NetworkId};

use crate::column::Column;
use crate::database::Database;
use crate::error::StoreError;
use crate::index::Latest;
use crate::keys;
use crate::memory::Memory;
use crate::recent::Recent;

/// The version of the layout of columns, keys and values.
const FORMAT: u32 = 3;

/// The version before: the index of transactions is always whole.
const FORMAT_BEFORE: u32 = 2;

/// Keys of the column `meta`.
pub(crate) mod meta {
    pub(crate) const NETWORK: &[u8] = b"network";
    pub(crate) const FORMAT: &[u8] = b"format";
    pub(crate) const TIP: &[u8] = b"tip";
    pub(crate) const STATE: &[u8] = b"state";
    /// Written when blocks are removed: the lowest that is whole.
    pub(crate) const FIRST: &[u8] = b"first";
}

/// A node's decided blocks. Clones are the same store; reads run in parallel and beside a commit,
/// and every call may block its thread on the disk.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    database: Database,
    network: NetworkId,
    /// The latest durable block.
    tip: RwLock<Option<(Height, B256)>>,
    /// Held during a commit.
    writer: Mutex<Writer>,
    recent: Recent,
    latest: Latest,
}

/// What whoever writes must know of the writes before.
#[derive(Default)]
pub(crate) struct Writer {
    /// A write failed: nothing more is written.
    pub(crate) stopped: bool,
    /// The index of transactions is in tables up to here at least.
    pub(crate) tabled: Height,
}

impl Store {
    /// Opens a network's store in a directory, or makes both.
    ///
    /// # Errors
    /// The directory belongs to another network, format or process, is damaged, or the disk failed.
    pub fn open(path: &Path, network: NetworkId) -> Result<Self, StoreError> {
        Self::open_within(path, network, Memory::default())
    }

    /// The same, with so much memory.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_within(
        path: &Path,
        network: NetworkId,
        memory: Memory,
    ) -> Result<Self, StoreError> {
        let store = Self::on(Database::open(path, memory)?, network);
        let format = store.read_owner()?;
        store.read_tip()?;
        store.check_tip()?;
        if format != Some(FORMAT) {
            store.write_owner()?;
        }
        store.complete_index()?;
        Ok(store)
    }

    /// Opens a network's store to look at it: nothing in it changes, and nothing but its tip's name is
    /// looked at yet. Nothing when the directory has no store, or an empty one.
    ///
    /// # Errors
    /// The directory belongs to another network or format, is damaged, or the disk failed.
    pub fn open_to_read(path: &Path, network: NetworkId) -> Result<Option<Self>, StoreError> {
        Database::check_beginning(path)?;
        if !Database::is_in(path) {
            return Ok(None);
        }
        let store = Self::on(Database::open_to_read(path)?, network);
        if store.read_owner()?.is_none() {
            return Ok(None);
        }
        store.read_tip()?;
        Ok(store.tip().is_some().then_some(store))
    }

    /// Whether a store was ever begun in a directory.
    ///
    /// # Errors
    /// One was, and what tells is missing.
    pub fn is_begun(path: &Path) -> Result<bool, StoreError> {
        Database::check_beginning(path)?;
        Ok(Database::is_in(path))
    }

    fn on(database: Database, network: NetworkId) -> Self {
        let shared = Shared {
            database,
            network,
            tip: RwLock::default(),
            writer: Mutex::default(),
            recent: Recent::default(),
            latest: Latest::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The network that it belongs to.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        self.shared.network
    }

    /// The latest durable block: its height and hash; nothing before the first.
    #[must_use]
    pub fn tip(&self) -> Option<(Height, B256)> {
        let tip = self.shared.tip.read();
        *tip.expect("nothing panics while it is locked")
    }

    /// The height of the latest durable block; 0 before the first.
    pub(crate) fn tip_height(&self) -> Height {
        self.tip().map_or(Height::GENESIS, |(height, _)| height)
    }

    /// The replicated state after the tip, as the committer encoded it; nothing before the first
    /// block.
    ///
    /// # Errors
    /// The disk failed.
    pub fn state(&self) -> Result<Option<Bytes>, StoreError> {
        self.database().get(Column::Meta, meta::STATE)
    }

    pub(crate) fn database(&self) -> &Database {
        &self.shared.database
    }

    pub(crate) fn recent(&self) -> &Recent {
        &self.shared.recent
    }

    pub(crate) fn latest(&self) -> &Latest {
        &self.shared.latest
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Writer> {
        let writer = self.shared.writer.lock();
        writer.expect("nothing panics while it is locked")
    }

    pub(crate) fn set_tip(&self, tip: (Height, B256)) {
        let current = self.shared.tip.write();
        *current.expect("nothing panics while it is locked") = Some(tip);
    }

    /// The format of a store of this network; nothing if it is new and nobody's, an error if it is another's.
    fn read_owner(&self) -> Result<Option<u32>, StoreError> {
        let (database, expected) = (self.database(), self.network());
        let network = |value: &[u8]| B256::try_from(value).ok();
        let Some(found) = database.get_as(Column::Meta, meta::NETWORK, network)? else {
            if database.get(Column::Meta, meta::TIP)?.is_some() {
                let why = "missing, though there are blocks";
                return Err(database.damaged(Column::Meta, meta::NETWORK, why));
            }
            return Ok(None);
        };
        let path = database.path().to_path_buf();
        if found != expected {
            return Err(StoreError::OtherNetwork {
                path,
                found,
                expected,
            });
        }
        let format = |value: &[u8]| Some(u32::from_be_bytes(value.try_into().ok()?));
        let found = database.get_as(Column::Meta, meta::FORMAT, format)?;
        let missing = || database.damaged(Column::Meta, meta::FORMAT, "missing");
        match found.ok_or_else(missing)? {
            found @ (FORMAT | FORMAT_BEFORE) => Ok(Some(found)),
            found => Err(StoreError::OtherFormat {
                path,
                found,
                expected: FORMAT,
            }),
        }
    }

    fn write_owner(&self) -> Result<(), StoreError> {
        let goes_to = keys::height(self.index_goes_to()?);
        let mut writes = self.database().writes();
        writes.put(Column::Transactions, keys::INDEX_GOES_TO, &goes_to);
        writes.put(Column::Meta, meta::NETWORK, self.network().as_slice());
        writes.put(Column::Meta, meta::FORMAT, &FORMAT.to_be_bytes());
        self.database().write_synced(writes)
    }

    fn read_tip(&self) -> Result<(), StoreError> {
        let database = self.database();
        let tip = database.get_as(Column::Meta, meta::TIP, keys::read_tip)?;
        if let Some(tip) = tip {
            self.set_tip(tip);
        }
        Ok(())
    }

    fn check_tip(&self) -> Result<(), StoreError> {
        let Some((height, hash)) = self.tip() else {
            return Ok(());
        };
        match self.header(height)? {
            Some(header) if header.hash() == hash => Ok(()),
            _ => {
                let why = format!("the block at the tip, {height}, is not {hash}");
                Err(self.database().damaged(Column::Meta, meta::TIP, why))
            }
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut store = formatter.debug_struct("Store");
        store.field("path", &self.database().path());
        store.field("tip", &self.tip()).finish_non_exhaustive()
    }
}

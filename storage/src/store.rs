//! The store: which directory, whose, and how far it is.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use bytes::Bytes;
use cloverleaf_types::{B256, Height, NetworkId};

use crate::column::Column;
use crate::database::Database;
use crate::error::StoreError;
use crate::keys;

/// The version of the layout of columns, keys and values.
const FORMAT: u32 = 2;

/// Keys of the column `meta`.
pub(crate) mod meta {
    pub(crate) const NETWORK: &[u8] = b"network";
    pub(crate) const FORMAT: &[u8] = b"format";
    pub(crate) const TIP: &[u8] = b"tip";
    pub(crate) const STATE: &[u8] = b"state";
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
}

/// What a commit must know of those before it.
#[derive(Default)]
pub(crate) struct Writer {
    /// A write failed: nothing more is written.
    pub(crate) stopped: bool,
}

impl Store {
    /// Opens a network's store in a directory, or makes both.
    ///
    /// # Errors
    /// The directory belongs to another network, format or process, is damaged, or the disk failed.
    pub fn open(path: &Path, network: NetworkId) -> Result<Self, StoreError> {
        let shared = Shared {
            database: Database::open(path)?,
            network,
            tip: RwLock::default(),
            writer: Mutex::default(),
        };
        let store = Self {
            shared: Arc::new(shared),
        };
        store.check_owner()?;
        store.load_tip()?;
        Ok(store)
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

    pub(crate) fn writer(&self) -> MutexGuard<'_, Writer> {
        let writer = self.shared.writer.lock();
        writer.expect("nothing panics while it is locked")
    }

    pub(crate) fn set_tip(&self, tip: (Height, B256)) {
        let current = self.shared.tip.write();
        *current.expect("nothing panics while it is locked") = Some(tip);
    }

    /// Writes whose directory it is when it is new, else compares.
    fn check_owner(&self) -> Result<(), StoreError> {
        let (database, expected) = (self.database(), self.network());
        let network = |value: &[u8]| B256::try_from(value).ok();
        let Some(found) = database.get_as(Column::Meta, meta::NETWORK, network)? else {
            if database.get(Column::Meta, meta::TIP)?.is_some() {
                let why = "missing, though there are blocks";
                return Err(database.damaged(Column::Meta, meta::NETWORK, why));
            }
            let mut writes = database.writes();
            writes.put(Column::Meta, meta::NETWORK, expected.as_slice());
            writes.put(Column::Meta, meta::FORMAT, &FORMAT.to_be_bytes());
            return database.write_synced(writes);
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
            FORMAT => Ok(()),
            found => Err(StoreError::OtherFormat {
                path,
                found,
                expected: FORMAT,
            }),
        }
    }

    fn load_tip(&self) -> Result<(), StoreError> {
        let database = self.database();
        let tip = database.get_as(Column::Meta, meta::TIP, keys::read_tip)?;
        let Some((height, hash)) = tip else {
            return Ok(());
        };
        match self.header(height)? {
            Some(header) if header.hash() == hash => {
                self.set_tip((height, hash));
                Ok(())
            }
            _ => {
                let why = format!("the block at the tip, {height}, is not {hash}");
                Err(database.damaged(Column::Meta, meta::TIP, why))
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

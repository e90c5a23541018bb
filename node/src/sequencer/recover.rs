//! What a node finds on its disk when it starts.

use std::fs;
use std::mem::take;
use std::path::Path;
use std::sync::Arc;

use cloverleaf_bundle::{Prepared, State, Window};
use cloverleaf_consensus::JournalEntry;
use cloverleaf_journal::memory::MemoryDisk;
use cloverleaf_journal::{Disk as JournalDisk, FileDisk, Record, SegmentedJournal};
use cloverleaf_mempool::pool::Limits;
use cloverleaf_replica::{Decided, Recovered, Replica, signs_from};
use cloverleaf_storage::{Memory, Store, StoreError};
use cloverleaf_types::{B256, Height, NetworkId, Parcel, Recover, Secp256k1};
use eyre::{Context as _, Result};
use serde::Serialize;

use super::fatal::Fatal;
use super::index::StoreIndex;
use super::journals::{self, Journals, foreign};
use crate::home::Home;

/// The node's disk, open, and the replica that goes on from it.
pub(super) struct Disk {
    pub(super) store: Store,
    pub(super) votes: SegmentedJournal,
    pub(super) lane_log: SegmentedJournal,
    pub(super) parcel_store: SegmentedJournal,
    pub(super) entries: Vec<JournalEntry>,
    pub(super) replica: Replica,
}

/// What a start goes on from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// The height of the latest block.
    pub height: Height,
    /// Its hash; nothing before the first.
    pub block_hash: Option<B256>,
    /// The root of the state after it.
    pub state_root: B256,
    /// Transactions that the replay window holds (W1).
    pub window: usize,
    /// Whether the key signs nothing until later blocks (D4).
    pub is_amnesiac: bool,
    /// Records in the vote journal, the lane log and the parcel store.
    pub records: [usize; 3],
    /// The hash of them all.
    pub journals: B256,
}

/// Opens everything and reads what is there. The operators may let a key sign in spite of amnesia (D4).
pub(super) fn open(
    home: &Home,
    limits: Limits,
    amnesia_accepted: Option<Height>,
    fatal: Fatal,
) -> Result<Disk> {
    let store = open_store(home)?;
    let disk = FileDisk::open(home.journal_dir())
        .wrap_err_with(|| format!("opening {}", home.journal_dir().display()))?;
    let mut journals = journals::open(&disk, home.keys.address())?;
    let parts = Parts {
        store: Some(store.clone()),
        limits,
        amnesia_accepted,
        fatal,
    };
    let (replica, _) = parts.replica(home, &mut journals)?;
    Ok(Disk {
        store,
        votes: journals.votes,
        lane_log: journals.lane_log,
        parcel_store: journals.parcel_store,
        entries: journals.entries,
        replica,
    })
}

/// What a start would go on from. Nothing is begun, and no journal is touched: what a start does to
/// them is done to a copy in memory.
pub(super) fn look(home: &Home) -> Result<Found> {
    let is_begun = Store::is_begun(&home.store_dir())?;
    let store = is_begun.then(|| open_store(home)).transpose()?;
    let disk = copy_of(&home.journal_dir())?;
    let journals = journals::open(&disk, home.keys.address());
    let mut journals = journals.wrap_err("nothing was changed; a start would end so")?;
    let parts = Parts {
        store,
        limits: Limits::default(),
        amnesia_accepted: None,
        fatal: Fatal::default(),
    };
    Ok(parts.replica(home, &mut journals)?.1)
}

fn open_store(home: &Home) -> Result<Store> {
    let memory = Memory {
        cache_bytes: home.config.store.cache_bytes,
        write_buffers_bytes: home.config.store.write_buffers_bytes,
    };
    let network = home.genesis.network();
    Ok(Store::open_within(&home.store_dir(), network, memory)?)
}

/// The journals' files in memory.
fn copy_of(dir: &Path) -> Result<MemoryDisk> {
    let mut copy = MemoryDisk::new();
    if !dir.exists() {
        return Ok(copy);
    }
    let files = fs::read_dir(dir).wrap_err_with(|| format!("opening {}", dir.display()))?;
    for file in files {
        let path = file?.path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            let bytes = fs::read(&path).wrap_err_with(|| format!("reading {}", path.display()))?;
            copy.set_contents(&name.to_string_lossy(), bytes);
        }
    }
    Ok(copy)
}

/// What a replica is made from, besides the journals.
struct Parts {
    /// Nothing when no store was begun.
    store: Option<Store>,
    limits: Limits,
    amnesia_accepted: Option<Height>,
    fatal: Fatal,
}

impl Parts {
    fn replica<D: JournalDisk + Clone>(
        self,
        home: &Home,
        journals: &mut Journals<D>,
    ) -> Result<(Replica, Found)> {
        let (network, key) = (home.genesis.network(), home.keys.address());
        let store = self.store.as_ref();
        let state = match store.map(Store::checked_state).transpose()?.flatten() {
            Some(state) => state,
            None => State::genesis(&home.genesis)?,
        };
        let window = match store {
            Some(store) => window(store, &state, &home.store_dir())?,
            None => Window::new(state.parameters().replay_window_ms),
        };
        let certificate = |height| {
            let decision = store.map(|store| store.decision(height)).transpose()?;
            Ok::<_, StoreError>(decision.flatten().map(|found| found.certificate))
        };
        let decided = Decided {
            network,
            recover: &Secp256k1,
            tip: state.height(),
            certificate: &certificate,
        };
        let signs_from = signs_from(&journals.entries, key, &decided)?;
        let tip = store.and_then(Store::tip);
        let (state_root, window_len) = (state.root(), window.len());
        let (records, journals_hash) = (journals.records(), journals.hash());
        let (logged, stored) = (take(&mut journals.logged), take(&mut journals.stored));
        let recovered = Recovered {
            signer: Arc::new(home.keys.signer()),
            recover: Arc::new(Secp256k1),
            state,
            window,
            signs_from,
            amnesia_accepted: self.amnesia_accepted,
            logged: parcels(logged, network, "lane")?,
            stored: parcels(stored, network, "parcels")?,
        };
        let index = StoreIndex {
            store: self.store,
            fatal: self.fatal,
        };
        let replica = Replica::new(recovered, self.limits, Box::new(index));
        let found = Found {
            height: replica.state().height(),
            block_hash: tip.map(|(_, hash)| hash),
            state_root,
            window: window_len,
            is_amnesiac: replica.observe().is_amnesiac,
            records,
            journals: journals_hash,
        };
        Ok((replica, found))
    }
}

/// What was synced was verified before (L4); the signature is checked again, since it is what makes
/// a parcel its author's.
fn parcels(records: Vec<Record>, network: NetworkId, name: &str) -> Result<Vec<Arc<Prepared>>> {
    let recover: &dyn Recover = &Secp256k1;
    let prepared = records.into_iter().map(|record| {
        let parcel = Parcel::decode(record.payload.into())?.verify(network, recover)?;
        Ok::<_, cloverleaf_types::error::ParcelError>(Arc::new(Prepared::new(Arc::new(parcel))))
    });
    let prepared: Result<_, _> = prepared.collect();
    prepared.map_err(|error| foreign(name, &error))
}

/// W1: the replay window follows from the blocks.
fn window(store: &Store, state: &State, path: &Path) -> Result<Window> {
    let damaged = |what: String| StoreError::Damaged {
        path: path.to_owned(),
        what,
    };
    let (tip, tip_ms) = (state.height(), state.timestamp_ms());
    let missing =
        |height: Height| damaged(format!("block {height} is missing, later ones are not"));
    let mut window = Window::new(state.parameters().replay_window_ms);
    let mut first = tip.next();
    while first > Height(1) {
        let below = first.back(1);
        let header = store.header(below)?.ok_or_else(|| missing(below))?;
        if !window.reaches(below, header.timestamp_ms, tip, tip_ms) {
            break;
        }
        first = below;
    }
    while first <= tip {
        let block = store.block(first)?.ok_or_else(|| missing(first))?;
        window.push_block(&block.block);
        first = first.next();
    }
    Ok(window)
}

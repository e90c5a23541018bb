//! What a node finds on its disk when it starts.

use std::path::Path;
use std::sync::Arc;

use cloverleaf_bundle::{Prepared, State, Window};
use cloverleaf_consensus::JournalEntry;
use cloverleaf_journal::{FileDisk, Record, SegmentedJournal};
use cloverleaf_mempool::pool::Limits;
use cloverleaf_replica::{Decided, Recovered, Replica, signs_from};
use cloverleaf_storage::{Store, StoreError};
use cloverleaf_types::{Height, NetworkId, Parcel, Recover, Secp256k1};
use eyre::{Context as _, Result};

use super::fatal::Fatal;
use super::index::StoreIndex;
use super::journals::{self, foreign};
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

/// Opens everything and reads what is there. The operators may let a key sign in spite of amnesia (D4).
pub(super) fn open(
    home: &Home,
    limits: Limits,
    amnesia_accepted: Option<Height>,
    fatal: Fatal,
) -> Result<Disk> {
    let network = home.genesis.network();
    let store = Store::open(&home.store_dir(), network)?;
    let disk = FileDisk::open(home.journal_dir())
        .wrap_err_with(|| format!("opening {}", home.journal_dir().display()))?;
    let key = home.keys.address();
    let journals = journals::open(&disk, key)?;
    let state = match store.checked_state()? {
        Some(state) => state,
        None => State::genesis(&home.genesis)?,
    };
    let window = window(&store, &state, &home.store_dir())?;
    let certificate = |height| {
        let decision = store.decision(height)?;
        Ok::<_, StoreError>(decision.map(|found| found.certificate))
    };
    let decided = Decided {
        network,
        recover: &Secp256k1,
        tip: state.height(),
        certificate: &certificate,
    };
    let signs_from = signs_from(&journals.entries, key, &decided)?;
    let recovered = Recovered {
        signer: Arc::new(home.keys.signer()),
        recover: Arc::new(Secp256k1),
        state,
        window,
        signs_from,
        amnesia_accepted,
        logged: parcels(journals.logged, network, "lane")?,
        stored: parcels(journals.stored, network, "parcels")?,
    };
    let index = StoreIndex {
        store: store.clone(),
        fatal,
    };
    Ok(Disk {
        store,
        votes: journals.votes,
        lane_log: journals.lane_log,
        parcel_store: journals.parcel_store,
        entries: journals.entries,
        replica: Replica::new(recovered, limits, Box::new(index)),
    })
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

//! What a node finds on its disk when it starts.

use std::sync::Arc;

use cloverleaf_bundle::{Prepared, State, Window};
use cloverleaf_consensus::JournalEntry;
use cloverleaf_journal::{FileDisk, Outcome, Record, SegmentedJournal};
use cloverleaf_replica::Recovered;
use cloverleaf_storage::Store;
use cloverleaf_types::{Height, NetworkId, Parcel, Recover, Secp256k1};
use eyre::{Context as _, Result, bail, eyre};

use super::parcel_writer::SEGMENT_BYTES_MAX;
use crate::home::Home;

/// Longest segment of the vote journal, in bytes: thousands of heights, read at start in a moment.
const VOTES_SEGMENT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The node's disk, open.
pub(super) struct Disk {
    pub(super) store: Store,
    pub(super) votes: SegmentedJournal,
    pub(super) lane_log: SegmentedJournal,
    pub(super) parcel_store: SegmentedJournal,
    pub(super) recovered: Recovered,
    pub(super) entries: Vec<JournalEntry>,
}

/// A journal that this node must not go on with (D2): the process ends with its own exit code.
#[derive(Debug, thiserror::Error)]
#[error(
    "{file} is damaged: {detail}. It was kept aside. This node must not sign before it is known what \
     was lost; restore the journal from this node's own disk, or retire the key"
)]
pub struct DamagedJournal {
    file: String,
    detail: String,
}

/// Opens everything and reads what is there.
pub(super) fn open(home: &Home) -> Result<Disk> {
    let network = home.genesis.network();
    let store = Store::open(&home.store_dir(), network)?;
    let disk = FileDisk::open(home.journal_dir())
        .wrap_err_with(|| format!("opening {}", home.journal_dir().display()))?;
    let (votes, vote_records) = journal(&disk, "votes", VOTES_SEGMENT_BYTES_MAX)?;
    let (lane_log, logged) = journal(&disk, "lane", SEGMENT_BYTES_MAX)?;
    let (parcel_store, stored) = journal(&disk, "parcels", SEGMENT_BYTES_MAX)?;
    let state = match store.state()? {
        Some(bytes) => State::decode(&bytes)?,
        None => State::genesis(&home.genesis)?,
    };
    let window = window(&store, &state)?;
    let recovered = Recovered {
        signer: Arc::new(home.keys.signer()),
        recover: Arc::new(Secp256k1),
        state,
        window,
        logged: parcels(logged, network, "lane log")?,
        stored: parcels(stored, network, "parcel store")?,
    };
    let entries = vote_records.into_iter().map(entry).collect::<Result<_>>()?;
    Ok(Disk {
        store,
        votes,
        lane_log,
        parcel_store,
        recovered,
        entries,
    })
}

fn journal(
    disk: &FileDisk,
    name: &str,
    segment_bytes_max: u64,
) -> Result<(SegmentedJournal, Vec<Record>)> {
    let opened = SegmentedJournal::open(disk.clone(), name, segment_bytes_max)?;
    for found in opened.outcomes {
        match found.outcome {
            Outcome::Clean => {}
            Outcome::TornTail { .. } => {
                tracing::info!(file = found.file, "an unsynced tail was cut off");
            }
            damaged @ Outcome::Damaged { .. } => {
                let detail = format!("{damaged:?}");
                return Err(DamagedJournal {
                    file: found.file,
                    detail,
                }
                .into());
            }
        }
    }
    Ok((opened.journal, opened.records))
}

fn entry(record: Record) -> Result<JournalEntry> {
    JournalEntry::decode(&record.payload.into())
        .wrap_err("the vote journal was not written by this version of this node")
}

/// What was synced was verified before (L4); the signature is checked again, since it is what makes
/// a parcel its author's.
fn parcels(records: Vec<Record>, network: NetworkId, what: &str) -> Result<Vec<Arc<Prepared>>> {
    let recover: &dyn Recover = &Secp256k1;
    let prepared = records.into_iter().map(|record| {
        let parcel = Parcel::decode(record.payload.into())?.verify(network, recover)?;
        Ok::<_, cloverleaf_types::error::ParcelError>(Arc::new(Prepared::new(Arc::new(parcel))))
    });
    prepared
        .collect::<Result<_, _>>()
        .wrap_err_with(|| format!("the {what} holds a bad parcel"))
}

/// W1: the replay window follows from the blocks.
fn window(store: &Store, state: &State) -> Result<Window> {
    let mut window = Window::new(state.parameters().replay_window_ms);
    let (tip, tip_ms) = (state.height(), state.timestamp_ms());
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
    if store.tip().map_or(Height::GENESIS, |(height, _)| height) != tip {
        bail!("the store's tip and its state are of different heights; keep the directory");
    }
    Ok(window)
}

fn missing(height: Height) -> eyre::Report {
    eyre!("block {height} is missing in the store although a later one is there")
}

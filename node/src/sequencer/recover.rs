//! What a node finds on its disk when it starts.

use std::path::Path;
use std::sync::Arc;

use cloverleaf_bundle::{Prepared, State, Window};
use cloverleaf_consensus::JournalEntry;
use cloverleaf_journal::{Disk as Folder, FileDisk, Outcome, Record, SegmentedJournal};
use cloverleaf_mempool::pool::Limits;
use cloverleaf_replica::{Recovered, Replica};
use cloverleaf_storage::{Store, StoreError};
use cloverleaf_types::{Height, NetworkId, Parcel, Recover, Secp256k1};
use eyre::{Context as _, Result};

use super::fatal::Fatal;
use super::index::StoreIndex;
use super::parcel_writer::SEGMENT_BYTES_MAX;
use crate::home::Home;

/// Longest segment of the vote journal, in bytes: thousands of heights, read at start in a moment.
const VOTES_SEGMENT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The node's disk, open, and the replica that goes on from it.
pub(super) struct Disk {
    pub(super) store: Store,
    pub(super) votes: SegmentedJournal,
    pub(super) lane_log: SegmentedJournal,
    pub(super) parcel_store: SegmentedJournal,
    pub(super) entries: Vec<JournalEntry>,
    pub(super) replica: Replica,
}

/// What follows a damaged file's name when the journal keeps it aside.
const KEPT_ASIDE: &str = ".damaged-";

/// A journal that this node must not go on with (D2): the process ends with its own exit code, now and
/// at every start, until somebody has looked.
#[derive(Debug, thiserror::Error)]
#[error(
    "journal file {file} is damaged: {detail}. This node must not sign before it is known what was \
     lost: restore the journal from this node's own disk, or retire the key; then remove the files \
     named `….damaged-…`"
)]
pub struct DamagedJournal {
    file: String,
    detail: String,
}

/// The store has lost blocks that this node announced: a height is voted on only when the one before
/// is durable (D1). What was said of them could be said otherwise a second time.
#[derive(Debug, thiserror::Error)]
#[error(
    "the store ends at block {tip}, but this node has voted at height {voted}: it was put back from an \
     older copy, or the disk lost what it had acknowledged. Put back what belongs together, or replace \
     the validator"
)]
pub(super) struct StoreBehind {
    tip: Height,
    voted: Height,
}

/// Opens everything and reads what is there.
pub(super) fn open(home: &Home, limits: Limits, fatal: Fatal) -> Result<Disk> {
    let network = home.genesis.network();
    let store = Store::open(&home.store_dir(), network)?;
    let disk = FileDisk::open(home.journal_dir())
        .wrap_err_with(|| format!("opening {}", home.journal_dir().display()))?;
    let (votes, vote_records) = journal(&disk, "votes", VOTES_SEGMENT_BYTES_MAX)?;
    let (lane_log, logged) = journal(&disk, "lane", SEGMENT_BYTES_MAX)?;
    let (parcel_store, stored) = journal(&disk, "parcels", SEGMENT_BYTES_MAX)?;
    let state = match store.checked_state()? {
        Some(state) => state,
        None => State::genesis(&home.genesis)?,
    };
    let window = window(&store, &state, &home.store_dir())?;
    let recovered = Recovered {
        signer: Arc::new(home.keys.signer()),
        recover: Arc::new(Secp256k1),
        state,
        window,
        logged: parcels(logged, network, "lane")?,
        stored: parcels(stored, network, "parcels")?,
    };
    let entries: Vec<_> = vote_records.into_iter().map(entry).collect::<Result<_>>()?;
    check_announced(recovered.state.height(), &entries)?;
    let index = StoreIndex {
        store: store.clone(),
        fatal,
    };
    Ok(Disk {
        store,
        votes,
        lane_log,
        parcel_store,
        entries,
        replica: Replica::new(recovered, limits, Box::new(index))?,
    })
}

fn journal<D: Folder + Clone>(
    disk: &D,
    name: &str,
    segment_bytes_max: u64,
) -> Result<(SegmentedJournal<D>, Vec<Record>)> {
    // Opening puts a damaged file aside, after which the journal looks whole: a supervisor that
    // starts the node again must not get it to sign.
    let is_aside = |file: &String| file.starts_with(name) && file.contains(KEPT_ASIDE);
    let files = disk.list().wrap_err("listing the journals")?;
    if let Some(file) = files.into_iter().find(is_aside) {
        let detail = "it was kept aside at an earlier start".to_owned();
        return Err(DamagedJournal { file, detail }.into());
    }
    let opened = SegmentedJournal::open(disk.clone(), name, segment_bytes_max)?;
    for found in opened.outcomes {
        match found.outcome {
            Outcome::Clean => {}
            Outcome::TornTail { .. } => {
                tracing::info!(file = found.file, "an unsynced tail was cut off");
            }
            Outcome::Damaged {
                offset,
                reason,
                kept_as,
            } => {
                let detail = format!("{reason}, at byte {offset}; it was kept aside as {kept_as}");
                let file = found.file;
                return Err(DamagedJournal { file, detail }.into());
            }
        }
    }
    Ok((opened.journal, opened.records))
}

/// What was announced is not behind the store.
fn check_announced(tip: Height, entries: &[JournalEntry]) -> Result<()> {
    let voted = entries.iter().map(JournalEntry::height).max();
    match voted.filter(|voted| *voted > tip.next()) {
        Some(voted) => Err(StoreBehind { tip, voted }.into()),
        None => Ok(()),
    }
}

fn entry(record: Record) -> Result<JournalEntry> {
    JournalEntry::decode(&record.payload.into()).map_err(|error| foreign("votes", &error))
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

/// The checksums are right, so the disk is well: the file is not this node's, or a later version's.
fn foreign(name: &str, error: &dyn std::error::Error) -> eyre::Report {
    let detail = format!("a record was not written by this version of this node: {error}");
    let file = name.to_owned();
    DamagedJournal { file, detail }.into()
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

#[cfg(test)]
mod tests {
    use cloverleaf_journal::File as _;
    use cloverleaf_journal::memory::MemoryDisk;

    use super::*;

    #[test]
    fn store_that_ends_before_what_was_voted_on_is_refused() {
        let timeout = |height| JournalEntry::Timeout {
            height: Height(height),
            round: cloverleaf_types::Round::FIRST,
            step: cloverleaf_consensus::Step::Propose,
        };
        let entries = [timeout(7), timeout(8)];
        assert!(check_announced(Height(7), &entries).is_ok());
        assert!(check_announced(Height(8), &entries).is_ok());
        assert!(check_announced(Height::GENESIS, &[]).is_ok());
        let refused = check_announced(Height(6), &entries).unwrap_err();
        assert!(refused.is::<StoreBehind>(), "{refused}");
    }

    #[test]
    fn journal_that_was_found_damaged_is_refused_at_every_start() {
        let disk = MemoryDisk::new();
        let (mut votes, _) = journal(&disk, "votes", 1_000).unwrap();
        votes.append(7, b"prevote").unwrap();
        votes.sync().unwrap();
        let mut file = disk.open("votes-0000000001").unwrap();
        file.append(b"no record").unwrap();
        file.sync().unwrap();
        for start in 0..3 {
            let refused = journal(&disk, "votes", 1_000).map(|_| ()).unwrap_err();
            assert!(refused.is::<DamagedJournal>(), "start {start}: {refused}");
        }
        // The other journals are their own.
        assert!(journal(&disk, "lane", 1_000).is_ok());
    }
}

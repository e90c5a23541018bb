//! The journals of one machine: the node's own, over a disk that can lose power.

use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_bundle::Prepared;
use cloverleaf_consensus::JournalEntry;
use cloverleaf_journal::{Disk as _, JournalError, Outcome, Record, SegmentedJournal};
use cloverleaf_replica::{JournalRecord, KeptParcel, signing_record};
use cloverleaf_types::{Address, Height, NetworkId, Parcel, Recover, Verified};

use super::disk::PoweredDisk;

/// Small segments, in bytes, so that files are finished and removed within a short run.
const SEGMENT_BYTES_MAX: u64 = 16 * 1024;

/// The open journals of a running machine.
pub(crate) struct Files {
    pub(crate) votes: SegmentedJournal<PoweredDisk>,
    pub(crate) lane: ParcelLog,
    pub(crate) parcels: ParcelLog,
}

/// What the journals held when they were opened.
pub(crate) struct Found {
    pub(crate) votes: Vec<JournalEntry>,
    pub(crate) logged: Vec<Arc<Prepared>>,
    pub(crate) stored: Vec<Arc<Prepared>>,
    /// Anything that power loss cannot explain.
    pub(crate) damage: Vec<String>,
    /// Journals with a tail that was never synced.
    pub(crate) torn_tails: u64,
}

/// A journal of parcels with group commit: what comes during a sync waits for the next one.
pub(crate) struct ParcelLog {
    journal: SegmentedJournal<PoweredDisk>,
    waiting: Vec<KeptParcel>,
    writing: Vec<Arc<Verified<Parcel>>>,
}

impl Files {
    /// Writes what belongs to a newly made key (D4).
    pub(crate) fn begin(disk: &PoweredDisk, key: Address) {
        let record = signing_record(key, Some(Height::GENESIS));
        let opened = SegmentedJournal::open(disk.clone(), "votes", SEGMENT_BYTES_MAX);
        let mut votes = opened.expect("a disk in memory opens").journal;
        append_synced(&mut votes, &record);
        let opened = SegmentedJournal::open(disk.clone(), "lane", SEGMENT_BYTES_MAX);
        opened.map(drop).expect("a disk in memory opens");
    }

    /// Opens what a disk holds.
    pub(crate) fn open(
        disk: &PoweredDisk,
        key: Address,
        network: NetworkId,
        recover: &dyn Recover,
    ) -> (Self, Found) {
        let files = disk.list().expect("a disk in memory lists");
        let mut damage = Vec::new();
        let mut torn_tails = 0;
        let mut open = |name: &str| {
            let opened = SegmentedJournal::open(disk.clone(), name, SEGMENT_BYTES_MAX)
                .expect("a disk in memory opens");
            for found in opened.outcomes {
                match found.outcome {
                    Outcome::Clean => {}
                    Outcome::TornTail { .. } => torn_tails += 1,
                    Outcome::Damaged { reason, .. } => {
                        damage.push(format!("{}: {reason:?}", found.file));
                    }
                }
            }
            (opened.journal, opened.records)
        };
        let (mut votes, mut vote_records) = open("votes");
        if !files.iter().any(|file| file.starts_with("lane-")) {
            let record = signing_record(key, None); // D4
            append_synced(&mut votes, &record);
            vote_records.push(Record {
                height: record.height.0,
                payload: record.bytes.to_vec(),
            });
        }
        let (lane, lane_records) = open("lane");
        let (parcels, parcel_records) = open("parcels");
        let parcel = |record: Record| {
            let parcel = Parcel::decode(Bytes::from(record.payload)).expect("as it was written");
            let parcel = parcel.verify(network, recover);
            Arc::new(Prepared::new(Arc::new(parcel.expect("as it was written"))))
        };
        let entry = |record: Record| {
            JournalEntry::decode(&Bytes::from(record.payload)).expect("as it was written")
        };
        let found = Found {
            votes: vote_records.into_iter().map(entry).collect(),
            logged: lane_records.into_iter().map(parcel).collect(),
            stored: parcel_records.into_iter().map(parcel).collect(),
            damage,
            torn_tails,
        };
        let files = Self {
            votes,
            lane: ParcelLog::new(lane),
            parcels: ParcelLog::new(parcels),
        };
        (files, found)
    }

    /// Puts records behind the vote journal's end; durable after its sync.
    pub(crate) fn append_votes(&mut self, records: &[JournalRecord]) {
        for record in records {
            let appended = self.votes.append(record.height.0, &record.bytes);
            appended.expect("a disk in memory has room");
        }
    }

    /// The length of all journals together, in bytes.
    pub(crate) fn len_bytes(&self) -> u64 {
        self.votes.len_bytes() + self.lane.journal.len_bytes() + self.parcels.journal.len_bytes()
    }

    /// What a sync that the power interrupts gets done: a part is written, nothing is durable.
    pub(crate) fn interrupt(&mut self) {
        let _: Result<(), JournalError> = self.votes.sync();
        let _: Result<(), JournalError> = self.lane.journal.sync();
        let _: Result<(), JournalError> = self.parcels.journal.sync();
    }
}

fn append_synced(votes: &mut SegmentedJournal<PoweredDisk>, record: &JournalRecord) {
    let written = votes.append(record.height.0, &record.bytes);
    written
        .and_then(|()| votes.sync())
        .expect("a disk in memory has room");
}

impl ParcelLog {
    fn new(journal: SegmentedJournal<PoweredDisk>) -> Self {
        Self {
            journal,
            waiting: Vec::new(),
            writing: Vec::new(),
        }
    }

    /// Takes a parcel; true when a sync begins by it.
    pub(crate) fn add(&mut self, kept: KeptParcel) -> bool {
        self.waiting.push(kept);
        self.begin()
    }

    /// Ends a sync: what is durable by it, and whether the next one begins.
    pub(crate) fn finish(&mut self) -> (Vec<Arc<Verified<Parcel>>>, bool) {
        self.journal.sync().expect("the power is there");
        let durable = std::mem::take(&mut self.writing);
        let again = self.begin();
        (durable, again)
    }

    /// Forgets parcels that were kept below a height.
    pub(crate) fn remove_below(&mut self, height: Height) {
        let removed = self.journal.remove_below(height.0);
        removed.expect("a disk in memory removes");
    }

    fn begin(&mut self) -> bool {
        if !self.writing.is_empty() || self.waiting.is_empty() {
            return false;
        }
        for kept in std::mem::take(&mut self.waiting) {
            let appended = self
                .journal
                .append(kept.height.0, kept.parcel.encoded().as_ref());
            appended.expect("a disk in memory has room");
            self.writing.push(kept.parcel);
        }
        true
    }
}

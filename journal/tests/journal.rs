//! What a journal does, told on a disk in memory and on one that fails.

use std::{cell::Cell, io, rc::Rc};

use cloverleaf_journal::{
    BUFFER_BYTES_MAX, DamageReason, Disk, File, Journal, JournalError, Outcome, PAYLOAD_BYTES_MAX,
    Record, SegmentedJournal,
    memory::{MemoryDisk, MemoryFile},
};

fn record(height: u64, payload: &[u8]) -> Record {
    Record {
        height,
        payload: payload.to_vec(),
    }
}

fn open(disk: &MemoryDisk) -> Journal<MemoryDisk> {
    Journal::open(disk.clone(), "votes")
        .expect("memory")
        .journal
}

fn read(disk: &MemoryDisk) -> Vec<Record> {
    Journal::open(disk.clone(), "votes")
        .expect("memory")
        .records
}

#[test]
fn a_missing_journal_opens_empty_and_clean() {
    let opened = Journal::open(MemoryDisk::new(), "votes").expect("memory");
    assert_eq!(
        (opened.records, opened.outcome),
        (Vec::new(), Outcome::Clean)
    );
    assert_eq!(opened.journal.len_bytes(), 0);
}

#[test]
fn many_records_are_made_durable_by_one_sync() {
    let disk = MemoryDisk::new();
    let mut journal = open(&disk);
    let before = disk.syncs("votes");
    for height in 0..100 {
        journal.append(height, b"vote").expect("short");
    }
    assert_eq!(
        disk.contents("votes"),
        Some(Vec::new()),
        "nothing is written before the sync"
    );
    journal.sync().expect("memory");
    journal.sync().expect("memory");
    assert_eq!(disk.syncs("votes"), before + 1);
    assert_eq!(disk.unsynced_bytes(), 0);
    assert_eq!(read(&disk).len(), 100);
}

#[test]
fn what_was_not_synced_may_be_lost_in_a_crash() {
    let mut disk = MemoryDisk::new();
    let mut journal = open(&disk);
    journal.append(1, b"lost").expect("short");
    disk.crash(0);
    journal
        .sync()
        .expect("a handle from before the crash writes to nowhere");
    assert_eq!(read(&disk), []);
}

#[test]
fn records_beyond_the_buffer_are_written_early_and_synced_later() {
    let disk = MemoryDisk::new();
    let mut journal = open(&disk);
    let half = vec![7; BUFFER_BYTES_MAX / 2];
    journal.append(1, &half).expect("in bounds");
    journal.append(2, &half).expect("in bounds");
    assert!(disk.unsynced_bytes() > BUFFER_BYTES_MAX);
    let length = journal.len_bytes();
    journal.sync().expect("memory");
    assert_eq!(disk.unsynced_bytes(), 0);
    assert_eq!(journal.len_bytes(), length);
    assert_eq!(read(&disk).len(), 2);
}

#[test]
fn a_payload_over_the_limit_is_refused_and_the_journal_stays_usable() {
    let disk = MemoryDisk::new();
    let mut journal = open(&disk);
    let long = vec![1; PAYLOAD_BYTES_MAX + 1];
    let refused = journal.append(1, &long);
    assert!(matches!(refused, Err(JournalError::PayloadTooLong { .. })));
    let refused = journal.rewrite(&[record(1, &long)]);
    assert!(matches!(refused, Err(JournalError::PayloadTooLong { .. })));
    journal
        .append(1, &long[1..])
        .expect("just within the limit");
    journal.sync().expect("memory");
    assert_eq!(read(&disk)[0].payload.len(), PAYLOAD_BYTES_MAX);
}

#[test]
fn a_rewrite_replaces_what_was_there_and_keeps_what_was_only_appended() {
    let disk = MemoryDisk::new();
    let mut journal = open(&disk);
    journal.append(1, b"old").expect("short");
    journal.sync().expect("memory");
    journal.append(3, b"appended").expect("short");
    journal
        .rewrite(&[record(2, b"carried over")])
        .expect("memory");
    assert_eq!(disk.unsynced_bytes(), 0);
    journal.append(4, b"later").expect("short");
    journal.sync().expect("memory");
    let expected = [
        record(2, b"carried over"),
        record(3, b"appended"),
        record(4, b"later"),
    ];
    assert_eq!(read(&disk), expected);
    let length = u64::try_from(disk.contents("votes").expect("written").len()).expect("small");
    assert_eq!(journal.len_bytes(), length);
}

#[test]
fn a_replacement_that_was_not_finished_is_forgotten() {
    let mut disk = MemoryDisk::new();
    let mut journal = open(&disk);
    journal.append(1, b"true").expect("short");
    journal.sync().expect("memory");
    disk.set_contents("votes.new", b"half a replacement".to_vec());
    assert_eq!(read(&disk), [record(1, b"true")]);
    assert_eq!(disk.contents("votes.new"), None);
}

#[test]
fn what_is_read_at_open_is_synced_before_it_is_trusted() {
    let mut disk = MemoryDisk::new();
    let mut journal = open(&disk);
    journal.append(1, b"vote").expect("short");
    journal.sync().expect("memory");
    let bytes = disk.contents("votes").expect("written");
    // kill -9 between the write and the sync: another process reads what is not yet durable.
    disk.open("votes")
        .and_then(|mut file| file.append(&bytes))
        .expect("memory");
    assert_eq!(read(&disk).len(), 2);
    disk.crash(3);
    assert_eq!(read(&disk).len(), 2);
}

#[test]
fn each_damaged_file_is_kept_under_a_name_of_its_own() {
    let mut disk = MemoryDisk::new();
    for (kept, content) in [("votes.damaged-1", b"first"), ("votes.damaged-2", b"other")] {
        disk.set_contents("votes", content.to_vec());
        let outcome = Journal::open(disk.clone(), "votes")
            .expect("memory")
            .outcome;
        let kept_as = kept.to_owned();
        assert_eq!(
            outcome,
            Outcome::Damaged {
                offset: 0,
                reason: DamageReason::Magic,
                kept_as
            }
        );
        assert_eq!(disk.contents(kept).as_deref(), Some(content.as_slice()));
    }
}

/// A disk whose syncs fail once the switch is on.
#[derive(Clone, Default)]
struct FailingDisk {
    memory: MemoryDisk,
    fails: Rc<Cell<bool>>,
}

struct FailingFile {
    memory: MemoryFile,
    fails: Rc<Cell<bool>>,
}

impl Disk for FailingDisk {
    type File = FailingFile;

    fn open(&self, name: &str) -> io::Result<FailingFile> {
        Ok(FailingFile {
            memory: self.memory.open(name)?,
            fails: self.fails.clone(),
        })
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.memory.list()
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.memory.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.memory.remove(name)
    }
}

impl File for FailingFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.memory.append(bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        if self.fails.get() {
            Err(io::Error::other("no space left"))
        } else {
            self.memory.sync()
        }
    }
    fn read(&mut self) -> io::Result<Vec<u8>> {
        self.memory.read()
    }
    fn truncate(&mut self, len_bytes: u64) -> io::Result<()> {
        self.memory.truncate(len_bytes)
    }
}

// Malachite before 0.8: a failed append was logged as a warning, and the vote went out.
#[test]
fn after_a_failed_sync_the_journal_refuses_everything() {
    let disk = FailingDisk::default();
    let mut journal = Journal::open(disk.clone(), "votes")
        .expect("works yet")
        .journal;
    journal.append(1, b"vote").expect("short");
    disk.fails.set(true);
    let error = journal.sync().expect_err("the disk is full");
    assert!(
        error
            .to_string()
            .contains("journal `votes`: could not sync the file"),
        "{error}"
    );
    disk.fails.set(false);
    assert!(matches!(journal.sync(), Err(JournalError::Broken { .. })));
    assert!(matches!(
        journal.append(1, b"vote"),
        Err(JournalError::Broken { .. })
    ));
    assert!(matches!(
        journal.rewrite(&[]),
        Err(JournalError::Broken { .. })
    ));
}

#[test]
fn a_rewrite_that_fails_leaves_the_old_content() {
    let disk = FailingDisk::default();
    let mut journal = Journal::open(disk.clone(), "votes")
        .expect("works yet")
        .journal;
    journal.append(1, b"old").expect("short");
    journal.sync().expect("works yet");
    disk.fails.set(true);
    journal
        .rewrite(&[record(2, b"new")])
        .expect_err("the disk is full");
    assert_eq!(read(&disk.memory), [record(1, b"old")]);
}

#[test]
fn a_segment_that_cannot_be_begun_ends_the_use_of_the_others() {
    let disk = FailingDisk::default();
    let mut journal = SegmentedJournal::open(disk.clone(), "parcels", 30)
        .expect("works yet")
        .journal;
    journal.append(1, b"abc").expect("short");
    journal.sync().expect("works yet");
    disk.fails.set(true);
    journal.append(2, b"abc").expect_err("the disk is full");
    disk.fails.set(false);
    assert!(matches!(
        journal.append(2, b"abc"),
        Err(JournalError::Broken { .. })
    ));
    assert!(matches!(journal.sync(), Err(JournalError::Broken { .. })));
}

/// A journal with one record of 3 bytes per height from 1 to 6, two in a file.
fn segments(disk: &MemoryDisk) -> SegmentedJournal<MemoryDisk> {
    let mut journal = SegmentedJournal::open(disk.clone(), "parcels", 60)
        .expect("memory")
        .journal;
    for height in 1..=6 {
        journal.append(height, b"abc").expect("short");
    }
    journal.sync().expect("memory");
    journal
}

#[test]
fn a_segment_that_is_full_is_finished_and_the_next_begun() {
    let disk = MemoryDisk::new();
    segments(&disk);
    let names = [
        "parcels-0000000001",
        "parcels-0000000002",
        "parcels-0000000003",
    ];
    assert_eq!(disk.list().expect("memory"), names);
}

#[test]
fn only_whole_segments_below_the_height_are_removed() {
    let disk = MemoryDisk::new();
    let mut journal = segments(&disk);
    assert_eq!(
        journal.remove_below(2).expect("memory"),
        0,
        "its file also holds height 2"
    );
    assert_eq!(journal.remove_below(3).expect("memory"), 1);
    assert_eq!(
        journal.remove_below(100).expect("memory"),
        1,
        "the active file stays"
    );
    let opened = SegmentedJournal::open(disk, "parcels", 60).expect("memory");
    assert_eq!(opened.records, [record(5, b"abc"), record(6, b"abc")]);
    assert_eq!(opened.journal.len_bytes(), journal.len_bytes());
}

#[test]
fn segments_found_at_open_are_removed_by_height_too() {
    let disk = MemoryDisk::new();
    drop(segments(&disk));
    let mut journal = SegmentedJournal::open(disk.clone(), "parcels", 60)
        .expect("memory")
        .journal;
    journal.append(7, b"abc").expect("short");
    assert_eq!(journal.remove_below(7).expect("memory"), 3);
    assert_eq!(disk.list().expect("memory"), ["parcels-0000000004"]);
}

#[test]
fn a_record_larger_than_a_segment_has_a_file_of_its_own() {
    let disk = MemoryDisk::new();
    let mut journal = SegmentedJournal::open(disk.clone(), "parcels", 60)
        .expect("memory")
        .journal;
    for height in 1..=2 {
        journal.append(height, &[7; 100]).expect("in bounds");
    }
    journal.sync().expect("memory");
    assert_eq!(
        disk.list().expect("memory"),
        ["parcels-0000000001", "parcels-0000000002"]
    );
    assert_eq!(
        SegmentedJournal::open(disk, "parcels", 60)
            .expect("memory")
            .records
            .len(),
        2
    );
}

#[test]
fn a_finished_segment_that_ends_early_is_damage_and_the_others_are_read() {
    let mut disk = MemoryDisk::new();
    drop(segments(&disk));
    let file = "parcels-0000000002";
    let mut bytes = disk.contents(file).expect("written");
    bytes.pop();
    disk.set_contents(file, bytes);
    let opened = SegmentedJournal::open(disk.clone(), "parcels", 60).expect("memory");
    let heights: Vec<u64> = opened.records.iter().map(|record| record.height).collect();
    assert_eq!(heights, [1, 2, 3, 5, 6]);
    assert_eq!(opened.outcomes.len(), 1);
    assert_eq!(opened.outcomes[0].file, file);
    let Outcome::Damaged {
        reason, kept_as, ..
    } = &opened.outcomes[0].outcome
    else {
        panic!("not damaged: {:?}", opened.outcomes);
    };
    assert_eq!(
        (*reason, kept_as.as_str()),
        (DamageReason::LostTail, "parcels-0000000002.damaged-1")
    );
    assert!(disk.contents(kept_as).is_some());
    let again = SegmentedJournal::open(disk, "parcels", 60).expect("memory");
    assert_eq!((again.records.len(), again.outcomes.len()), (4, 0));
}

#[test]
fn the_active_segment_may_have_a_torn_tail() {
    let mut disk = MemoryDisk::new();
    drop(segments(&disk));
    let file = "parcels-0000000003";
    let mut bytes = disk.contents(file).expect("written");
    bytes.pop();
    disk.set_contents(file, bytes);
    let opened = SegmentedJournal::open(disk, "parcels", 60).expect("memory");
    assert_eq!(opened.records.len(), 5);
    assert_eq!(
        opened.outcomes[0].outcome,
        Outcome::TornTail { cut_bytes: 27 }
    );
}

#[test]
fn files_of_other_journals_are_not_taken_for_segments() {
    let mut disk = MemoryDisk::new();
    for other in [
        "parcels",
        "parcels-1",
        "parcels-0000000001x",
        "parcels2-0000000009",
    ] {
        disk.set_contents(other, b"something else".to_vec());
    }
    let opened = SegmentedJournal::open(disk, "parcels", 60).expect("memory");
    assert_eq!((opened.records.len(), opened.outcomes.len()), (0, 0));
}

#[test]
fn the_same_seed_gives_the_same_crash_and_some_seeds_tear() {
    let crashed = |seed: u64| {
        let mut disk = MemoryDisk::new();
        disk.open("votes")
            .and_then(|mut file| file.append(&[9; 100]))
            .expect("memory");
        disk.crash(seed);
        disk.contents("votes").expect("the name is durable")
    };
    let results: Vec<Vec<u8>> = (0..64).map(crashed).collect();
    assert_eq!(results, (0..64).map(crashed).collect::<Vec<_>>());
    assert!(
        results
            .iter()
            .any(|bytes| bytes.len() < 100 && bytes.last() == Some(&9))
    );
    assert!(
        results.iter().any(|bytes| bytes.last() == Some(&0)),
        "some end in zeros"
    );
}

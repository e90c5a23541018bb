//! Journals over files of any bytes, and over any sequence of work, crashes and torn tails: opening
//! never fails, what reads back was written, and what was synced reads back (D2).
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use cloverleaf_journal::memory::MemoryDisk;
use cloverleaf_journal::{Disk as _, File as _, Journal, Outcome, Record, SegmentedJournal};
use libfuzzer_sys::fuzz_target;

const NAME: &str = "votes";

/// Small, so that a few records fill a segment, in bytes.
const SEGMENT_BYTES_MAX: u64 = 96;

/// Most steps of one run.
const STEPS_MAX: usize = 64;

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else {
        return;
    };
    match kind % 5 {
        0 => any_file(bytes),
        1 => any_segments(bytes),
        2 => any_work(bytes),
        3 => any_damage(bytes),
        _ => any_segmented_work(bytes),
    }
});

#[derive(Arbitrary, Debug)]
enum Step {
    Append {
        height: u64,
        payload: Vec<u8>,
    },
    Sync,
    /// Keeps only the later half.
    Rewrite,
    /// Power loss while so many bytes of what was not synced had been written.
    Crash {
        seed: u64,
        written_bytes: u16,
    },
    Reopen,
}

#[derive(Arbitrary, Debug)]
enum SegmentedStep {
    Append { height: u8, payload: Vec<u8> },
    Sync,
    RemoveBelow { height: u8 },
    Crash { seed: u64 },
}

fn steps<T: for<'a> Arbitrary<'a>>(bytes: &[u8]) -> Vec<T> {
    let mut bytes = Unstructured::new(bytes);
    let steps = bytes.arbitrary_iter().expect("never fails");
    steps.map_while(Result::ok).take(STEPS_MAX).collect()
}

fn encoded(records: &[Record]) -> Vec<u8> {
    let disk = MemoryDisk::new();
    let mut journal = open(&disk).0;
    for record in records {
        journal
            .append(record.height, &record.payload)
            .expect("short");
    }
    journal.sync().expect("memory");
    disk.contents(NAME).expect("it was opened")
}

/// Whether a file begins with these records, wherever it was synced between them: that is in the fourth
/// byte of a record, and in its head's checksum.
fn is_prefix(records: &[u8], file: &[u8]) -> bool {
    let (mut rest, mut file) = (records, file);
    while let Some(length) = rest.get(4..8) {
        let length = u32::from_be_bytes(length.try_into().expect("four bytes"));
        let record = 25 + length as usize;
        let Some(found) = file.get(..record) else {
            return false;
        };
        let same = |range: std::ops::Range<usize>| rest[range.clone()] == found[range];
        if !same(0..3) || !same(4..20) || !same(24..record) {
            return false;
        }
        (rest, file) = (&rest[record..], &file[record..]);
    }
    rest.is_empty()
}

fn open(disk: &MemoryDisk) -> (Journal<MemoryDisk>, Vec<Record>, Outcome) {
    let opened = Journal::open(disk.clone(), NAME).expect("memory");
    (opened.journal, opened.records, opened.outcome)
}

fn any_file(bytes: &[u8]) {
    let mut disk = MemoryDisk::new();
    disk.set_contents(NAME, bytes.to_vec());
    let (mut journal, records, outcome) = open(&disk);
    let readable = encoded(&records);
    assert!(is_prefix(&readable, bytes), "what reads back was written");
    let kept = match &outcome {
        Outcome::Clean => {
            assert_eq!(readable.len(), bytes.len());
            records
        }
        Outcome::TornTail { cut_bytes } => {
            assert_eq!(*cut_bytes, (bytes.len() - readable.len()) as u64);
            assert!(*cut_bytes > 0);
            records
        }
        Outcome::Damaged {
            offset, kept_as, ..
        } => {
            assert_eq!(*offset, readable.len() as u64);
            assert_eq!(disk.contents(kept_as).as_deref(), Some(bytes));
            Vec::new()
        }
    };
    let new = Record {
        height: 7,
        payload: b"new".to_vec(),
    };
    journal.append(new.height, &new.payload).expect("short");
    journal.sync().expect("memory");
    let (_, found, outcome) = open(&disk);
    assert_eq!(found, [kept, vec![new]].concat());
    assert_eq!(outcome, Outcome::Clean);
}

/// Records with one changed byte: a checksum covers every place, so the record is not read, and no
/// other in its place (D2). Behind it the file may end anywhere.
fn any_damage(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let (Ok(place), Ok(change), Ok(cut)) =
        (input.arbitrary(), input.arbitrary(), input.arbitrary())
    else {
        return;
    };
    let (place, change, cut): (u16, u8, u16) = (place, change, cut);
    let records: Vec<Record> = steps::<(u64, Vec<u8>)>(input.take_rest())
        .into_iter()
        .map(|(height, payload)| Record { height, payload })
        .collect();
    let whole = encoded(&records);
    if records.is_empty() || change == 0 {
        return;
    }
    let place = usize::from(place) % whole.len();
    let mut changed = whole.clone();
    changed[place] ^= change;
    changed.truncate(whole.len() - usize::from(cut) % (whole.len() - place));
    let mut disk = MemoryDisk::new();
    disk.set_contents(NAME, changed.clone());
    let (_, found, outcome) = open(&disk);
    assert!(records.starts_with(&found), "another record was read");
    assert!(encoded(&found).len() <= place, "a changed record was read");
    assert_ne!(outcome, Outcome::Clean);
    any_file(&changed);
}

/// The first byte says where the file is divided into segments.
fn any_segments(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let mut disk = MemoryDisk::new();
    for (number, part) in bytes.chunks(usize::from(*cut).max(16)).enumerate() {
        disk.set_contents(&format!("{NAME}-{:010}", number + 1), part.to_vec());
    }
    let open = || SegmentedJournal::open(disk.clone(), NAME, SEGMENT_BYTES_MAX).expect("memory");
    let mut journal = open().journal;
    journal.append(7, b"new").expect("short");
    journal.sync().expect("memory");
    let opened = open();
    assert_eq!(opened.outcomes, [], "what was damaged is kept aside once");
    assert_eq!(
        opened.records.last().map(|it| &it.payload[..]),
        Some(&b"new"[..])
    );
    assert_eq!(opened.journal.len_bytes(), journal.len_bytes());
}

fn any_work(bytes: &[u8]) {
    let mut disk = MemoryDisk::new();
    let mut journal = open(&disk).0;
    let (mut synced, mut pending) = (Vec::<Record>::new(), Vec::<Record>::new());
    for step in steps::<Step>(bytes) {
        match step {
            Step::Append { height, payload } => {
                journal.append(height, &payload).expect("short");
                pending.push(Record { height, payload });
            }
            Step::Sync => {
                journal.sync().expect("memory");
                synced.append(&mut pending);
            }
            Step::Rewrite => {
                synced.drain(..synced.len() / 2);
                journal.rewrite(&synced).expect("memory");
                synced.append(&mut pending);
            }
            Step::Crash {
                seed,
                written_bytes,
            } => {
                let bytes = encoded(&pending);
                let written = bytes.len().min(usize::from(written_bytes));
                let mut file = disk.open(NAME).expect("memory");
                file.append(&bytes[..written]).expect("memory");
                disk.crash(seed);
                let (again, found, outcome) = open(&disk);
                assert!(found.starts_with(&synced), "synced and lost");
                assert!(
                    [synced, pending].concat().starts_with(&found),
                    "never written"
                );
                assert!(!matches!(outcome, Outcome::Damaged { .. }), "{outcome:?}");
                (journal, synced, pending) = (again, found, Vec::new());
            }
            Step::Reopen => {
                let (again, found, outcome) = open(&disk);
                assert_eq!((found, outcome), (synced.clone(), Outcome::Clean));
                (journal, pending) = (again, Vec::new());
            }
        }
    }
}

fn any_segmented_work(bytes: &[u8]) {
    let mut disk = MemoryDisk::new();
    let open = |disk: &MemoryDisk| {
        SegmentedJournal::open(disk.clone(), NAME, SEGMENT_BYTES_MAX).expect("memory")
    };
    let mut journal = open(&disk).journal;
    let (mut appended, mut synced) = (Vec::<Record>::new(), 0);
    let mut removed_below = 0;
    for step in steps::<SegmentedStep>(bytes) {
        match step {
            SegmentedStep::Append { height, payload } => {
                let height = u64::from(height).max(removed_below);
                journal.append(height, &payload).expect("short");
                appended.push(Record { height, payload });
            }
            SegmentedStep::Sync => {
                journal.sync().expect("memory");
                synced = appended.len();
            }
            SegmentedStep::RemoveBelow { height } => {
                removed_below = removed_below.max(u64::from(height));
                journal.remove_below(u64::from(height)).expect("memory");
            }
            SegmentedStep::Crash { seed } => {
                disk.crash(seed);
                let opened = open(&disk);
                check_segments(&appended, synced, removed_below, &opened.records);
                (journal, appended) = (opened.journal, opened.records);
                synced = appended.len();
            }
        }
    }
}

/// All that was synced and not below the removed heights is there, in order, and nothing else.
fn check_segments(appended: &[Record], synced: usize, removed_below: u64, found: &[Record]) {
    let mut rest = found.iter().peekable();
    for (index, record) in appended.iter().enumerate() {
        let is_here = rest.next_if_eq(&record).is_some();
        let may_be_gone = index >= synced || record.height < removed_below;
        assert!(is_here || may_be_gone, "record {index} is lost");
    }
    assert_eq!(rest.next(), None, "never written, or out of order");
}

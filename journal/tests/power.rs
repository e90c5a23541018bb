//! Power that fails during any call of the disk: what the call would have done, to names too, is there
//! or not.

use std::{cell::Cell, io, rc::Rc};

use cloverleaf_journal::{
    Disk, File, Journal, JournalError, Outcome, Record, SegmentedJournal,
    memory::{MemoryDisk, MemoryFile},
};
use proptest::{collection::vec, prelude::*};

const NAME: &str = "votes";

/// So few bytes that most records begin a segment, and that a record covers several sectors.
const SEGMENT_BYTES_MAX: u64 = 2_000;

/// A disk whose power fails during a call.
#[derive(Clone)]
struct CutDisk {
    memory: MemoryDisk,
    power: Power,
}

struct CutFile {
    memory: MemoryFile,
    power: Power,
}

#[derive(Clone)]
struct Power {
    /// Calls until it fails.
    calls_left: Rc<Cell<u32>>,
    /// Whether the call during which it fails is done all the same.
    is_done: bool,
}

impl Power {
    fn call<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let gone = || io::Error::other("the power is gone");
        let left = self.calls_left.get();
        self.calls_left.set(left.saturating_sub(1));
        match left {
            0 => Err(gone()),
            1 if self.is_done => call().and(Err(gone())),
            1 => Err(gone()),
            _ => call(),
        }
    }
}

impl CutDisk {
    /// A disk whose power fails somewhere in this work, which is done first on one whose power lasts.
    fn cut_during(
        work: impl Fn(&Self) -> Result<(), JournalError>,
        cut: u32,
        is_done: bool,
    ) -> Self {
        let whole = Self::new(u32::MAX, true);
        work(&whole).expect("its power lasts");
        let calls = u32::MAX - whole.power.calls_left.get();
        Self::new(1 + cut % calls, is_done)
    }

    fn new(calls: u32, is_done: bool) -> Self {
        let calls_left = Rc::new(Cell::new(calls));
        let power = Power {
            calls_left,
            is_done,
        };
        Self {
            memory: MemoryDisk::new(),
            power,
        }
    }
}

impl Disk for CutDisk {
    type File = CutFile;

    fn open(&self, name: &str) -> io::Result<CutFile> {
        let memory = self.power.call(|| self.memory.open(name))?;
        let power = self.power.clone();
        Ok(CutFile { memory, power })
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.power.call(|| self.memory.list())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.power.call(|| self.memory.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.power.call(|| self.memory.remove(name))
    }
}

impl File for CutFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.power.call(|| self.memory.append(bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.power.call(|| self.memory.sync())
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        self.power.call(|| self.memory.read())
    }

    fn truncate(&mut self, len_bytes: u64) -> io::Result<()> {
        self.power.call(|| self.memory.truncate(len_bytes))
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u8>),
    Sync,
    /// Of a row of segments: those below the height after so many records.
    RemoveBelow(u64),
    /// Of one file: keeps the later half.
    Rewrite,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let byte = prop_oneof![1 => Just(0_u8), 3 => any::<u8>()];
    let step = prop_oneof![
        4 => vec(byte, 0..1_500).prop_map(Step::Append),
        3 => Just(Step::Sync),
        1 => (0..20_u64).prop_map(Step::RemoveBelow),
        1 => Just(Step::Rewrite),
    ];
    vec(step, 1..24)
}

fn record(height: usize, payload: Vec<u8>) -> Record {
    let height = u64::try_from(height).expect("a few");
    Record { height, payload }
}

/// What is known of a row of segments. The height of a record is its place.
#[derive(Default)]
struct Row {
    appended: Vec<Record>,
    synced: usize,
    removed_below: u64,
}

impl Row {
    fn work(&mut self, disk: &CutDisk, steps: Vec<Step>) -> Result<(), JournalError> {
        let mut journal = SegmentedJournal::open(disk.clone(), NAME, SEGMENT_BYTES_MAX)?.journal;
        for step in steps {
            match step {
                Step::Append(payload) => {
                    let record = record(self.appended.len(), payload);
                    self.appended.push(record.clone());
                    journal.append(record.height, &record.payload)?;
                }
                Step::Sync | Step::Rewrite => {
                    journal.sync()?;
                    self.synced = self.appended.len();
                }
                Step::RemoveBelow(height) => {
                    self.removed_below = self.removed_below.max(height);
                    journal.remove_below(height)?;
                }
            }
        }
        Ok(())
    }

    fn check(&self, found: &[Record]) -> Result<(), TestCaseError> {
        let mut rest = found.iter().peekable();
        for (index, record) in self.appended.iter().enumerate() {
            let is_here = rest.next_if_eq(&record).is_some();
            let may_be_gone = index >= self.synced || record.height < self.removed_below;
            prop_assert!(is_here || may_be_gone, "record {index} is lost");
        }
        prop_assert_eq!(rest.next(), None, "never written, or out of order");
        Ok(())
    }
}

/// What is known of one file: what is synced, and what it may hold besides or instead.
#[derive(Default)]
struct One {
    synced: Vec<Record>,
    pending: Vec<Record>,
    replacement: Option<Vec<Record>>,
}

impl One {
    fn work(&mut self, disk: &CutDisk, steps: Vec<Step>) -> Result<(), JournalError> {
        let mut journal = Journal::open(disk.clone(), NAME)?.journal;
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Append(payload) => {
                    let record = record(number, payload);
                    self.pending.push(record.clone());
                    journal.append(record.height, &record.payload)?;
                }
                Step::Sync | Step::RemoveBelow(_) => {
                    journal.sync()?;
                    self.synced.append(&mut self.pending);
                }
                Step::Rewrite => {
                    let kept = self.synced.split_off(self.synced.len() / 2);
                    let old = std::mem::take(&mut self.synced);
                    self.replacement = Some([kept.clone(), self.pending.clone()].concat());
                    self.synced = [old, kept.clone()].concat();
                    journal.rewrite(&kept)?;
                    self.synced = self.replacement.take().unwrap_or_default();
                    self.pending.clear();
                }
            }
        }
        Ok(())
    }
}

proptest! {
    // D2
    #[test]
    fn a_row_of_segments_survives_power_loss_during_any_call_of_the_disk(
        steps in steps(),
        cut in any::<u32>(),
        is_done in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let work = |disk: &CutDisk| Row::default().work(disk, steps.clone());
        let mut disk = CutDisk::cut_during(work, cut, is_done);
        let mut row = Row::default();
        row.work(&disk, steps).expect_err("its power fails");
        disk.memory.crash(seed);
        let opened = SegmentedJournal::open(disk.memory.clone(), NAME, SEGMENT_BYTES_MAX);
        let opened = opened.expect("memory");
        let damaged = opened.outcomes.iter().find(|it| matches!(it.outcome, Outcome::Damaged { .. }));
        prop_assert_eq!(damaged, None);
        row.check(&opened.records)?;
    }

    // D2
    #[test]
    fn a_journal_survives_power_loss_during_any_call_of_the_disk_as_it_was_or_as_it_is_rewritten(
        steps in steps(),
        cut in any::<u32>(),
        is_done in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let work = |disk: &CutDisk| One::default().work(disk, steps.clone());
        let mut disk = CutDisk::cut_during(work, cut, is_done);
        let mut one = One::default();
        one.work(&disk, steps).expect_err("its power fails");
        disk.memory.crash(seed);
        let opened = Journal::open(disk.memory.clone(), NAME).expect("memory");
        let damaged = matches!(opened.outcome, Outcome::Damaged { .. });
        prop_assert!(!damaged, "{:?}", opened.outcome);
        let found = opened.records;
        let written = [one.synced.clone(), one.pending].concat();
        let is_old = found.starts_with(&one.synced) && written.starts_with(&found);
        prop_assert!(is_old || Some(found) == one.replacement);
    }
}

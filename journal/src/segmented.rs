//! A journal in several files, so that old records go by removing files instead of rewriting them.

use std::collections::BTreeMap;

use crate::{
    Disk, File, FileDisk, Journal, JournalError, Opened, Outcome, Record,
    journal::{as_u64, keep_aside},
    record::{self, DamageReason, End, Scan, encoded_len},
};

/// Digits of a segment's number in its name, so that names sort as numbers.
const NUMBER_DIGITS: usize = 10;

/// A row of files `<name>-<number>`: records go to the last one, whole files leave.
///
/// ```text
///  parcels-0000000004   parcels-0000000005   parcels-0000000006
///  finished, synced     finished, synced     active: append, sync
///  heights ≤ 31         heights ≤ 40         heights ≤ 44
///        ▲ remove_below(32) removes this file
/// ```
pub struct SegmentedJournal<D: Disk + Clone = FileDisk> {
    disk: D,
    name: String,
    segment_bytes_max: u64,
    /// By number: the files that are finished.
    finished: BTreeMap<u64, Segment>,
    active_number: u64,
    active: Journal<D>,
    /// The highest height in the active file, when it has a record.
    active_height_max: Option<u64>,
}

/// A finished file.
struct Segment {
    height_max: u64,
    len_bytes: u64,
}

/// A segmented journal as it was found.
pub struct OpenedSegments<D: Disk + Clone = FileDisk> {
    /// Ready for the next record.
    pub journal: SegmentedJournal<D>,
    /// The readable records of all files, in the order in which they were appended. Records that
    /// stood before damage are here but no longer in the journal: append again what must stay.
    pub records: Vec<Record>,
    /// The files that were not clean; empty when all is well.
    pub outcomes: Vec<SegmentOutcome>,
}

/// A file that was not found clean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentOutcome {
    /// The file's name.
    pub file: String,
    /// How it was found.
    pub outcome: Outcome,
}

impl<D: Disk + Clone> SegmentedJournal<D> {
    /// Opens all segments of `name`, or begins the first. A new file is begun when the last one
    /// would grow above `segment_bytes_max`; a single record above it has a file of its own.
    ///
    /// # Errors
    /// An error of the disk. Unreadable records are no error but an [`Outcome`].
    pub fn open(
        disk: D,
        name: &str,
        segment_bytes_max: u64,
    ) -> Result<OpenedSegments<D>, JournalError> {
        let files = disk
            .list()
            .map_err(JournalError::disk(name, "list the folder"))?;
        let mut numbers: Vec<u64> = files
            .iter()
            .filter_map(|file| segment_number(name, file))
            .collect();
        numbers.sort_unstable();
        let active_number = numbers.pop().unwrap_or(1);

        let mut records = Vec::new();
        let mut outcomes = Vec::new();
        let mut finished = BTreeMap::new();
        for number in numbers {
            let file = segment_name(name, number);
            match read_finished(&disk, &file, &mut records)? {
                Found::Segment(segment) => {
                    finished.insert(number, segment);
                }
                Found::Nothing => {}
                Found::Damaged(outcome) => outcomes.push(SegmentOutcome { file, outcome }),
            }
        }
        let file = segment_name(name, active_number);
        let Opened {
            journal: active,
            records: last,
            outcome,
        } = Journal::open(disk.clone(), &file)?;
        // After damage the active file is a new, empty one.
        let active_height_max = match outcome {
            Outcome::Damaged { .. } => None,
            Outcome::Clean | Outcome::TornTail { .. } => height_max(&last),
        };
        if outcome != Outcome::Clean {
            outcomes.push(SegmentOutcome { file, outcome });
        }
        records.extend(last);
        let name = name.to_owned();
        let journal = Self {
            disk,
            name,
            segment_bytes_max,
            finished,
            active_number,
            active,
            active_height_max,
        };
        Ok(OpenedSegments {
            journal,
            records,
            outcomes,
        })
    }

    /// Adds a record; durable after the next [`SegmentedJournal::sync`]. When it does not fit into
    /// the active file, that file is synced and finished first.
    ///
    /// # Errors
    /// As [`Journal::append`] and [`Journal::sync`].
    pub fn append(&mut self, height: u64, payload: &[u8]) -> Result<(), JournalError> {
        let len_after = self.active.len_bytes() + as_u64(encoded_len(payload.len()));
        if len_after > self.segment_bytes_max {
            self.finish_active()?;
        }
        self.active.append(height, payload)?;
        self.active_height_max = self.active_height_max.max(Some(height));
        Ok(())
    }

    /// Makes all appended records durable.
    ///
    /// # Errors
    /// As [`Journal::sync`].
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.active.sync()
    }

    /// Removes the finished files whose records are all below `height`, and says how many. Records
    /// below it may remain, in files that also hold later ones.
    ///
    /// # Errors
    /// An error of the disk.
    pub fn remove_below(&mut self, height: u64) -> Result<usize, JournalError> {
        let old: Vec<u64> = self
            .finished
            .iter()
            .filter(|(_, segment)| segment.height_max < height)
            .map(|(number, _)| *number)
            .collect();
        for number in &old {
            let file = segment_name(&self.name, *number);
            self.disk
                .remove(&file)
                .inspect_err(|_| self.active.break_for_good())
                .map_err(JournalError::disk(&file, "remove the file"))?;
            self.finished.remove(number);
        }
        Ok(old.len())
    }

    /// The length of all files together in bytes, what is not yet written included.
    pub fn len_bytes(&self) -> u64 {
        let finished: u64 = self
            .finished
            .values()
            .map(|segment| segment.len_bytes)
            .sum();
        finished + self.active.len_bytes()
    }

    /// Syncs the active file and begins the next; an empty file stays the active one.
    fn finish_active(&mut self) -> Result<(), JournalError> {
        let Some(height_max) = self.active_height_max else {
            return Ok(());
        };
        // Synced before the next file exists: a finished file has no torn tail, ever.
        self.active.sync()?;
        let len_bytes = self.active.len_bytes();
        let next = self.active_number + 1;
        let opened = Journal::open(self.disk.clone(), &segment_name(&self.name, next));
        self.active = opened
            .inspect_err(|_| self.active.break_for_good())?
            .journal;
        self.finished.insert(
            self.active_number,
            Segment {
                height_max,
                len_bytes,
            },
        );
        self.active_number = next;
        self.active_height_max = None;
        Ok(())
    }
}

/// What a finished file turned out to be.
enum Found {
    Segment(Segment),
    Nothing,
    Damaged(Outcome),
}

/// Reads a finished file into `records`. It was synced whole, so a torn tail is damage too.
fn read_finished<D: Disk>(
    disk: &D,
    name: &str,
    records: &mut Vec<Record>,
) -> Result<Found, JournalError> {
    let mut file = disk
        .open(name)
        .map_err(JournalError::disk(name, "open the file"))?;
    let bytes = file
        .read()
        .map_err(JournalError::disk(name, "read the file"))?;
    let Scan {
        records: found,
        valid_bytes,
        end,
    } = record::scan(&bytes);
    let height_max = height_max(&found);
    records.extend(found);
    let reason = match end {
        End::Clean => {
            let segment = |height_max| Segment {
                height_max,
                len_bytes: as_u64(bytes.len()),
            };
            return Ok(height_max.map_or(Found::Nothing, |max| Found::Segment(segment(max))));
        }
        End::Torn => DamageReason::LostTail,
        End::Damaged(reason) => reason,
    };
    let kept_as = keep_aside(disk, name)?;
    Ok(Found::Damaged(Outcome::Damaged {
        offset: as_u64(valid_bytes),
        reason,
        kept_as,
    }))
}

fn height_max(records: &[Record]) -> Option<u64> {
    records.iter().map(|record| record.height).max()
}

fn segment_name(name: &str, number: u64) -> String {
    format!("{name}-{number:0NUMBER_DIGITS$}")
}

/// The number of the segment that `file` is, when it is one of `name`.
fn segment_number(name: &str, file: &str) -> Option<u64> {
    let digits = file.strip_prefix(name)?.strip_prefix('-')?;
    let well_formed =
        digits.len() >= NUMBER_DIGITS && digits.bytes().all(|digit| digit.is_ascii_digit());
    if well_formed {
        digits.parse().ok()
    } else {
        None
    }
}

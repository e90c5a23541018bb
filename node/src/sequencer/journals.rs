//! A node's journals as a start finds them, and whether they show all that its key signed (D4).

use alloy_primitives::Keccak256;
use cloverleaf_consensus::JournalEntry;
use cloverleaf_journal::{Disk, Outcome, Record, SegmentedJournal, read_beginning};
use cloverleaf_replica::{JournalRecord, signing_record};
use cloverleaf_types::{Address, B256, Height};
use eyre::{Context as _, Result};

use super::parcel_writer::SEGMENT_BYTES_MAX;

/// Longest segment of the vote journal, in bytes: thousands of heights, read at start in a moment.
const VOTES_SEGMENT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What follows a damaged file's name when the journal keeps it aside.
const KEPT_ASIDE: &str = ".damaged-";

/// Guards of the key: what is missing of them is amnesia.
const GUARDS: [&str; 2] = ["votes", "lane"];

/// A journal that this node must not go on with (D2): the process ends with its own exit code, now and
/// at every start, until somebody has looked.
#[derive(Debug, thiserror::Error)]
#[error(
    "journal file {file} is damaged: {detail}. Put back exactly what this disk last held, or do \
     without it, then remove the files named `….damaged-…`: see `After 73` in docs/operations.md"
)]
pub struct DamagedJournal {
    file: String,
    detail: String,
}

/// The journals, open, and what they hold.
pub(super) struct Journals<D: Disk + Clone> {
    pub(super) votes: SegmentedJournal<D>,
    pub(super) lane_log: SegmentedJournal<D>,
    pub(super) parcel_store: SegmentedJournal<D>,
    /// The vote journal's entries, in their order.
    pub(super) entries: Vec<JournalEntry>,
    pub(super) logged: Vec<Record>,
    pub(super) stored: Vec<Record>,
}

impl<D: Disk + Clone> Journals<D> {
    /// How many records the vote journal, the lane log and the parcel store hold.
    pub(super) fn records(&self) -> [usize; 3] {
        [self.entries.len(), self.logged.len(), self.stored.len()]
    }

    /// The hash of all records.
    pub(super) fn hash(&self) -> B256 {
        let mut hasher = Keccak256::new();
        self.entries
            .iter()
            .for_each(|entry| hasher.update(entry.encode()));
        let records = self.logged.iter().chain(&self.stored);
        records.for_each(|record| hasher.update(&record.payload));
        hasher.finalize()
    }
}

/// A journal, and what of it could not be read.
struct Opened<D: Disk + Clone> {
    journal: SegmentedJournal<D>,
    records: Vec<Record>,
    damaged: Option<DamagedJournal>,
}

/// Writes what belongs to a newly made key (D4): from where on it signs, and an empty lane log.
///
/// # Errors
/// The disk failed.
pub(crate) fn begin<D: Disk + Clone>(disk: &D, key: Address) -> Result<()> {
    let mut votes = open_one(disk, "votes", VOTES_SEGMENT_BYTES_MAX)?.journal;
    append(&mut votes, &[signing_record(key, Some(Height::GENESIS))])?;
    open_one(disk, "lane", SEGMENT_BYTES_MAX).map(drop)
}

/// Writes that nobody can tell what a key signed before now (D4).
///
/// # Errors
/// The disk failed.
pub(crate) fn forget_signed<D: Disk + Clone>(disk: &D, key: Address) -> Result<()> {
    let mut votes = open_one(disk, "votes", VOTES_SEGMENT_BYTES_MAX)?.journal;
    append(&mut votes, &[signing_record(key, None)])
}

/// Opens them. Damage of a guard, or a lane log that is not there, is written into the vote journal as
/// amnesia before anything looks whole again.
///
/// # Errors
/// The disk failed; or a journal holds what this node did not write, or the parcel store is damaged.
pub(super) fn open<D: Disk + Clone>(disk: &D, key: Address) -> Result<Journals<D>> {
    let files = disk.list().wrap_err("listing the journals")?;
    let parcels = open_one(disk, "parcels", SEGMENT_BYTES_MAX)?;
    let aside = parcels.damaged.or_else(|| kept_aside(&files, "parcels"));
    if let Some(damaged) = aside {
        return Err(damaged.into());
    }
    let (mut votes, records, damaged) = open_votes(disk, &files)?;
    let entries = records.into_iter().map(entry);
    let mut entries = entries.collect::<Result<Vec<_>>>()?;
    if let Some(lost) = &damaged {
        let highest = highest_from(disk, key)?;
        entries.extend(forget(&mut votes, key, lost, highest)?);
    }
    let aside = kept_aside(&files, "lane");
    let missing = || {
        let is_there = files.iter().any(|file| file.starts_with("lane-"));
        (!is_there).then(|| DamagedJournal {
            file: "lane-…".to_owned(),
            detail: "it is not there".to_owned(),
        })
    };
    if let Some(lost) = aside.or_else(missing) {
        entries.extend(forget(&mut votes, key, &lost, None)?);
    }
    let lane = open_one(disk, "lane", SEGMENT_BYTES_MAX)?;
    if let Some(lost) = lane.damaged {
        entries.extend(forget(&mut votes, key, &lost, None)?);
    }
    put_away(disk)?;
    Ok(Journals {
        votes,
        lane_log: lane.journal,
        parcel_store: parcels.journal,
        entries,
        logged: lane.records,
        stored: parcels.records,
    })
}

/// A vote journal with a hole is put away whole: what is left of it must neither be replayed nor guard.
fn open_votes<D: Disk + Clone>(
    disk: &D,
    files: &[String],
) -> Result<(SegmentedJournal<D>, Vec<Record>, Option<DamagedJournal>)> {
    let Opened {
        journal,
        records,
        damaged,
    } = open_one(disk, "votes", VOTES_SEGMENT_BYTES_MAX)?;
    let Some(damaged) = damaged.or_else(|| kept_aside(files, "votes")) else {
        return Ok((journal, records, None));
    };
    drop(journal);
    let is_left = |file: &str| file.starts_with("votes-") && !file.contains(KEPT_ASIDE);
    keep(disk, is_left)?;
    let anew = open_one(disk, "votes", VOTES_SEGMENT_BYTES_MAX)?;
    Ok((anew.journal, anew.records, Some(damaged)))
}

/// The highest height from which any vote journal here says that the key signs, one that was put away
/// included: what the operators accept holds once for a height, though the journal is lost (D4).
fn highest_from<D: Disk>(disk: &D, key: Address) -> Result<Option<Height>> {
    let files = disk.list().wrap_err("listing the journals")?;
    let mut highest = None;
    for file in files.iter().filter(|file| file.contains("votes-")) {
        for record in read_beginning(disk, file)? {
            match JournalEntry::decode(&record.payload.into()) {
                Ok(JournalEntry::Signing { key: of, from }) if of == key => {
                    highest = highest.max(from);
                }
                _ => {}
            }
        }
    }
    Ok(highest)
}

/// D4: from now on, and after every restart, this key does not know what it signed; but from where it
/// was let sign at most.
fn forget<D: Disk + Clone>(
    votes: &mut SegmentedJournal<D>,
    key: Address,
    lost: &DamagedJournal,
    highest: Option<Height>,
) -> Result<Vec<JournalEntry>> {
    let DamagedJournal { file, detail } = lost;
    tracing::error!(
        file,
        detail,
        "a journal of this key's signatures is not whole"
    );
    let said = match highest {
        Some(_) => vec![None, highest, None],
        None => vec![None],
    };
    let record = |from: &Option<Height>| signing_record(key, *from);
    append(votes, &said.iter().map(record).collect::<Vec<_>>())?;
    let entry = |from| JournalEntry::Signing { key, from };
    Ok(said.into_iter().map(entry).collect())
}

/// Appends records in one sync. If power fails in it, what is left of them may say that the key signs;
/// but the damaged file lies there under the name that opening gave it until all of them are durable.
fn append<D: Disk + Clone>(
    votes: &mut SegmentedJournal<D>,
    records: &[JournalRecord],
) -> Result<()> {
    for record in records {
        votes.append(record.height.0, &record.bytes)?;
    }
    Ok(votes.sync()?)
}

fn open_one<D: Disk + Clone>(disk: &D, name: &str, segment_bytes_max: u64) -> Result<Opened<D>> {
    let opened = SegmentedJournal::open(disk.clone(), name, segment_bytes_max)?;
    let mut damaged = None;
    for found in opened.outcomes {
        let file = found.file;
        match found.outcome {
            Outcome::Clean => {}
            Outcome::TornTail { .. } => tracing::info!(file, "an unsynced tail was cut off"),
            Outcome::Damaged {
                offset,
                reason,
                kept_as,
            } => {
                let detail = format!("{reason}, at byte {offset}; it was kept aside as {kept_as}");
                damaged = Some(DamagedJournal { file, detail });
            }
        }
    }
    Ok(Opened {
        journal: opened.journal,
        records: opened.records,
        damaged,
    })
}

/// Opening puts a damaged file aside, after which the journal looks whole.
fn kept_aside(files: &[String], name: &str) -> Option<DamagedJournal> {
    let is_aside = |file: &&String| file.starts_with(name) && file.contains(KEPT_ASIDE);
    let file = files.iter().find(is_aside)?.clone();
    let detail = "it was kept aside at an earlier start".to_owned();
    Some(DamagedJournal { file, detail })
}

/// The vote journal knows of the damage of guards: their files are kept under names that no later start
/// takes for new damage.
fn put_away<D: Disk>(disk: &D) -> Result<()> {
    let is_guard = |file: &str| GUARDS.iter().any(|name| file.starts_with(name));
    keep(disk, |file| file.contains(KEPT_ASIDE) && is_guard(file))
}

/// Keeps files under names that no start looks at.
fn keep<D: Disk>(disk: &D, which: impl Fn(&str) -> bool) -> Result<()> {
    let files = disk.list().wrap_err("listing the journals")?;
    for file in files.iter().filter(|file| which(file)) {
        let names = (1_u64..).map(|number| format!("kept-{number}-{file}"));
        let free = names.into_iter().find(|name| !files.contains(name));
        let name = free.expect("a folder holds fewer files than there are numbers");
        disk.rename(file, &name)
            .wrap_err_with(|| format!("keeping {file}"))?;
    }
    Ok(())
}

fn entry(record: Record) -> Result<JournalEntry> {
    JournalEntry::decode(&record.payload.into()).map_err(|error| foreign("votes", &error))
}

/// The checksums are right, so the disk is well: the file is not this node's, or a later version's.
pub(super) fn foreign(name: &str, error: &dyn std::error::Error) -> eyre::Report {
    let detail = format!("a record was not written by this version of this node: {error}");
    let file = name.to_owned();
    DamagedJournal { file, detail }.into()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use cloverleaf_journal::File as _;
    use cloverleaf_journal::memory::MemoryDisk;
    use cloverleaf_replica::{Decided, signs_from};
    use cloverleaf_types::{B256, Secp256k1};

    use super::*;

    const KEY: Address = Address::repeat_byte(7);

    /// From where a key signs that starts from this disk.
    fn started(disk: &MemoryDisk) -> Option<Height> {
        let journals = open(disk, KEY).unwrap();
        let decided = Decided {
            network: B256::ZERO,
            recover: &Secp256k1,
            tip: Height(5),
            certificate: &|_| Ok::<_, Infallible>(None),
        };
        signs_from(&journals.entries, KEY, &decided).unwrap()
    }

    fn signing(said: [Option<u64>; 3]) -> [JournalEntry; 3] {
        said.map(|from| JournalEntry::Signing {
            key: KEY,
            from: from.map(Height),
        })
    }

    fn damage(disk: &MemoryDisk, name: &str) {
        let mut file = disk.open(name).unwrap();
        file.append(b"no record").unwrap();
        file.sync().unwrap();
    }

    // D4
    #[test]
    fn key_signs_from_genesis_with_the_journal_that_was_made_with_it_and_not_without() {
        let disk = MemoryDisk::new();
        assert_eq!(started(&disk), None);
        let disk = MemoryDisk::new();
        begin(&disk, KEY).unwrap();
        assert_eq!(started(&disk), Some(Height::GENESIS));
        disk.remove("votes-0000000001").unwrap();
        assert_eq!(started(&disk), None);
        let disk = MemoryDisk::new();
        begin(&disk, KEY).unwrap();
        disk.remove("lane-0000000001").unwrap();
        assert_eq!(started(&disk), None);
        assert_eq!(started(&disk), None, "though the lane log is there again");
    }

    // Malachite 0.8.2: after a bad byte in its log the second start finds nothing, and the node votes again.
    // D4
    #[test]
    fn damage_of_a_guard_is_amnesia_at_every_start_until_the_key_signs_again() {
        for guard in ["votes-0000000001", "lane-0000000001"] {
            let disk = MemoryDisk::new();
            begin(&disk, KEY).unwrap();
            damage(&disk, guard);
            for _start in 0..3 {
                assert_eq!(started(&disk), None, "{guard}");
            }
            let mut journals = open(&disk, KEY).unwrap();
            let signing = signing_record(KEY, Some(Height(6)));
            append(&mut journals.votes, &[signing]).unwrap();
            assert_eq!(started(&disk), Some(Height(6)), "{guard}");
            let kept = format!("kept-1-{guard}.damaged-1");
            assert!(disk.list().unwrap().contains(&kept), "{guard}");
            damage(&disk, guard);
            assert_eq!(started(&disk), None, "{guard}");
        }
    }

    // D4
    #[test]
    fn vote_journal_with_a_hole_is_put_away_whole() {
        let disk = MemoryDisk::new();
        begin(&disk, KEY).unwrap();
        let mut votes = SegmentedJournal::open(disk.clone(), "votes", 64)
            .unwrap()
            .journal;
        for height in 1..=4 {
            let mut record = signing_record(KEY, Some(Height(0)));
            record.height = Height(height);
            append(&mut votes, &[record]).unwrap();
        }
        drop(votes);
        damage(&disk, "votes-0000000002");
        assert_eq!(started(&disk), None);
        let journals = open(&disk, KEY).unwrap();
        assert_eq!(journals.entries, signing([None, Some(0), None]));
        let files = disk.list().unwrap();
        assert!(
            files.contains(&"kept-1-votes-0000000003".to_owned()),
            "{files:?}"
        );
    }

    // D4
    #[test]
    fn damaged_vote_journal_still_says_from_where_the_key_was_let_sign() {
        let disk = MemoryDisk::new();
        begin(&disk, KEY).unwrap();
        let mut votes = open(&disk, KEY).unwrap().votes;
        append(&mut votes, &[signing_record(KEY, Some(Height(6)))]).unwrap();
        let said = signing([None, Some(6), None]);
        damage(&disk, "votes-0000000001");
        assert_eq!(open(&disk, KEY).unwrap().entries, said);
        assert_eq!(open(&disk, KEY).unwrap().entries, said);
        damage(&disk, "votes-0000000001");
        assert_eq!(open(&disk, KEY).unwrap().entries, said, "damaged again");

        // It is put away, and power fails before its successor is told.
        damage(&disk, "votes-0000000001");
        open_one(&disk, "votes", VOTES_SEGMENT_BYTES_MAX).unwrap();
        keep(&disk, |file| file == "votes-0000000001").unwrap();
        assert_eq!(open(&disk, KEY).unwrap().entries, said);

        // Power fails while it is told, and what is left says that the key signs.
        damage(&disk, "votes-0000000001");
        let torn = open_one(&disk, "votes", VOTES_SEGMENT_BYTES_MAX).unwrap();
        let mut votes = torn.journal;
        let left = [None, Some(Height(6))].map(|from| signing_record(KEY, from));
        append(&mut votes, &left).unwrap();
        assert_eq!(started(&disk), None);
        assert_eq!(open(&disk, KEY).unwrap().entries, said);
    }

    // D4
    #[test]
    fn damage_that_power_loss_hid_from_the_journal_is_still_amnesia() {
        let disk = MemoryDisk::new();
        begin(&disk, KEY).unwrap();
        damage(&disk, "lane-0000000001");
        // It is put aside, and power fails before the vote journal is told.
        open_one(&disk, "lane", SEGMENT_BYTES_MAX).unwrap();
        assert_eq!(started(&disk), None);
    }

    #[test]
    fn damaged_parcel_store_is_refused_at_every_start() {
        let disk = MemoryDisk::new();
        begin(&disk, KEY).unwrap();
        open(&disk, KEY).unwrap();
        damage(&disk, "parcels-0000000001");
        for start in 0..3 {
            let refused = open(&disk, KEY).map(drop).unwrap_err();
            assert!(refused.is::<DamagedJournal>(), "start {start}: {refused}");
        }
    }
}

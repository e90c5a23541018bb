//! RocksDB's logs and its MANIFEST, checked before RocksDB reads them.
//!
//! ```text
//! file = block, …           block = 32 KiB of fragments, and zeros where no header fits
//! fragment = masked CRC-32C of type ‖ payload: u32 LE, length: u16 LE, type: u8, payload
//! type     1 a whole record · 2 its first fragment · 3 one in the middle · 4 its last
//! ```
//! RocksDB does not tell damage from a write of which a power cut kept a part: by its setting it refuses
//! both, or goes back to before both without a word; of some types of fragments it makes an endless loop.
//!
//! Here they differ. Every write to a log is synced before the next one, so a record that was not has no
//! other behind it. What is missing was never written: it lies behind the end of the file, or in sectors
//! that are zeros. Such a record is cut off; everything else that is no fragment is damage. Some records of
//! the MANIFEST are synced together: where a power cut keeps the second of them alone, that is taken for
//! damage too, since what is behind it may have been synced. The format is LevelDB's log format.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

use crc::{CRC_32_ISCSI, Crc, Table};

use crate::error::StoreError;

/// The file that RocksDB makes when a database is complete, and names its latest MANIFEST.
pub(crate) const CURRENT: &str = "CURRENT";

/// A fragment lies within one of these.
const BLOCK_BYTES: usize = 32 * 1024;

/// Checksum, length, type.
const HEADER_BYTES: usize = 7;

/// A log's shortest record, in bytes: the number of a write and of its parts.
const WRITE_BYTES_MIN: usize = 12;

/// What a disk writes at once, in bytes.
const SECTOR_BYTES: usize = 512;

const CASTAGNOLI: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// A record of which a power cut kept a part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Torn {
    /// The file.
    pub(crate) name: String,
    /// Where the record begins, in bytes.
    at: usize,
    is_log: bool,
}

/// Looks for damage of a store's MANIFEST and logs; returns what is torn. What is not there is left to
/// RocksDB.
///
/// # Errors
/// One is damaged: its name and where. Or the disk does not read it.
pub(crate) fn check(path: &Path) -> Result<Vec<Torn>, StoreError> {
    let mut torn = Vec::new();
    let current = read(&path.join(CURRENT))?;
    let name = String::from_utf8_lossy(&current).trim_end().to_owned();
    let number = name.strip_prefix("MANIFEST-").unwrap_or_default();
    // RocksDB says what is wrong with another name.
    if number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty() {
        let bytes = read(&path.join(&name))?;
        torn.extend(torn_record(path, name, &bytes, Kind::Manifest)?);
    }
    // Only what was written last may be torn.
    let mut kind = Kind::LastLog;
    for name in logs(path).into_iter().rev() {
        let bytes = read(&path.join(&name))?;
        torn.extend(torn_record(path, name, &bytes, kind)?);
        if !bytes.is_empty() {
            kind = Kind::OlderLog;
        }
    }
    Ok(torn)
}

/// A file's bytes; none if it is not there.
fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    match fs::read(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(StoreError::File {
            path: path.to_path_buf(),
            source,
        }),
        read => Ok(read.unwrap_or_default()),
    }
}

/// Cuts off what is torn, so that RocksDB sees only what was written whole. Nobody may have the store open.
///
/// # Errors
/// One is damaged, or the disk failed.
pub(crate) fn mend(path: &Path) -> Result<(), StoreError> {
    for torn in check(path)? {
        let Torn { name, at, .. } = &torn;
        tracing::warn!(
            name,
            at,
            "a power cut kept a part of a record, which is cut off"
        );
        let length = u64::try_from(*at).expect("a file's length has 64 bits");
        let file = OpenOptions::new().write(true).open(path.join(name));
        let cut = file.and_then(|file| file.set_len(length).and_then(|()| file.sync_all()));
        cut.map_err(|source| StoreError::Mend {
            path: path.join(name),
            source,
        })?;
    }
    Ok(())
}

impl Torn {
    /// RocksDB opens the store to read all the same.
    pub(crate) fn can_be_passed_over(&self) -> bool {
        self.is_log
    }
}

/// Which file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Manifest,
    LastLog,
    OlderLog,
}

fn torn_record(
    path: &Path,
    name: String,
    bytes: &[u8],
    kind: Kind,
) -> Result<Option<Torn>, StoreError> {
    let Some(bad) = first_bad(bytes) else {
        return Ok(None);
    };
    if !is_torn(bytes, bad, kind) {
        return Err(StoreError::Damaged {
            path: path.to_path_buf(),
            what: format!("the file {name} at byte {}", bad.at),
        });
    }
    Ok(Some(Torn {
        name,
        at: bad.record,
        is_log: kind != Kind::Manifest,
    }))
}

/// The names of the logs, oldest first.
fn logs(path: &Path) -> Vec<String> {
    let files = fs::read_dir(path).into_iter().flatten().flatten();
    let logs = files.map(|file| file.path()).filter_map(|file| {
        let is_log = file.extension().is_some_and(|it| it == "log");
        let number: u64 = file.file_stem()?.to_str()?.parse().ok()?;
        is_log.then(|| Some((number, name(&file)?)))?
    });
    let mut logs: Vec<(u64, String)> = logs.collect();
    logs.sort_unstable();
    logs.into_iter().map(|(_, name)| name).collect()
}

fn name(file: &Path) -> Option<String> {
    Some(file.file_name()?.to_str()?.to_owned())
}

/// A fragment that is what was written.
#[derive(Clone, Copy)]
struct Fragment {
    /// Where it ends.
    end: usize,
    begins: bool,
    ends: bool,
    length: usize,
}

impl Fragment {
    /// True for a whole record that is shorter than any that RocksDB writes. Somebody's payload may be full
    /// of them, one after the other.
    fn is_too_short(&self, kind: Kind) -> bool {
        let least = match kind {
            Kind::Manifest => 0,
            Kind::LastLog | Kind::OlderLog => WRITE_BYTES_MIN,
        };
        self.begins && self.ends && self.length < least
    }
}

/// The fragment at a place, if there is one.
fn fragment(bytes: &[u8], at: usize) -> Option<Fragment> {
    let (header, rest) = bytes.get(at..)?.split_at_checked(HEADER_BYTES)?;
    let [a, b, c, d, low, high, kind] = *header else {
        return None;
    };
    let length = usize::from(u16::from_le_bytes([low, high]));
    let (begins, ends) = match kind {
        1 => (true, true),
        2 => (true, false),
        3 => (false, false),
        4 => (false, true),
        _ => return None,
    };
    let payload = rest.get(..length)?;
    let end = at + HEADER_BYTES + length;
    if end > at - at % BLOCK_BYTES + BLOCK_BYTES {
        return None;
    }
    let mut digest = CASTAGNOLI.digest();
    digest.update(&[kind]);
    digest.update(payload);
    let is_whole = u32::from_le_bytes([a, b, c, d]) == masked(digest.finalize());
    is_whole.then_some(Fragment {
        end,
        begins,
        ends,
        length,
    })
}

/// As RocksDB keeps checksums, so that one of data with checksums in it is not weak.
fn masked(checksum: u32) -> u32 {
    checksum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Where a fragment would be, from a place on: behind a block's padding.
fn behind_padding(at: usize) -> usize {
    let left_of_block = BLOCK_BYTES - at % BLOCK_BYTES;
    let padding = if left_of_block < HEADER_BYTES {
        left_of_block
    } else {
        0
    };
    at + padding
}

/// A place where no fragment is that follows the one before it.
#[derive(Clone, Copy)]
struct Bad {
    at: usize,
    /// Where the record begins that it is in.
    record: usize,
}

fn first_bad(bytes: &[u8]) -> Option<Bad> {
    let (mut at, mut record, mut within) = (0, 0, false);
    while at < bytes.len() {
        if !within {
            record = at;
        }
        let next = fragment(bytes, at).filter(|it| it.begins != within);
        let Some(next) = next else {
            return Some(Bad { at, record });
        };
        (at, within) = (behind_padding(next.end), !next.ends);
        if at > bytes.len() && next.end < bytes.len() {
            // It ends within a block's padding, which RocksDB takes for a part of a header.
            let at = next.end;
            let record = if within { record } else { at };
            return Some(Bad { at, record });
        }
    }
    within.then_some(Bad { at, record })
}

/// True if what is bad may be a part of a record that a power cut kept.
fn is_torn(bytes: &[u8], Bad { at, record }: Bad, kind: Kind) -> bool {
    let lacks_some = lacks_sector(bytes, at) || claimed_end(bytes, at).is_none();
    let may_be = match kind {
        // It is synced before CURRENT names it.
        Kind::Manifest => record > 0,
        Kind::LastLog => true,
        Kind::OlderLog => false,
    };
    may_be && lacks_some && !begins_again(bytes, at, kind)
}

/// Where the fragment at a place ends by what its header says, if that is in the file.
fn claimed_end(bytes: &[u8], at: usize) -> Option<usize> {
    let length = bytes.get(at + 4..at + 6)?;
    let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
    Some(at + HEADER_BYTES + length).filter(|end| *end <= bytes.len())
}

/// True if a sector of the fragment at a place was never written.
fn lacks_sector(bytes: &[u8], at: usize) -> bool {
    let end = claimed_end(bytes, at).unwrap_or(bytes.len());
    let first_end = at - at % SECTOR_BYTES + SECTOR_BYTES;
    let later = (first_end..end).step_by(SECTOR_BYTES);
    let later = later.map(|sector| (sector, sector + SECTOR_BYTES));
    let mut sectors = std::iter::once((at, first_end)).chain(later);
    sectors.any(|(from, to)| {
        let sector = bytes.get(from..to.min(bytes.len()));
        sector.is_some_and(|it| !it.is_empty() && it.iter().all(|byte| *byte == 0))
    })
}

/// True if a record begins behind a place.
fn begins_again(bytes: &[u8], at: usize, kind: Kind) -> bool {
    let next_block = (at - at % BLOCK_BYTES + BLOCK_BYTES).min(bytes.len());
    // A payload may contain what looks like a record, but not one after the other up to the end.
    let begins = |at: usize| fragment(bytes, at).is_some_and(|it| it.begins);
    let in_block = (at + 1..next_block).any(|at| begins(at) && leads_to_the_end(bytes, at, kind));
    // Each block begins with a fragment.
    let mut blocks = (next_block..bytes.len()).step_by(BLOCK_BYTES);
    in_block || blocks.any(|block| record_begins_in(bytes, block))
}

fn leads_to_the_end(bytes: &[u8], at: usize, kind: Kind) -> bool {
    let last = fragments(bytes, at)
        .take_while(|it| !it.is_too_short(kind))
        .last();
    last.is_some_and(|last| behind_padding(last.end) >= bytes.len())
}

fn record_begins_in(bytes: &[u8], block: usize) -> bool {
    let mut of_block = fragments(bytes, block).take_while(|it| it.end <= block + BLOCK_BYTES);
    of_block.any(|it| it.begins)
}

/// The fragments from a place on that follow each other, up to what is none.
fn fragments(bytes: &[u8], at: usize) -> impl Iterator<Item = Fragment> + '_ {
    let next = |it: &Fragment| {
        let next = fragment(bytes, behind_padding(it.end))?;
        (next.begins == it.ends).then_some(next)
    };
    std::iter::successors(fragment(bytes, at), next)
}

#[cfg(test)]
mod tests;

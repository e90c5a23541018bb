//! RocksDB's MANIFEST, checked before RocksDB reads it.
//!
//! ```text
//! file = block, …         block = 32 KiB of records, and zeros where no header fits
//! record = masked CRC-32C of type ‖ payload: u32 LE, length: u16 LE, type: 1 to 4, payload
//! ```
//! Its own reader takes a bad record at the end for one that was never written, and so opens the store
//! without the tables that it names; of some types of records it makes an endless loop. The format is
//! LevelDB's log format.

use std::fs;
use std::path::Path;

use crc::{CRC_32_ISCSI, Crc};

use crate::error::StoreError;

/// The file that RocksDB makes when a database is complete, and names its latest MANIFEST.
pub(crate) const CURRENT: &str = "CURRENT";

/// A record, or its part, lies within one of these.
const BLOCK_BYTES: usize = 32 * 1024;

/// Checksum, length, type.
const HEADER_BYTES: usize = 7;

/// What a disk writes at once, in bytes: after a power cut the rest of a write may be zeros.
const SECTOR_BYTES: usize = 512;

/// Whole, first, middle, last: others are of files that are written again.
const TYPES: [u8; 4] = [1, 2, 3, 4];

const CASTAGNOLI: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Checks the MANIFEST of a store; a directory without one is left to RocksDB.
///
/// # Errors
/// It is damaged: its name and where.
pub(crate) fn check(path: &Path) -> Result<(), StoreError> {
    let Ok(current) = fs::read_to_string(path.join(CURRENT)) else {
        return Ok(());
    };
    let name = current.trim_end();
    let Ok(bytes) = fs::read(path.join(name)) else {
        return Ok(());
    };
    match first_damage(&bytes) {
        None => Ok(()),
        Some(at) => Err(StoreError::Damaged {
            path: path.to_path_buf(),
            what: format!("the file {name} at byte {at}"),
        }),
    }
}

/// Where the first record is that was written whole and is not what was written.
fn first_damage(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < bytes.len() {
        let left_of_block = BLOCK_BYTES - at % BLOCK_BYTES;
        if left_of_block < HEADER_BYTES {
            at += left_of_block;
            continue;
        }
        match record(bytes, at) {
            Some(end) => at = end,
            None if is_torn(bytes, at) => return None,
            None => return Some(at),
        }
    }
    None
}

/// Where the record ends that begins here, if it is one.
fn record(bytes: &[u8], at: usize) -> Option<usize> {
    let (header, rest) = bytes.get(at..)?.split_at_checked(HEADER_BYTES)?;
    let [a, b, c, d, low, high, kind] = *header else {
        return None;
    };
    let length = usize::from(u16::from_le_bytes([low, high]));
    let payload = rest.get(..length)?;
    let end = at + HEADER_BYTES + length;
    let is_in_block = at % BLOCK_BYTES + HEADER_BYTES + length <= BLOCK_BYTES;
    let mut digest = CASTAGNOLI.digest();
    digest.update(&[kind]);
    digest.update(payload);
    let is_whole = u32::from_le_bytes([a, b, c, d]) == masked(digest.finalize());
    (is_in_block && is_whole && TYPES.contains(&kind)).then_some(end)
}

/// As RocksDB keeps checksums, so that one of data with checksums in it is not weak.
fn masked(checksum: u32) -> u32 {
    checksum.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// True if what begins here may be the last write, which a power cut kept a part of: it goes on behind the
/// end of the file, or is zeros from a sector's end on, and nothing that was written later follows.
fn is_torn(bytes: &[u8], at: usize) -> bool {
    let rest = &bytes[at..];
    let is_cut = match rest.get(4..6) {
        Some(length) => {
            let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
            HEADER_BYTES + length > rest.len()
        }
        None => true,
    };
    let sector_end = SECTOR_BYTES - at % SECTOR_BYTES;
    let zeros = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    let is_zeros = zeros(rest)
        || rest
            .get(sector_end..)
            .is_some_and(|it| !it.is_empty() && zeros(it));
    let follows = (at + 1..bytes.len()).any(|later| record(bytes, later).is_some());
    (is_cut || is_zeros) && !follows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of records with these payloads, each whole.
    fn file(payloads: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for payload in payloads {
            let mut digest = CASTAGNOLI.digest();
            digest.update(&[1]);
            digest.update(payload);
            bytes.extend(masked(digest.finalize()).to_le_bytes());
            bytes.extend(u16::try_from(payload.len()).unwrap().to_le_bytes());
            bytes.push(1);
            bytes.extend(*payload);
        }
        bytes
    }

    #[test]
    fn any_bit_of_any_record_is_damage_unless_it_makes_the_last_one_seem_cut_off() {
        let whole = file(&[b"one version", b"the next", b"the last of them"]);
        let last = whole.len() - HEADER_BYTES - b"the last of them".len();
        assert_eq!(first_damage(&whole), None);
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[at] ^= 1 << bit;
                let is_length_of_last = (last + 4..last + 6).contains(&at);
                assert!(
                    first_damage(&changed).is_some() || is_length_of_last,
                    "bit {bit} of byte {at}"
                );
            }
        }
    }

    #[test]
    fn record_that_a_power_cut_left_a_part_of_is_no_damage() {
        let whole = file(&[b"one version", &[7; 1_000]]);
        for length in 0..whole.len() {
            assert_eq!(first_damage(&whole[..length]), None, "{length} bytes");
        }
        let mut zeroed = whole.clone();
        zeroed[SECTOR_BYTES..].fill(0);
        assert_eq!(first_damage(&zeroed), None);
        let mut behind = whole;
        behind.extend([0; 100]);
        assert_eq!(first_damage(&behind), None);
    }

    #[test]
    fn records_are_found_behind_the_padding_of_a_block() {
        let long = vec![9; BLOCK_BYTES - HEADER_BYTES - 3];
        let mut bytes = file(&[&long]);
        bytes.resize(BLOCK_BYTES, 0);
        bytes.extend(file(&[b"of the next block", b"and one more"]));
        assert_eq!(first_damage(&bytes), None);
        bytes[BLOCK_BYTES + 9] ^= 1;
        assert_eq!(first_damage(&bytes), Some(BLOCK_BYTES));
    }
}

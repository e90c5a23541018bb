//! The format of one record, and how a file of them is read back.

/// The longest payload of one record, in bytes: well above a parcel (1 MiB) and above a batch of
/// the embedded rollup. A longer length in a file is damage.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Names the format and its version; the first bytes of a record that is written together with the one
/// before it.
const MAGIC: [u8; 4] = *b"CLJ1";
/// The same of a record before which everything was synced when it was written.
const MAGIC_SYNCED: [u8; 4] = *b"CLJS";
/// Magic, length, height, payload checksum, head checksum.
const HEAD_BYTES: usize = 24;
/// What a disk writes at once, in bytes, or more: of two of these, the later may be written and the
/// earlier not.
const SECTOR_BYTES: usize = 512;
/// The bytes of the head that its checksum covers: all before it.
const HEAD_CHECKED_BYTES: usize = 20;
/// The last byte of every record. Any byte but zero would do, see [`scan`].
const END_MARK: u8 = 0xED;

/// One record: a payload filed under a height.
///
/// On the disk (integers big-endian, checksums CRC-32 as in zlib):
///
/// ```text
///  0         4         8                 16           20          24              24 + length
///  ├─────────┼─────────┼─────────────────┼────────────┼───────────┼───────────────┼──────┐
///  │ "CLJ1", │ length  │ height          │ payload    │ head      │ payload       │ 0xED │
///  │ "CLJS"  │ u32     │ u64             │ crc u32    │ crc u32   │ length bytes  │      │
///  └─────────┴─────────┴─────────────────┴────────────┴───────────┴───────────────┴──────┘
///  ╰────────────── covered by the head crc ───────────╯           ╰─ payload crc ─╯
/// ```
///
/// `CLJS` says that everything before the record was synced when it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The height that the record belongs to; its meaning is the owner's. Records can be removed
    /// by height.
    pub height: u64,
    /// The owner's bytes, at most [`PAYLOAD_BYTES_MAX`].
    pub payload: Vec<u8>,
}

/// What is wrong with a file at the place where it stops being readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DamageReason {
    /// No record begins here, although there are bytes.
    #[error("no record begins here")]
    Magic,
    /// The length or the height of a record was changed.
    #[error("the checksum of the record's head is wrong")]
    HeadChecksum,
    /// The head is intact but its length is over [`PAYLOAD_BYTES_MAX`].
    #[error("the record's length is over the limit")]
    Length,
    /// The payload of a complete record was changed.
    #[error("the checksum of the payload is wrong")]
    PayloadChecksum,
    /// The byte that ends a record was changed.
    #[error("the record's end mark is wrong")]
    EndMark,
    /// A file that was synced whole, before the next one was begun, ends early.
    #[error("the end of a finished segment is missing")]
    LostTail,
}

/// How many bytes a record with such a payload takes in the file.
pub(crate) fn encoded_len(payload_len: usize) -> usize {
    HEAD_BYTES + payload_len + 1
}

/// How a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Everything before it is synced.
    AfterSync,
    /// Together with the record before it.
    WithLast,
}

/// Writes one record at the end of `out`. The payload is within [`PAYLOAD_BYTES_MAX`].
pub(crate) fn encode(out: &mut Vec<u8>, place: Place, height: u64, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("the caller has checked the limit");
    out.reserve(encoded_len(payload.len()));
    let start = out.len();
    out.extend_from_slice(match place {
        Place::AfterSync => &MAGIC_SYNCED,
        Place::WithLast => &MAGIC,
    });
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&height.to_be_bytes());
    out.extend_from_slice(&crc32fast::hash(payload).to_be_bytes());
    let head_crc = crc32fast::hash(&out[start..]);
    out.extend_from_slice(&head_crc.to_be_bytes());
    out.extend_from_slice(payload);
    out.push(END_MARK);
}

/// A file read back: its records up to the first place that cannot be read, and what is there.
pub(crate) struct Scan {
    pub(crate) records: Vec<Record>,
    /// The bytes that the records take.
    pub(crate) valid_bytes: usize,
    pub(crate) end: End,
}

/// What follows the last readable record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The end of the file.
    Clean,
    /// A record whose missing part is the end of the file, or zeros up to there or to the end of a
    /// sector, and no later sync: it was never synced.
    Torn,
    /// Anything else.
    Damaged(DamageReason),
}

/// Reads a whole file. // D2
///
/// A crash before the sync leaves some sectors of what was written. Where the file had already grown,
/// zeros are in the place of the others. So everything behind the last byte that is not zero counts as
/// missing, and a record that does not read is torn if a sector of it is missing and nothing after it
/// was written after a later sync. Since a record ends with a byte that is not zero, a complete record
/// never looks like that, and a changed bit in one is told apart from a torn tail: unless it was the
/// last to be synced and its payload has zeros up to the end of a sector.
pub(crate) fn scan(bytes: &[u8]) -> Scan {
    let written = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let mut records = Vec::new();
    let mut at = 0;
    let end = loop {
        if at == bytes.len() {
            break End::Clean;
        }
        match read_record(&bytes[at..written.max(at)]) {
            Ok(record) => {
                at += encoded_len(record.payload.len());
                records.push(record);
            }
            Err(End::Damaged(_)) if is_unsynced(bytes, at) => break End::Torn,
            Err(end) => break end,
        }
    };
    Scan {
        records,
        valid_bytes: at,
        end,
    }
}

/// Whether power loss before a sync explains what does not read at `at`: a sector of the record is
/// missing from there on, and no sync came after it.
fn is_unsynced(bytes: &[u8], at: usize) -> bool {
    let len_bytes = match head(&bytes[at..]) {
        Some(head) => encoded_len(payload_len(head)),
        None => HEAD_BYTES,
    };
    let end = at.saturating_add(len_bytes).min(bytes.len());
    let first_sector = at - at % SECTOR_BYTES;
    let mut sectors = (first_sector..end).step_by(SECTOR_BYTES);
    let is_missing = |start: usize| {
        let end = (start + SECTOR_BYTES).min(bytes.len());
        bytes[start.max(at)..end].iter().all(|byte| *byte == 0)
    };
    sectors.any(is_missing) && !has_later_sync(&bytes[at + 1..])
}

/// Whether a record begins anywhere that was written after a sync.
fn has_later_sync(rest: &[u8]) -> bool {
    let mut places = rest.windows(MAGIC_SYNCED.len()).enumerate();
    places.any(|(at, found)| found == MAGIC_SYNCED && head(&rest[at..]).is_some())
}

/// The intact head at the beginning of `rest`.
fn head(rest: &[u8]) -> Option<&[u8]> {
    let head = rest.get(..HEAD_BYTES)?;
    let is_intact =
        crc32fast::hash(&head[..HEAD_CHECKED_BYTES]) == u32_at(head, HEAD_CHECKED_BYTES);
    is_intact.then_some(head)
}

/// The length of a payload, as its record's head says.
fn payload_len(head: &[u8]) -> usize {
    usize::try_from(u32_at(head, 4)).expect("an address has at least 32 bits")
}

/// Reads the record at the beginning of `rest`, which ends where the written bytes of the file end.
fn read_record(rest: &[u8]) -> Result<Record, End> {
    let begins = |magic: &[u8]| rest.starts_with(magic) || magic.starts_with(rest);
    if !begins(&MAGIC) && !begins(&MAGIC_SYNCED) {
        return Err(End::Damaged(DamageReason::Magic));
    }
    let Some((_, body)) = rest.split_at_checked(HEAD_BYTES) else {
        return Err(End::Torn);
    };
    let head = head(rest).ok_or(End::Damaged(DamageReason::HeadChecksum))?;
    let length = payload_len(head);
    if length > PAYLOAD_BYTES_MAX {
        return Err(End::Damaged(DamageReason::Length));
    }
    let Some(mark) = body.get(length) else {
        return Err(End::Torn);
    };
    if *mark != END_MARK {
        return Err(End::Damaged(DamageReason::EndMark));
    }
    let payload = &body[..length];
    if crc32fast::hash(payload) != u32_at(head, 16) {
        return Err(End::Damaged(DamageReason::PayloadChecksum));
    }
    let height = u64::from(u32_at(head, 8)) << 32 | u64::from(u32_at(head, 12));
    Ok(Record {
        height,
        payload: payload.to_vec(),
    })
}

/// The big-endian number at `at`; the caller has checked that four bytes are there.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let four = bytes[at..at + 4].try_into().expect("a range of four bytes");
    u32::from_be_bytes(four)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(height: u64, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&mut bytes, Place::WithLast, height, payload);
        bytes
    }

    /// Three records of one sync, over several sectors; the second begins in the second sector.
    fn of_one_sync() -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&mut bytes, Place::AfterSync, 1, &[1; 500]);
        encode(&mut bytes, Place::WithLast, 2, &[2; 1_200]);
        encode(&mut bytes, Place::WithLast, 3, &[3; 900]);
        bytes
    }

    #[test]
    fn a_record_has_these_bytes() {
        let expected = [
            b"CLJ1".as_slice(),
            &[0, 0, 0, 3],
            &[0, 0, 0, 0, 0, 0, 1, 2],
            &[0x35, 0x24, 0x41, 0xC2], // the CRC-32 of "abc"
            &crc32fast::hash(&one(258, b"abc")[..20]).to_be_bytes(),
            b"abc",
            &[0xED],
        ]
        .concat();
        assert_eq!(one(258, b"abc"), expected);
    }

    #[test]
    fn an_empty_payload_is_a_record() {
        let scan = scan(&one(u64::MAX, b""));
        assert_eq!(
            scan.records,
            [Record {
                height: u64::MAX,
                payload: Vec::new()
            }]
        );
        assert_eq!(scan.end, End::Clean);
    }

    #[test]
    fn a_file_of_zeros_is_a_torn_tail() {
        assert_eq!(scan(&[0; 64]).end, End::Torn);
        assert_eq!(scan(&[]).end, End::Clean);
    }

    #[test]
    fn a_record_that_ends_in_zeros_is_damaged_when_changed_and_torn_when_zeroed() {
        let whole = one(1, &[7, 7, 0, 0]);
        let mut changed = whole.clone();
        changed[HEAD_BYTES] = 6;
        assert_eq!(
            scan(&changed).end,
            End::Damaged(DamageReason::PayloadChecksum)
        );
        let mut zeroed = whole.clone();
        zeroed[HEAD_BYTES + 1..].fill(0);
        assert_eq!(scan(&zeroed).end, End::Torn);
    }

    #[test]
    fn zeros_before_something_written_are_damage() {
        let mut bytes = one(1, b"first");
        let second = bytes.len();
        bytes.extend_from_slice(&[0; 30]);
        encode(&mut bytes, Place::WithLast, 2, b"second");
        let scan = scan(&bytes);
        assert_eq!((scan.records.len(), scan.valid_bytes), (1, second));
        assert_eq!(scan.end, End::Damaged(DamageReason::Magic));
    }

    // D2
    #[test]
    fn sectors_of_one_sync_that_a_power_cut_took_are_a_torn_tail_whichever_they_are() {
        let whole = of_one_sync();
        let sectors = whole.len().div_ceil(SECTOR_BYTES);
        for taken in 1..1_u32 << sectors {
            let mut bytes = whole.clone();
            for (sector, chunk) in bytes.chunks_mut(SECTOR_BYTES).enumerate() {
                if taken >> sector & 1 == 1 {
                    chunk.fill(0);
                }
            }
            assert_eq!(scan(&bytes).end, End::Torn, "sectors {taken:b}");
        }
    }

    // D2
    #[test]
    fn sectors_that_are_missing_before_a_later_sync_are_damage() {
        let mut whole = of_one_sync();
        encode(&mut whole, Place::AfterSync, 4, b"a later sync");
        let synced = whole.len() - encoded_len(12);
        for sector in 0..synced / SECTOR_BYTES {
            let mut bytes = whole.clone();
            bytes[sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES].fill(0);
            let end = scan(&bytes).end;
            assert!(matches!(end, End::Damaged(_)), "sector {sector}: {end:?}");
        }
    }

    #[test]
    fn zeros_that_are_no_whole_sector_are_damage() {
        let mut bytes = of_one_sync();
        bytes[600..1_000].fill(0);
        assert_eq!(
            scan(&bytes).end,
            End::Damaged(DamageReason::PayloadChecksum)
        );
    }

    #[test]
    fn a_length_over_the_limit_is_damage_even_with_a_right_checksum() {
        let mut bytes = one(1, b"x");
        let length = u32::try_from(PAYLOAD_BYTES_MAX + 1).expect("small");
        bytes[4..8].copy_from_slice(&length.to_be_bytes());
        let head_crc = crc32fast::hash(&bytes[..HEAD_CHECKED_BYTES]);
        bytes[20..24].copy_from_slice(&head_crc.to_be_bytes());
        assert_eq!(scan(&bytes).end, End::Damaged(DamageReason::Length));
    }

    #[test]
    fn letters_that_begin_no_record_are_damage_however_short() {
        assert_eq!(scan(b"X").end, End::Damaged(DamageReason::Magic));
        assert_eq!(scan(b"CLJ").end, End::Torn);
        assert_eq!(scan(b"CLX").end, End::Damaged(DamageReason::Magic));
    }
}

use proptest::prelude::*;

use super::*;

/// A file of records with these payloads.
fn file(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for payload in payloads {
        append(&mut bytes, payload);
    }
    bytes
}

fn append(bytes: &mut Vec<u8>, mut payload: &[u8]) {
    let mut begins = true;
    loop {
        let start = behind_padding(bytes.len());
        bytes.resize(start, 0);
        let room = BLOCK_BYTES - start % BLOCK_BYTES - HEADER_BYTES;
        let (part, rest) = payload.split_at(payload.len().min(room));
        let kind = match (begins, rest.is_empty()) {
            (true, true) => 1,
            (true, false) => 2,
            (false, false) => 3,
            (false, true) => 4,
        };
        let mut digest = CASTAGNOLI.digest();
        digest.update(&[kind]);
        digest.update(part);
        bytes.extend(masked(digest.finalize()).to_le_bytes());
        bytes.extend(u16::try_from(part.len()).unwrap().to_le_bytes());
        bytes.push(kind);
        bytes.extend(part);
        (payload, begins) = (rest, false);
        if rest.is_empty() {
            return;
        }
    }
}

/// Where the first damage of a log is.
fn damage(bytes: &[u8]) -> Option<usize> {
    let damaged = first_bad(bytes).filter(|bad| !is_torn(bytes, *bad, Kind::LastLog));
    damaged.map(|bad| bad.at)
}

fn payload(length: usize) -> Vec<u8> {
    (0..=u8::MAX)
        .cycle()
        .map(|it| it | 1)
        .take(length)
        .collect()
}

#[test]
fn any_bit_of_any_record_is_damage_unless_it_makes_the_last_one_seem_cut_off() {
    let whole = file(&[payload(11), payload(8), payload(16)]);
    let last = whole.len() - HEADER_BYTES - 16;
    assert_eq!(damage(&whole), None);
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            let is_length_of_last = (last + 4..last + 6).contains(&at);
            assert!(
                damage(&changed).is_some() || is_length_of_last,
                "bit {bit} of byte {at}"
            );
        }
    }
}

#[test]
fn fragments_that_do_not_follow_each_other_are_damage() {
    let whole = file(&[payload(100), payload(2 * BLOCK_BYTES), payload(9)]);
    assert_eq!(damage(&whole), None);
    let without_an_end = [&whole[..BLOCK_BYTES], &file(&[payload(9)])].concat();
    assert_eq!(damage(&without_an_end), Some(BLOCK_BYTES));
}

#[test]
fn what_looks_like_a_record_in_a_payload_does_not_make_a_torn_one_damage() {
    let mut crafted = payload(3_000);
    let inner = file(&[payload(40)]);
    crafted[700..700 + inner.len()].copy_from_slice(&inner);
    // Whole and short, one after the other up to where the file is cut.
    let short = file(&[payload(1)]);
    for place in crafted[1_000..2_400].chunks_exact_mut(short.len()) {
        place.copy_from_slice(&short);
    }
    let synced = file(&[payload(50)]);
    let mut torn = file(&[payload(50), crafted]);
    for kept in (1_990..2_010).rev() {
        torn.truncate(synced.len() + kept);
        assert_eq!(damage(&torn), None);
    }
}

#[test]
fn sector_of_zeros_that_lies_before_other_records_is_damage() {
    let mut bytes = file(&[payload(20)]);
    append(&mut bytes, &payload(2_500));
    append(&mut bytes, &payload(30));
    bytes[2 * SECTOR_BYTES..3 * SECTOR_BYTES].fill(0);
    let torn = |kind| torn_record(Path::new(""), String::new(), &bytes, kind);
    for kind in [Kind::LastLog, Kind::OlderLog, Kind::Manifest] {
        assert!(torn(kind).is_err());
    }
}

#[test]
fn manifest_that_has_no_whole_record_is_damage() {
    for (length, kept) in [(20, 15), (BLOCK_BYTES, BLOCK_BYTES)] {
        let bytes = file(&[payload(length)]);
        let torn = |kind| torn_record(Path::new(""), String::new(), &bytes[..kept], kind);
        assert!(torn(Kind::Manifest).is_err());
        assert_eq!(torn(Kind::LastLog).unwrap().unwrap().at, 0);
    }
}

#[test]
fn log_that_cannot_be_read_is_not_taken_for_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("000009.log")).unwrap();
    assert!(matches!(check(dir.path()), Err(StoreError::File { .. })));
}

#[test]
fn file_that_ends_within_the_padding_of_a_block_is_cut_before_it() {
    let whole = payload(BLOCK_BYTES - HEADER_BYTES - 4);
    let mut bytes = file(&[whole]);
    let end = bytes.len();
    bytes.extend([0, 0]);
    let torn = |bytes: &[u8]| torn_record(Path::new(""), String::new(), bytes, Kind::LastLog);
    assert_eq!(torn(&bytes).unwrap().unwrap().at, end);
    bytes.extend([0, 0]);
    assert_eq!(torn(&bytes).unwrap(), None);
    assert_eq!(torn(&bytes[..end]).unwrap(), None);
}

#[test]
fn zeros_that_were_written_do_not_make_damage_a_torn_record() {
    let mut last = payload(2_000);
    last[700..1_100].fill(0);
    *last.last_mut().unwrap() = 0;
    let mut bytes = file(&[payload(20), last]);
    bytes[100] ^= 1;
    assert!(damage(&bytes).is_some());
}

#[test]
fn older_log_that_ends_within_a_record_is_damage() {
    let whole = file(&[payload(20), payload(BLOCK_BYTES)]);
    let cut = &whole[..BLOCK_BYTES];
    let torn = |kind| torn_record(Path::new(""), String::new(), cut, kind);
    assert!(torn(Kind::OlderLog).is_err());
    assert_eq!(torn(Kind::LastLog).unwrap().unwrap().at, 27);
}

#[test]
fn records_are_found_behind_the_padding_of_a_block() {
    let mut whole = file(&[payload(BLOCK_BYTES - HEADER_BYTES - 3), payload(17)]);
    append(&mut whole, &payload(12));
    assert_eq!(damage(&whole), None);
    whole[BLOCK_BYTES + 9] ^= 1;
    assert_eq!(damage(&whole), Some(BLOCK_BYTES));
}

proptest! {
    #[test]
    fn record_that_a_power_cut_left_any_part_of_is_no_damage(
        synced in prop::collection::vec(0..50_000_usize, 0..4),
        last in 1..100_000_usize,
        kept_bytes in any::<prop::sample::Index>(),
        lost_sectors in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut bytes = file(&synced.iter().map(|it| payload(*it)).collect::<Vec<_>>());
        let before = bytes.len();
        append(&mut bytes, &payload(last));
        prop_assert_eq!(damage(&bytes), None);
        let kept = before + kept_bytes.index(bytes.len() - before + 1);
        bytes.truncate(kept);
        let begin = behind_padding(before).min(kept);
        for lost in lost_sectors.iter().filter(|_| kept > before) {
            let at = before + lost.index(kept - before);
            let sector = at - at % SECTOR_BYTES;
            let end = kept.min(sector + SECTOR_BYTES);
            bytes.get_mut(sector.max(before)..end).unwrap().fill(0);
        }
        prop_assert_eq!(damage(&bytes), None);
        for kind in [Kind::LastLog, Kind::Manifest].into_iter().take(if before == 0 { 1 } else { 2 }) {
            let torn = torn_record(Path::new(""), String::new(), &bytes, kind).unwrap();
            prop_assert!(torn.is_none_or(|torn| torn.at == begin || kept <= behind_padding(before)));
        }
    }

    #[test]
    fn changed_byte_before_the_last_record_is_damage(
        lengths in prop::collection::vec(0..50_000_usize, 1..4),
        changed in any::<prop::sample::Index>(),
        mask in 1..=u8::MAX,
    ) {
        let mut bytes = file(&lengths.iter().map(|it| payload(*it)).collect::<Vec<_>>());
        let before = bytes.len();
        append(&mut bytes, &payload(30));
        let at = changed.index(before);
        let is_padding = at >= BLOCK_BYTES - HEADER_BYTES
            && behind_padding(at) != at || at % BLOCK_BYTES > BLOCK_BYTES - HEADER_BYTES;
        bytes[at] ^= mask;
        prop_assert!(damage(&bytes).is_some() || is_padding);
    }
}

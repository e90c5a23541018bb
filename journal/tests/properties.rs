//! What holds for every sequence of records, every cut and every changed bit.

use cloverleaf_journal::{
    Disk, File, Journal, Outcome, Record, SegmentedJournal, memory::MemoryDisk,
};
use proptest::{collection::vec, prelude::*};

const NAME: &str = "votes";

/// Records with short payloads, many of them with zeros in them and at their end.
fn records() -> impl Strategy<Value = Vec<Record>> {
    let byte = prop_oneof![Just(0_u8), any::<u8>()];
    let record = (any::<u64>(), vec(byte, 0..24));
    vec(
        record.prop_map(|(height, payload)| Record { height, payload }),
        0..6,
    )
}

/// Records over several sectors.
fn long_records() -> impl Strategy<Value = Vec<Record>> {
    let byte = prop_oneof![1 => Just(0_u8), 3 => any::<u8>()];
    let record = (any::<u64>(), vec(byte, 0..1_500));
    vec(
        record.prop_map(|(height, payload)| Record { height, payload }),
        0..4,
    )
}

fn disk_with(records: &[Record]) -> MemoryDisk {
    let disk = MemoryDisk::new();
    let mut journal = Journal::open(disk.clone(), NAME).expect("memory").journal;
    for record in records {
        journal
            .append(record.height, &record.payload)
            .expect("short");
    }
    journal.sync().expect("memory");
    disk
}

fn reopen(disk: &MemoryDisk) -> (Vec<Record>, Outcome) {
    let opened = Journal::open(disk.clone(), NAME).expect("memory");
    (opened.records, opened.outcome)
}

proptest! {
    #[test]
    fn any_sequence_of_records_comes_back(records in records()) {
        let disk = disk_with(&records);
        prop_assert_eq!(reopen(&disk), (records, Outcome::Clean));
    }

    // Jepsen on Tendermint, 2017: a log that was cut short ended its node at every start.
    #[test]
    fn a_cut_at_any_byte_leaves_a_prefix_and_is_reported_once(records in records()) {
        let whole = disk_with(&records).contents(NAME).expect("written");
        for len in 0..whole.len() {
            let mut disk = MemoryDisk::new();
            disk.set_contents(NAME, whole[..len].to_vec());
            let (found, outcome) = reopen(&disk);
            prop_assert!(records.starts_with(&found));
            let left = u64::try_from(disk.contents(NAME).expect("kept").len()).expect("small");
            let cut_bytes = u64::try_from(len).expect("small") - left;
            let expected =
                if cut_bytes == 0 { Outcome::Clean } else { Outcome::TornTail { cut_bytes } };
            prop_assert_eq!(outcome, expected);
            prop_assert_eq!(reopen(&disk), (found, Outcome::Clean));
        }
    }

    // Malachite 0.8.2: a tail of zeros in its log hangs every restart.
    #[test]
    fn a_tail_of_zeros_is_cut_off_wherever_it_begins(records in records(), zeros in 1..40_usize) {
        let whole = disk_with(&records).contents(NAME).expect("written");
        for len in 0..=whole.len() {
            let mut bytes = whole[..len].to_vec();
            bytes.resize(len + zeros, 0);
            let mut disk = MemoryDisk::new();
            disk.set_contents(NAME, bytes);
            let (found, outcome) = reopen(&disk);
            prop_assert!(records.starts_with(&found));
            let torn = matches!(outcome, Outcome::TornTail { .. });
            prop_assert!(torn, "cut at {len}: {outcome:?}");
        }
    }

    // Malachite 0.8.2: one flipped bit in a length drops all later entries of its log in silence.
    // D2
    #[test]
    fn a_changed_bit_in_any_byte_is_damage_and_the_file_is_kept(
        records in records(),
        tail in 0..24_usize,
    ) {
        let whole = disk_with(&records).contents(NAME).expect("written");
        // A torn record behind the good ones must not hide the damage in them.
        let mut torn = whole.clone();
        torn.extend_from_slice(&disk_with(&[Record { height: 1, payload: vec![1] }])
            .contents(NAME).expect("written")[..tail]);
        for at in 0..whole.len() {
            let mut bytes = torn.clone();
            bytes[at] ^= 1 << (at % 8);
            let mut disk = MemoryDisk::new();
            disk.set_contents(NAME, bytes.clone());
            let (found, outcome) = reopen(&disk);
            prop_assert!(records.starts_with(&found) && found.len() < records.len());
            let Outcome::Damaged { kept_as, offset, .. } = outcome else {
                return Err(TestCaseError::fail(format!("byte {at}: {outcome:?}")));
            };
            prop_assert!(offset <= u64::try_from(at).expect("small"));
            prop_assert_eq!(disk.contents(&kept_as), Some(bytes));
            prop_assert_eq!(reopen(&disk), (Vec::new(), Outcome::Clean));
        }
    }

    #[test]
    fn a_crash_keeps_what_was_synced_and_nothing_that_was_not_appended(
        synced in records(),
        unsynced in prop_oneof![records(), long_records()],
        seed in any::<u64>(),
    ) {
        let mut disk = disk_with(&synced);
        // The bytes reach the file, the sync does not come.
        let bytes = disk_with(&unsynced).contents(NAME).expect("written");
        disk.open(NAME).and_then(|mut file| file.append(&bytes)).expect("memory");
        prop_assert_eq!(disk.unsynced_bytes(), bytes.len());
        disk.crash(seed);
        let (found, outcome) = reopen(&disk);
        let appended = [synced.clone(), unsynced].concat();
        prop_assert!(found.starts_with(&synced) && appended.starts_with(&found));
        let damaged = matches!(outcome, Outcome::Damaged { .. });
        prop_assert!(!damaged, "{outcome:?}");
    }

    #[test]
    fn segments_return_every_record_whatever_their_size(
        records in records(),
        segment_bytes_max in 1..120_u64,
    ) {
        let disk = MemoryDisk::new();
        let open = || SegmentedJournal::open(disk.clone(), NAME, segment_bytes_max);
        let mut journal = open().expect("memory").journal;
        for record in &records {
            journal.append(record.height, &record.payload).expect("short");
        }
        journal.sync().expect("memory");
        let opened = open().expect("memory");
        prop_assert_eq!(&opened.records, &records);
        prop_assert_eq!(&opened.outcomes, &[]);
        prop_assert_eq!(opened.journal.len_bytes(), journal.len_bytes());
    }
}

//! The journals on real files.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use cloverleaf_journal::{Disk, FileDisk, Journal, Outcome, Record, SegmentedJournal};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("exists").permissions().mode() & 0o777
}

#[test]
fn folder_and_files_belong_to_their_owner_alone() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let folder = home.path().join("node").join("journals");
    let disk = FileDisk::open(&folder).expect("writable");
    let mut journal = Journal::open(disk, "votes").expect("writable").journal;
    journal.rewrite(&[]).expect("writable");
    assert_eq!(mode(&home.path().join("node")), 0o700);
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("votes")), 0o600);
}

#[test]
fn records_survive_reopening_appending_and_rewriting() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let disk = FileDisk::open(home.path()).expect("writable");
    let mut journal = Journal::open(disk.clone(), "votes")
        .expect("writable")
        .journal;
    journal.append(1, b"one").expect("short");
    journal.sync().expect("writable");
    drop(journal);
    let mut journal = Journal::open(disk.clone(), "votes")
        .expect("writable")
        .journal;
    journal.append(2, b"two").expect("short");
    journal.sync().expect("writable");
    let records = Journal::open(disk.clone(), "votes")
        .expect("writable")
        .records;
    assert_eq!(records.len(), 2);

    journal.rewrite(&records[1..]).expect("writable");
    journal.append(3, b"three").expect("short");
    journal.sync().expect("writable");
    let opened = Journal::open(disk.clone(), "votes").expect("writable");
    let three = Record {
        height: 3,
        payload: b"three".to_vec(),
    };
    assert_eq!(
        (opened.records, opened.outcome),
        (vec![records[1].clone(), three], Outcome::Clean)
    );
    assert_eq!(disk.list().expect("readable"), ["votes"]);
}

#[test]
fn a_torn_tail_is_cut_off_and_damage_is_kept_aside() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let disk = FileDisk::open(home.path()).expect("writable");
    let path = home.path().join("votes");
    let mut journal = Journal::open(disk.clone(), "votes")
        .expect("writable")
        .journal;
    journal.append(1, b"one").expect("short");
    journal.sync().expect("writable");
    let whole = fs::read(&path).expect("written");
    fs::write(&path, [&whole[..], &whole[..9]].concat()).expect("writable");
    let outcome = Journal::open(disk.clone(), "votes")
        .expect("writable")
        .outcome;
    assert_eq!(outcome, Outcome::TornTail { cut_bytes: 9 });
    assert_eq!(fs::read(&path).expect("cut"), whole);

    let mut damaged = whole.clone();
    damaged[10] ^= 4;
    fs::write(&path, &damaged).expect("writable");
    let outcome = Journal::open(disk, "votes").expect("writable").outcome;
    assert!(matches!(outcome, Outcome::Damaged { .. }));
    assert_eq!(
        fs::read(home.path().join("votes.damaged-1")).expect("kept"),
        damaged
    );
    assert_eq!(fs::read(&path).expect("begun anew"), b"");
}

#[test]
fn segments_are_files_that_go_one_by_one() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let disk = FileDisk::open(home.path()).expect("writable");
    let mut journal = SegmentedJournal::open(disk.clone(), "parcels", 60)
        .expect("writable")
        .journal;
    for height in 1..=6 {
        journal.append(height, b"abc").expect("short");
    }
    journal.sync().expect("writable");
    assert_eq!(journal.remove_below(5).expect("writable"), 2);
    assert_eq!(disk.list().expect("readable"), ["parcels-0000000003"]);
    let records = SegmentedJournal::open(disk, "parcels", 60)
        .expect("writable")
        .records;
    assert_eq!(records.len(), 2);
}

#[test]
fn an_error_names_the_path_and_what_to_do() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let disk = FileDisk::open(home.path()).expect("writable");
    fs::create_dir(home.path().join("votes")).expect("writable");
    let Err(error) = Journal::open(disk, "votes") else {
        panic!("a folder is not a journal");
    };
    let message = error.to_string();
    assert!(
        message.contains(&home.path().join("votes").display().to_string()),
        "{message}"
    );
    assert!(message.contains("the node must stop"), "{message}");
}

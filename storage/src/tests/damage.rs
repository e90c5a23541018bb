//! What was not decided is never an answer.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use cloverleaf_types::{Height, Round};

use super::fixture::{Chain, NETWORK, ROLLUPS};
use super::{Home, store_with};
use crate::column::Column;
use crate::{Decision, Store, StoreError, keys};

/// Replaces a stored value behind the store's back.
pub(super) fn replace(
    store: &Store,
    column: Column,
    key: &[u8],
    change: impl FnOnce(Vec<u8>) -> Vec<u8>,
) {
    let database = store.database();
    let value = database.get(column, key).unwrap().unwrap_or_default();
    let mut writes = database.writes();
    writes.put(column, key, &change(value.to_vec()));
    database.write_synced(writes).unwrap();
}

fn assert_damaged<T>(answer: Result<Option<T>, StoreError>, home: &Path) {
    let error = answer.err().expect("damage must be an error");
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(
        error.to_string().contains(home.to_str().unwrap()),
        "{error}"
    );
}

#[test]
fn manifest_that_rocksdb_would_read_for_ever_is_refused_by_its_name() {
    let (home, store, _) = store_with(3);
    drop(store);
    let current = fs::read_to_string(home.path().join("CURRENT")).unwrap();
    let name = current.trim_end();
    let path = home.path().join(name);
    let whole = fs::read(&path).unwrap();
    // The type of the second record: the first one's length is in its header.
    let second = 7 + usize::from(u16::from_le_bytes([whole[4], whole[5]]));
    let mut changed = whole.clone();
    changed[second + 6] = 5;
    fs::write(&path, changed).unwrap();
    let refused = Store::open(&home.path(), NETWORK);
    let error = refused.err().unwrap().to_string();
    assert!(
        error.contains(&format!("the file {name} at byte {second}")),
        "{error}"
    );
    fs::write(&path, whole).unwrap();
    home.open();
}

#[test]
fn header_that_its_certificate_does_not_name_is_damage() {
    let (home, store, _) = store_with(3);
    let key = keys::height(Height(2));
    replace(&store, Column::Blocks, &key, |value| {
        let mut decision = Decision::read(&value).unwrap();
        decision.header.round = Round(1);
        alloy_rlp::encode(decision)
    });
    assert_damaged(store.header(Height(2)), &home.path());
    assert_damaged(store.block_bytes(Height(2)), &home.path());
    assert_damaged(store.batch(ROLLUPS[0], 2), &home.path());
    assert!(
        store.block(Height(1)).unwrap().is_some(),
        "the others are served"
    );
}

#[test]
fn every_flipped_byte_of_a_decision_is_damage_or_only_in_a_signature() {
    let (home, store, _) = store_with(1);
    let key = keys::height(Height(1));
    let original = store.decision(Height(1)).unwrap().unwrap();
    let bytes = alloy_rlp::encode(&original);
    for position in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[position] ^= 1;
        replace(&store, Column::Blocks, &key, |_| flipped);
        match store.decision(Height(1)) {
            Err(error) => assert!(matches!(error, StoreError::Damaged { .. }), "{error}"),
            Ok(read) => {
                let mut read = read.unwrap();
                read.certificate = original.certificate.clone();
                assert_eq!(read, original, "byte {position}");
            }
        }
    }
    drop(home);
}

#[test]
fn batch_at_another_ones_key_is_damage() {
    let (home, store, _) = store_with(2);
    let first = store.batch(ROLLUPS[0], 1).unwrap().unwrap().bytes;
    let key = keys::rollup_seq(ROLLUPS[0], 2);
    replace(&store, Column::Batches, &key, |_| first.to_vec());
    assert_damaged(store.batch(ROLLUPS[0], 2), &home.path());
    assert_damaged(store.block_bytes(Height(2)), &home.path());
}

#[test]
fn batch_that_the_block_does_not_commit_to_is_damage() {
    let (home, store, _) = store_with(1);
    let raws = vec![Bytes::from_static(b"never decided")];
    let other = Chain::new().next_with(&[(ROLLUPS[0], raws)]);
    let key = keys::rollup_seq(ROLLUPS[0], 1);
    replace(&store, Column::Batches, &key, |_| {
        other.batch(ROLLUPS[0]).encoded().to_vec()
    });
    assert_damaged(store.batch(ROLLUPS[0], 1), &home.path());
    assert_damaged(
        store.batches_from(ROLLUPS[0], 1, 1, 1).map(Some),
        &home.path(),
    );
    assert_damaged(store.block_bytes(Height(1)), &home.path());
}

/// Flips a bit of each byte of a value in turn, and puts the value back.
fn flip_each_byte(store: &Store, column: Column, key: &[u8], check: impl Fn(usize)) {
    let original = store.database().get(column, key).unwrap().unwrap();
    for position in 0..original.len() {
        replace(store, column, key, |mut bytes| {
            bytes[position] ^= 1 << (position % 8);
            bytes
        });
        check(position);
        replace(store, column, key, |_| original.to_vec());
    }
}

#[test]
fn every_flipped_byte_of_a_batch_or_its_branch_is_damage_wherever_the_batch_is_served() {
    let (home, store, _) = store_with(1);
    let key = keys::rollup_seq(ROLLUPS[0], 1);
    for column in [Column::Batches, Column::Branches] {
        flip_each_byte(&store, column, &key, |_| {
            assert_damaged(store.batch(ROLLUPS[0], 1), &home.path());
            assert_damaged(store.block_bytes(Height(1)), &home.path());
            assert_damaged(store.block(Height(1)), &home.path());
        });
    }
    assert!(store.batch(ROLLUPS[0], 1).unwrap().is_some());
}

#[test]
fn every_flipped_byte_of_the_list_of_a_blocks_batches_is_damage() {
    let (home, store, _) = store_with(2);
    let key = keys::height_rollup(Height(1), ROLLUPS[1]);
    flip_each_byte(&store, Column::Heights, &key, |_| {
        assert_damaged(store.block_bytes(Height(1)), &home.path());
    });
}

#[test]
fn damage_is_named_by_its_column_and_key() {
    let (_home, store, _) = store_with(1);
    let key = keys::rollup_seq(ROLLUPS[0], 1);
    replace(&store, Column::Batches, &key, |mut bytes| {
        *bytes.last_mut().unwrap() ^= 1;
        bytes
    });
    let error = store.batch(ROLLUPS[0], 1).unwrap_err().to_string();
    let place = "column batches, key 0x00000000000003850000000000000001: batch 1 of rollup 901";
    assert!(error.contains(place), "{error}");
}

#[test]
fn certificate_of_another_height_or_of_a_round_before_the_block_is_damage() {
    let (home, store, _) = store_with(1);
    let key = keys::height(Height(1));
    let original = store.decision(Height(1)).unwrap().unwrap();
    let mut other = original.clone();
    other.certificate.height = Height(2);
    replace(&store, Column::Blocks, &key, |_| alloy_rlp::encode(&other));
    assert_damaged(store.decision(Height(1)), &home.path());
    let mut early = original;
    early.header.round = Round(1);
    early.certificate.block_hash = early.header.hash();
    replace(&store, Column::Blocks, &key, |_| alloy_rlp::encode(&early));
    assert_damaged(store.decision(Height(1)), &home.path());
}

#[test]
fn index_entry_of_another_length_is_damage() {
    let (home, store, mut chain) = store_with(0);
    let decided = chain.next_usual();
    store.commit(&decided.commit()).unwrap();
    let id = decided.ids[0][0];
    let key = keys::transaction(ROLLUPS[0], id);
    replace(&store, Column::Transactions, &key, |mut value| {
        value.pop();
        value
    });
    assert_damaged(store.transaction(ROLLUPS[0], id), &home.path());
    let key = keys::height_rollup(Height(1), ROLLUPS[0]);
    replace(&store, Column::Heights, &key, |_| vec![1]);
    assert_damaged(store.block_bytes(Height(1)), &home.path());
}

#[test]
fn tip_without_its_block_refuses_to_open() {
    let (home, store, mut chain) = store_with(1);
    let elsewhere = chain.next_usual();
    let tip = keys::tip(elsewhere.height(), elsewhere.block.block.hash());
    replace(&store, Column::Meta, crate::store::meta::TIP, |_| {
        tip.to_vec()
    });
    drop(store);
    let refused = Store::open(&home.path(), NETWORK);
    assert_damaged(refused.map(Some), &home.path());
}

#[test]
fn store_of_another_format_is_refused() {
    let home = Home::new();
    let store = home.open();
    replace(&store, Column::Meta, crate::store::meta::FORMAT, |_| {
        vec![0, 0, 0, 9]
    });
    drop(store);
    let refused = Store::open(&home.path(), NETWORK).err().unwrap();
    assert!(
        matches!(
            refused,
            StoreError::OtherFormat {
                found: 9,
                expected: 3,
                ..
            }
        ),
        "{refused}"
    );
}

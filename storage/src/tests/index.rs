//! The index of transactions, which follows its block.

use bytes::Bytes;
use cloverleaf_types::Height;

use super::check::real_store;
use super::damage::replace;
use super::fixture::{Decided, NETWORK, ROLLUPS};
use super::real::Believer;
use super::{Home, store_with};
use crate::column::Column;
use crate::store::meta;
use crate::{Needed, Store, keys};

/// Every transaction of a block is at its place.
fn assert_placed(store: &Store, decided: &Decided) {
    let batches = decided.block.block.batches.iter().zip(&decided.ids);
    for (batch, ids) in batches {
        let (chain_id, seq) = (batch.header().chain_id, batch.header().seq);
        for (index, id) in (0..).zip(ids) {
            let place = store.transaction(chain_id, *id).unwrap().unwrap();
            let expected = (decided.height(), seq, index);
            assert_eq!((place.height, place.seq, place.index), expected);
        }
    }
}

/// What the index has on the disk and in memory, without what is shown besides.
fn entries(store: &Store) -> usize {
    store.places(Column::Transactions).count()
}

fn open_to_read(home: &Home) -> Store {
    let store = Store::open_to_read(&home.path(), NETWORK);
    store.unwrap().unwrap()
}

// D8
#[test]
fn transactions_are_found_as_soon_as_their_block_is_durable_and_before_they_are_in_the_index() {
    let (_home, store, mut chain) = store_with(2);
    let before = entries(&store);
    let decided = chain.next_usual();
    let mut told = false;
    let committed = store.commit_then(&decided.commit(), || {
        assert_eq!(store.tip().unwrap().0, decided.height());
        assert_placed(&store, &decided);
        assert_eq!(entries(&store), before);
        told = true;
    });
    committed.unwrap();
    assert!(told);
    assert_placed(&store, &decided);
    assert!(entries(&store) > before);
}

#[test]
fn nobody_is_told_of_a_block_that_does_not_follow_and_nothing_of_it_is_found() {
    let (_home, store, mut chain) = store_with(1);
    let _skipped = chain.next_usual();
    let later = chain.next_usual();
    let committed = store.commit_then(&later.commit(), || panic!("it is not durable"));
    committed.unwrap_err();
    let (batch, id) = (&later.block.block.batches[0], later.ids[0][0]);
    assert_eq!(
        store.transaction(batch.header().chain_id, id).unwrap(),
        None
    );
}

// D8
#[test]
fn what_a_crash_takes_of_the_index_is_made_again_by_the_next_start() {
    let (home, store, mut chain) = store_with(0);
    let blocks: Vec<_> = (0..5).map(|_| chain.next_usual()).collect();
    for (number, decided) in blocks.iter().enumerate() {
        store.commit(&decided.commit()).unwrap();
        if number == 1 {
            store.database().flush(Column::Transactions).unwrap();
        }
    }
    let image = home.crash_image(&store);
    drop(store);
    assert_eq!(open_to_read(&image).index_goes_to().unwrap(), Height(2));
    let store = image.open();
    assert_eq!(store.index_goes_to().unwrap(), Height(5));
    for decided in &blocks {
        assert_placed(&store, decided);
    }
}

// D8
#[test]
fn start_that_made_places_again_has_them_in_tables_and_the_next_one_makes_none() {
    let (home, store, _) = store_with(4);
    let image = home.crash_image(&store);
    drop(store);
    let store = image.open();
    assert_eq!(store.writer().tabled, Height(4));
    let again = image.crash_image(&store);
    assert_eq!(open_to_read(&again).index_goes_to().unwrap(), Height(4));
}

// D8
#[test]
fn end_waits_for_no_table_unless_it_is_asked_to_and_the_next_start_has_everything() {
    let (home, store, mut chain) = store_with(3);
    let decided = chain.next_usual();
    store.commit(&decided.commit()).unwrap();
    drop(store);
    assert_eq!(open_to_read(&home).index_goes_to().unwrap(), Height(0));
    let store = home.open();
    assert_placed(&store, &decided);
    store.commit(&chain.next_usual().commit()).unwrap();
    store.table_whole_index().unwrap();
    drop(store);
    assert_eq!(open_to_read(&home).index_goes_to().unwrap(), Height(5));
}

#[test]
fn store_of_the_format_before_is_taken_over_with_its_whole_index() {
    let (home, store, mut chain) = store_with(3);
    let database = store.database();
    let mut writes = database.writes();
    writes.put(Column::Meta, meta::FORMAT, &2_u32.to_be_bytes());
    writes.delete(Column::Transactions, keys::INDEX_GOES_TO);
    database.write_synced(writes).unwrap();
    database.flush_all().unwrap();
    drop(store);
    assert_eq!(open_to_read(&home).index_goes_to().unwrap(), Height(3));
    let store = home.open();
    assert_eq!(store.writer().tabled, Height(3));
    let decided = chain.next_usual();
    store.commit(&decided.commit()).unwrap();
    drop(store);
    assert_eq!(open_to_read(&home).index_goes_to().unwrap(), Height(3));
    let store = home.open();
    assert_placed(&store, &decided);
    let format = store.database().get(Column::Meta, meta::FORMAT).unwrap();
    assert_eq!(*format.unwrap(), 3_u32.to_be_bytes());
}

// D8
#[test]
fn transaction_that_is_placed_again_above_the_index_is_found_there_after_a_crash() {
    let (home, store, mut chain) = store_with(0);
    let again = || [(ROLLUPS[0], vec![Bytes::from_static(b"again")])];
    let first = chain.next_with(&again());
    store.commit(&first.commit()).unwrap();
    store.database().flush(Column::Transactions).unwrap();
    let second = chain.next_with(&again());
    store.commit(&second.commit()).unwrap();
    let image = home.crash_image(&store);
    drop(store);
    assert_placed(&image.open(), &second);
}

// D8, W2: an author knows what was ever placed.
#[test]
fn places_in_pruned_blocks_outlive_a_crash() {
    let (home, store, mut chain) = store_with(0);
    let blocks: Vec<_> = (0..6).map(|_| chain.next_usual()).collect();
    for decided in &blocks {
        store.commit(&decided.commit()).unwrap();
    }
    store.prune(Height(4), Needed::ByNobody, 1).unwrap();
    store.prune(Height(4), Needed::ByNobody, u64::MAX).unwrap();
    let image = home.crash_image(&store);
    drop(store);
    let store = image.open();
    assert_eq!(store.first_height().unwrap(), Some(Height(4)));
    for decided in &blocks {
        assert_placed(&store, decided);
    }
}

#[test]
fn index_is_moved_into_tables_once_for_all_that_it_has_and_not_for_each_removal() {
    let (_home, store, mut chain) = store_with(9);
    store.prune(Height(2), Needed::ByNobody, u64::MAX).unwrap();
    assert_eq!(store.writer().tabled, Height(9));
    store.commit(&chain.next_usual().commit()).unwrap();
    for below in 3..=10 {
        let below = Height(below);
        assert_eq!(store.prune(below, Needed::ByNobody, 1).unwrap(), 1);
        assert_eq!(store.writer().tabled, Height(9));
    }
    store.commit(&chain.next_usual().commit()).unwrap();
    store.prune(Height(11), Needed::ByNobody, 1).unwrap();
    assert_eq!(store.writer().tabled, Height(11));
}

// D8
#[test]
fn index_that_a_crash_cut_short_checks_as_whole_and_one_that_says_too_much_does_not() {
    let (home, store, real) = real_store(5);
    let image: Home = home.crash_image(&store);
    let network = real.genesis.network();
    let cut_short = Store::open_to_read(&image.path(), network)
        .unwrap()
        .unwrap();
    assert_eq!(cut_short.index_goes_to().unwrap(), Height(0));
    let check = |store: &Store| store.check(&real.genesis, &Believer).unwrap().unwrap();
    let checked = check(&cut_short);
    assert!(checked.is_whole());
    assert_eq!((checked.transactions, checked.unindexed), (0, 4 * 4 + 2));
    drop(cut_short);
    let whole = Store::open(&image.path(), network).unwrap();
    assert_eq!(check(&whole), check(&store));
    for (says, words) in [
        (Height(6), "goes to block 6"),
        (Height(5), "the index says None"),
    ] {
        replace(&whole, Column::Transactions, keys::INDEX_GOES_TO, |_| {
            keys::height(says).to_vec()
        });
        if says == Height(5) {
            let (key, _) = whole.places(Column::Transactions).next().unwrap().unwrap();
            let mut writes = whole.database().writes();
            writes.delete(Column::Transactions, &key);
            whole.database().write_synced(writes).unwrap();
        }
        let checked = check(&whole);
        let is_it = |found: &crate::Finding| found.what.contains(words);
        assert!(checked.findings.iter().any(is_it), "{words}: {checked:?}");
    }
}

// D8
#[test]
fn index_that_lacks_what_was_pruned_or_does_not_say_how_far_it_goes_is_found() {
    let (_home, store, real) = real_store(70);
    let needed = Needed::ByNobody;
    store.prune(Height(5), needed, u64::MAX).unwrap();
    let check = || store.check(&real.genesis, &Believer).unwrap().unwrap();
    assert!(check().is_whole());
    let cases = [
        (keys::height(Height(3)).to_vec(), "goes to block 3"),
        (vec![1], "no value of this column"),
    ];
    for (says, words) in cases {
        replace(&store, Column::Transactions, keys::INDEX_GOES_TO, |_| says);
        let checked = check();
        let is_it = |found: &crate::Finding| found.what.contains(words);
        assert!(checked.findings.iter().any(is_it), "{words}: {checked:?}");
        assert_eq!(checked.blocks, 66);
    }
}

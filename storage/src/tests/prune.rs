//! What is left after old blocks were removed.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use cloverleaf_types::{ChainId, DecidedBlock, Height};
use rocksdb::perf::{PerfContext, PerfMetric, PerfStatsLevel, set_perf_stats};

use super::check::real_store;
use super::fixture::ROLLUPS;
use super::real::{Believer, CHAINS};
use super::store_with;
use crate::{Checked, Needed, Store, StoreError};

// base/node#126: disks grew by 100 GB a day.
#[test]
fn blocks_below_a_height_are_gone_and_all_others_read_as_before() {
    let (home, store, _) = store_with(6);
    assert_eq!(store.first_height().unwrap(), Some(Height(1)));
    let kept = store.block(Height(4)).unwrap();
    assert_eq!(
        store.prune(Height(4), Needed::ByNobody, u64::MAX).unwrap(),
        3
    );
    let check = |store: &Store| {
        assert_eq!(store.first_height().unwrap(), Some(Height(4)));
        assert_eq!(store.block(Height(3)).unwrap(), None);
        assert_eq!(store.block(Height(4)).unwrap(), kept);
        for chain_id in ROLLUPS {
            assert_eq!(store.first_available(chain_id).unwrap(), Some(4));
            assert_eq!(store.batch(chain_id, 3).unwrap(), None);
            assert!(store.batch(chain_id, 4).unwrap().is_some());
            assert_eq!(store.head(chain_id).unwrap(), Some(6));
        }
        assert_eq!(
            store.prune(Height(4), Needed::ByNobody, u64::MAX).unwrap(),
            0,
            "nothing is left"
        );
    };
    check(&store);
    drop(store);
    check(&home.open());
}

#[test]
fn latest_block_always_stays_and_the_next_one_follows_it() {
    let (_home, store, mut chain) = store_with(3);
    assert_eq!(
        store
            .prune(Height(u64::MAX), Needed::ByNobody, u64::MAX)
            .unwrap(),
        2
    );
    assert_eq!(store.first_height().unwrap(), Some(Height(3)));
    store.commit(&chain.next_usual().commit()).unwrap();
    assert_eq!(store.tip().unwrap().0, Height(4));
    assert!(store.block(Height(4)).unwrap().is_some());
}

#[test]
fn what_was_ever_placed_is_still_known() {
    let (_home, store, mut chain) = store_with(0);
    let decided = chain.next_usual();
    store.commit(&decided.commit()).unwrap();
    store.commit(&chain.next_usual().commit()).unwrap();
    store.prune(Height(2), Needed::ByNobody, u64::MAX).unwrap();
    let chain_id = decided.block.block.batches[0].header().chain_id;
    let place = store.transaction(chain_id, decided.ids[0][0]).unwrap();
    assert_eq!(place.unwrap().height, Height(1));
    let bundle = decided.block.block.manifests[0].bundle_hash();
    assert!(store.bundle(bundle).unwrap().is_some());
}

#[test]
fn rollup_whose_batches_are_all_gone_has_none() {
    let (_home, store, mut chain) = store_with(2);
    let alone = [(ROLLUPS[1], vec![Bytes::from_static(b"alone")])];
    store.commit(&chain.next_with(&alone).commit()).unwrap();
    store.prune(Height(3), Needed::ByNobody, u64::MAX).unwrap();
    assert_eq!(store.first_available(ROLLUPS[0]).unwrap(), None);
    assert_eq!(store.first_available(ROLLUPS[1]).unwrap(), Some(3));
    assert_eq!(store.first_available(ChainId::CONTROL).unwrap(), None);
}

#[test]
fn empty_store_has_nothing_to_remove() {
    let (_home, store, _) = store_with(0);
    assert_eq!(store.first_height().unwrap(), None);
    assert_eq!(
        store.prune(Height(7), Needed::ByNobody, u64::MAX).unwrap(),
        0
    );
}

#[test]
fn each_block_costs_the_same_to_remove_however_many_went_before() {
    const BLOCKS: u64 = 40;
    let (_home, store, _) = store_with(BLOCKS);
    set_perf_stats(PerfStatsLevel::EnableCount);
    let mut perf = PerfContext::default();
    perf.reset();
    assert_eq!(
        store
            .prune(Height(BLOCKS), Needed::ByNobody, u64::MAX)
            .unwrap(),
        BLOCKS - 1
    );
    // What a read passes over because it was removed. From the start each time it is BLOCKS² / 2.
    let passed = perf.metric(PerfMetric::InternalDeleteSkippedCount);
    set_perf_stats(PerfStatsLevel::Disable);
    assert!(passed <= BLOCKS, "{passed}");
}

#[test]
fn chain_0s_batches_stay_with_what_proves_them_and_the_rest_checks_as_before() {
    let (home, store, mut real) = real_store(68);
    let control = store.batch(ChainId::CONTROL, 1).unwrap();
    assert_eq!(control.as_ref().unwrap().height, Height(3));
    assert_eq!(
        store.prune(Height(5), Needed::ByNobody, u64::MAX).unwrap(),
        4
    );
    real.commit_usual(&store);
    drop(store);
    let network = real.genesis.network();
    let store = Store::open(&home.path(), network).unwrap();
    assert_eq!(store.first_height().unwrap(), Some(Height(5)));
    assert_eq!(store.batch(ChainId::CONTROL, 1).unwrap(), control);
    assert_eq!(store.first_available(ChainId::CONTROL).unwrap(), Some(1));
    assert_eq!(store.first_available(CHAINS[0]).unwrap(), Some(5));
    // Its block is not whole any more, and is not served.
    assert_eq!(store.block_bytes(Height(3)).unwrap(), None);
    assert!(store.decision(Height(3)).unwrap().is_some());
    assert_eq!(store.decision(Height(4)).unwrap(), None);
    let checked = store.check(&real.genesis, &Believer).unwrap().unwrap();
    let expected = Checked {
        first: Height(5),
        last: Height(69),
        blocks: 65,
        certificates: 66,
        batches: 65 * 2,
        control_batches: 1,
        transactions: 65 * 4,
        bundles: 65,
        ..Checked::default()
    };
    assert_eq!(checked, expected);
    assert_eq!(store.stats().unwrap().unwrap().first, Height(5));
}

// W1
#[test]
fn store_without_a_block_of_the_replay_window_is_not_whole() {
    let (_home, store, real) = real_store(70);
    let found = |store: &Store| {
        let checked = store.check(&real.genesis, &Believer).unwrap().unwrap();
        checked
            .findings
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<String>>()
    };
    store.prune(Height(6), Needed::ByNobody, u64::MAX).unwrap();
    assert_eq!(found(&store), Vec::<String>::new());
    store.prune(Height(7), Needed::ByNobody, u64::MAX).unwrap();
    assert_eq!(
        found(&store),
        ["block 7: the replay window begins before it, and those blocks were pruned (W1)"]
    );
}

#[test]
fn no_more_blocks_are_removed_at_once_than_was_said() {
    let (_home, store, _) = store_with(6);
    assert_eq!(store.prune(Height(6), Needed::ByNobody, 2).unwrap(), 2);
    assert_eq!(store.first_height().unwrap(), Some(Height(3)));
    assert_eq!(store.prune(Height(6), Needed::ByNobody, 2).unwrap(), 2);
    assert_eq!(store.prune(Height(6), Needed::ByNobody, 2).unwrap(), 1);
    store.reclaim().unwrap();
    assert!(store.block(Height(6)).unwrap().is_some());
}

/// All that a store says of its first blocks.
fn told(store: &Store) -> String {
    let blocks = (1..=8).map(|height| store.block(Height(height)).unwrap());
    let blocks: Vec<_> = blocks.collect();
    let of_rollup = |chain_id: ChainId| {
        let batches = (1..=8).map(|seq| store.batch(chain_id, seq).unwrap());
        let batches: Vec<_> = batches.collect();
        (store.first_available(chain_id).unwrap(), batches)
    };
    let first = store.first_height().unwrap();
    format!("{:?}", (first, blocks, ROLLUPS.map(of_rollup)))
}

#[test]
fn removal_that_is_interrupted_after_any_block_ends_as_one_that_is_not() {
    let (_home, store, _) = store_with(8);
    store.prune(Height(6), Needed::ByNobody, u64::MAX).unwrap();
    let expected = told(&store);
    for removed in 0..=5 {
        let (home, store, _) = store_with(8);
        let stopped = store.prune(Height(6), Needed::ByNobody, removed).unwrap();
        assert_eq!(stopped, removed);
        drop(store);
        let store = home.open();
        assert_eq!(store.first_height().unwrap(), Some(Height(removed + 1)));
        let rest = store.prune(Height(6), Needed::ByNobody, u64::MAX).unwrap();
        assert_eq!(rest, 5 - removed);
        store.reclaim().unwrap();
        assert_eq!(told(&store), expected, "after {removed} blocks");
    }
}

/// Reads what is removed next: all of a block is there, or nothing.
fn read_the_lowest(store: &Store, whole: &[Option<DecidedBlock>]) {
    let first = store.first_height().unwrap().unwrap();
    let index = usize::try_from(first.0).unwrap() - 1;
    for (height, whole) in (first.0..).zip(&whole[index..]).take(3) {
        let found = store.block(Height(height)).unwrap();
        assert!(found.is_none() || found == *whole, "block {height}");
        for chain_id in ROLLUPS {
            store.batch(chain_id, height).unwrap();
        }
    }
}

#[test]
fn who_reads_while_blocks_are_removed_gets_them_whole_or_not_at_all() {
    const LAST: u64 = 200;
    let (_home, store, _) = store_with(LAST);
    let whole = (1..=LAST).map(|height| store.block(Height(height)).unwrap());
    let whole: Vec<_> = whole.collect();
    let is_removed = AtomicBool::new(false);
    let read = || {
        while !is_removed.load(Ordering::Relaxed) {
            read_the_lowest(&store, &whole);
        }
    };
    std::thread::scope(|scope| {
        let readers = [scope.spawn(read), scope.spawn(read)];
        store
            .prune(Height(LAST), Needed::ByNobody, u64::MAX)
            .unwrap();
        is_removed.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
    read_the_lowest(&store, &whole);
    assert_eq!(store.first_height().unwrap(), Some(Height(LAST)));
}

#[test]
fn what_the_replay_window_holds_may_not_be_removed_whatever_is_asked() {
    // A block a second: 64 blocks reach further back than 30 s, and 100 s further than those.
    let (_home, store, _) = store_with(120);
    let below = |keep, window_ms| store.prunable_below(keep, window_ms).unwrap();
    assert_eq!(below(100, 30_000), Height(21));
    assert_eq!(below(64, 30_000), Height(56));
    assert_eq!(below(1, 30_000), Height(56));
    assert_eq!(below(1, 100_000), Height(19));
    assert_eq!(below(1, 1_000_000), Height(1));
    assert_eq!(below(1_000, 30_000), Height(1));
    store
        .prune(below(1, 100_000), Needed::ByNobody, u64::MAX)
        .unwrap();
    assert_eq!(below(1, 100_000), Height(19));
    assert_eq!(below(1, 1_000_000), Height(19));
}

#[test]
fn removal_past_what_the_replay_window_holds_is_refused_before_anything_is_removed() {
    let (_home, store, _) = store_with(120);
    let needed = Needed::ByWindow {
        replay_window_ms: 30_000,
    };
    for below in [Height(57), Height(100), Height(u64::MAX)] {
        let refused = store.prune(below, needed, u64::MAX).unwrap_err();
        let held = matches!(
            refused,
            StoreError::Needed {
                held: Height(57),
                ..
            }
        );
        assert!(held, "{below}: {refused}");
    }
    assert_eq!(store.first_height().unwrap(), Some(Height(1)));
    assert_eq!(store.prune(Height(56), needed, u64::MAX).unwrap(), 55);
    // It is below what is left already: nothing is asked for.
    assert_eq!(store.prune(Height(56), needed, u64::MAX).unwrap(), 0);
}

//! W1: what the replay window holds, and whose knowledge reaches it.

use cloverleaf_bundle::Window;
use cloverleaf_types::{DropReason, Height, TransactionKey};

use crate::support::items::keys;
use crate::support::network::BLOCK_MS;
use crate::support::{Network, genesis, names, only_drop, rollup, tx};

const WINDOW_MS: u64 = 10_000;

/// The one id that a block of this height places here.
fn key(height: u64) -> TransactionKey {
    keys(&tx(901, height))[0]
}

/// A window after blocks 1 to `tip` with one id each.
fn window(tip: u64, block_ms: u64) -> Window {
    let mut window = Window::new(WINDOW_MS);
    for height in 1..=tip {
        window.push(Height(height), height * block_ms, &[key(height)]);
    }
    window
}

fn oldest(window: &Window, tip: u64) -> u64 {
    let held = |height: &u64| window.contains(&key(*height));
    let oldest = (1..=tip).find(held).expect("the tip is held");
    assert!((oldest..=tip).all(|height| held(&height)));
    assert_eq!(window.len() as u64, tip - oldest + 1);
    oldest
}

// W1
#[test]
fn window_holds_64_blocks_however_far_apart_they_are() {
    assert_eq!(oldest(&window(64, 60_000), 64), 1);
    assert_eq!(oldest(&window(65, 60_000), 65), 2);
    assert_eq!(oldest(&window(200, 60_000), 200), 137);
}

#[test]
fn window_holds_its_time_however_many_blocks_that_is() {
    // 10 ms blocks: 1,000 of them and the tip.
    assert_eq!(oldest(&window(1_000, 10), 1_000), 1);
    assert_eq!(oldest(&window(1_001, 10), 1_001), 1);
    assert_eq!(oldest(&window(1_002, 10), 1_002), 2);
}

#[test]
fn window_covers_whoever_knows_the_block_before_its_oldest() {
    assert!(Window::new(WINDOW_MS).covers(Height::GENESIS));
    assert!(Window::new(WINDOW_MS).is_empty());
    assert!(window(64, 60_000).covers(Height::GENESIS));
    let window = window(100, 60_000);
    assert!(!window.covers(Height(35)) && window.covers(Height(36)));
    assert!(window.covers(Height(u64::MAX)));
}

// W1
#[test]
fn node_that_reads_back_as_far_as_the_window_reaches_has_the_same_window() {
    for (tip, block_ms) in [(10, 60_000), (100, 60_000), (1_500, 10), (300, 50)] {
        let grown = window(tip, block_ms);
        let mut read = Window::new(WINDOW_MS);
        let (tip_height, tip_ms) = (Height(tip), tip * block_ms);
        let first = (1..=tip).rev().take_while(|height| {
            grown.reaches(Height(*height), height * block_ms, tip_height, tip_ms)
        });
        let first = first.last().expect("the tip");
        for height in first..=tip {
            read.push(Height(height), height * block_ms, &[key(height)]);
        }
        assert_eq!(oldest(&read, tip), oldest(&grown, tip));
        for seen in 0..=tip {
            assert_eq!(read.covers(Height(seen)), grown.covers(Height(seen)));
        }
    }
}

#[test]
fn window_made_of_whole_blocks_is_the_one_made_of_their_ids() {
    let mut network = Network::new(1, vec![rollup(901), rollup(902)]);
    let mut whole = Window::new(network.state.parameters().replay_window_ms);
    for name in 0..3 {
        let ordered = network.place(vec![tx(901, name), tx(902, name)]);
        whole.push_block(&ordered.block);
    }
    assert_eq!(whole.len(), network.window.len());
    assert!((0..3).all(|name| whole.contains(&keys(&tx(902, name))[0])));
}

#[test]
fn transaction_can_come_back_once_neither_window_nor_author_knows_it() {
    let mut genesis = genesis(1, vec![rollup(901)]);
    genesis.parameters.replay_window_ms = WINDOW_MS;
    let mut network = Network::of(&genesis);
    network.place(vec![tx(901, 1)]);
    network.pass_blocks(63, BLOCK_MS);
    assert_eq!(
        only_drop(&network.place(vec![tx(901, 1)])).reason,
        DropReason::Duplicate
    );
    // W2 forbids this to an author; a rollup's own nonces must forbid it too.
    assert_eq!(names(&network.place(vec![tx(901, 1)]).block, 901), [1]);
}

#[test]
fn parcel_as_old_as_the_window_is_not_stale() {
    let mut network = Network::new(1, vec![rollup(901)]);
    network.seal(0, vec![tx(901, 1)]);
    network.pass_blocks(64, BLOCK_MS);
    assert_eq!(network.commit().drops, []);
}

#[test]
fn id_that_a_block_or_the_window_has_already_is_found_and_others_are_not() {
    let window = window(3, 10);
    assert_eq!(window.repeated(&[]), None);
    assert_eq!(window.repeated(&[key(4), key(5)]), None);
    assert_eq!(window.repeated(&[key(4), key(2), key(1)]), Some(key(2)));
    assert_eq!(window.repeated(&[key(4), key(5), key(4)]), Some(key(4)));
}

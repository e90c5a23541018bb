//! O2: every reason, and where in the item it was found.

use cloverleaf_bundle::DropPlace;
use cloverleaf_types::rollup::{Status, Verification};
use cloverleaf_types::{DropReason, Height, Item, Rollup, Terms};

use crate::support::items::{TX_WEIGHT, stretched};
use crate::support::network::{BLOCK_MS, START_MS, narrow};
use crate::support::{Network, bundle, bundle_in, checked, names, only_drop, reasons};
use crate::support::{genesis, rollup, sized, tx};

/// Rollups 901 and 902 take everything; 903 is paused, 904 takes no bundles, 905 wants everybody's
/// check, 906 has room for two transactions a block; 999 does not exist.
pub(super) fn network() -> Network {
    let paused = Rollup {
        status: Status::Paused,
        ..rollup(903)
    };
    let single = Rollup {
        bundles: false,
        ..rollup(904)
    };
    let everywhere = Rollup {
        verification: Verification::Everywhere,
        ..rollup(905)
    };
    let narrow = narrow(906, 2 * TX_WEIGHT);
    let rollups = vec![rollup(901), rollup(902), paused, single, everywhere, narrow];
    Network::new(2, rollups)
}

/// Terms that name heights, at any time.
pub(super) fn heights(min: u64, max: u64) -> Terms {
    Terms {
        min_height: Height(min),
        max_height: Height(max),
        ..Terms::until(u64::MAX)
    }
}

fn at(leg: usize, transaction: Option<usize>) -> DropPlace {
    DropPlace {
        leg: Some(leg),
        transaction,
    }
}

fn assert_dropped(item: Item, reason: DropReason, place: DropPlace) {
    let ordered = network().place(vec![tx(901, 7), item, tx(901, 8)]);
    let drop = only_drop(&ordered);
    assert_eq!((drop.item, drop.reason, drop.place), (1, reason, place));
    assert_eq!(names(&ordered.block, 901), [7, 8]);
}

// W1
#[test]
fn parcel_from_before_the_window_is_dropped_whole_as_stale() {
    let mut network = network();
    network.seal(0, vec![tx(901, 1), bundle(&[(901, &[2]), (902, &[3])])]);
    network.pass_blocks(65, BLOCK_MS);
    let ordered = network.commit();
    assert_eq!(reasons(&ordered), [DropReason::Stale, DropReason::Stale]);
    assert!(ordered.drops.iter().all(|drop| drop.reason.is_retried()));
    // The author takes the items back and seals them again.
    let again = network.place(vec![tx(901, 1), bundle(&[(901, &[2]), (902, &[3])])]);
    assert_eq!(names(&again.block, 901), [1, 2]);
}

// L1
#[test]
fn unmarked_transaction_for_a_rollup_that_all_verify_is_malformed() {
    assert_dropped(tx(905, 1), DropReason::Malformed, DropPlace::default());
    let legs: &[(u64, &[u64])] = &[(902, &[1]), (905, &[2, 3])];
    assert_dropped(bundle(legs), DropReason::Malformed, at(1, Some(0)));
    let placed = network().place(vec![checked(tx(905, 1)), checked(bundle(&[(905, &[2])]))]);
    assert_eq!(names(&placed.block, 905), [1, 2]);
}

// B4
#[test]
fn bundle_before_its_window_is_too_early_and_in_its_first_block_is_not() {
    let legs: &[(u64, &[u64])] = &[(901, &[1]), (902, &[2])];
    let early = |terms| {
        assert_dropped(
            bundle_in(terms, legs),
            DropReason::TooEarly,
            DropPlace::default(),
        )
    };
    let from = |min_timestamp_ms| Terms {
        min_timestamp_ms,
        ..Terms::until(u64::MAX)
    };
    early(heights(2, u64::MAX));
    early(from(START_MS + BLOCK_MS + 1));
    for terms in [heights(1, u64::MAX), from(START_MS + BLOCK_MS)] {
        let ordered = network().place(vec![bundle_in(terms, legs)]);
        assert_eq!(names(&ordered.block, 902), [2]);
    }
}

// B11
#[test]
fn bundle_after_its_window_is_expired_and_in_its_last_block_is_not() {
    let legs: &[(u64, &[u64])] = &[(901, &[1]), (902, &[2])];
    let late = |terms| {
        assert_dropped(
            bundle_in(terms, legs),
            DropReason::Expired,
            DropPlace::default(),
        )
    };
    late(heights(0, 0));
    late(Terms::until(START_MS + BLOCK_MS - 1));
    for terms in [heights(0, 1), Terms::until(START_MS + BLOCK_MS)] {
        let ordered = network().place(vec![bundle_in(terms, legs)]);
        assert_eq!(names(&ordered.block, 902), [2]);
    }
}

#[test]
fn item_for_a_rollup_that_is_not_registered_is_dropped_for_it() {
    assert_dropped(tx(999, 1), DropReason::UnknownRollup, DropPlace::default());
    let legs: &[(u64, &[u64])] = &[(902, &[1]), (999, &[2])];
    assert_dropped(bundle(legs), DropReason::UnknownRollup, at(1, None));
}

#[test]
fn item_for_a_paused_or_retired_rollup_is_dropped_for_it() {
    assert_dropped(tx(903, 1), DropReason::InactiveRollup, DropPlace::default());
    let legs: &[(u64, &[u64])] = &[(902, &[1]), (903, &[2])];
    assert_dropped(bundle(legs), DropReason::InactiveRollup, at(1, None));
    let retired = Rollup {
        status: Status::Retired,
        ..rollup(901)
    };
    let ordered = Network::new(1, vec![retired]).place(vec![tx(901, 1)]);
    assert_eq!(only_drop(&ordered).reason, DropReason::InactiveRollup);
}

// B2
#[test]
fn bundle_with_a_leg_that_takes_no_bundles_is_dropped_and_a_transaction_alone_is_not() {
    let legs: &[(u64, &[u64])] = &[(902, &[1]), (904, &[2])];
    assert_dropped(bundle(legs), DropReason::AtomicityRefused, at(1, None));
    let ordered = network().place(vec![tx(904, 1)]);
    assert_eq!(names(&ordered.block, 904), [1]);
}

// Astria, audit of April 2024: what was too large was left out and nobody was told.
#[test]
fn item_that_would_not_fit_an_empty_batch_is_too_large_and_closes_nothing() {
    let fits = usize::try_from(2 * TX_WEIGHT - 128).unwrap();
    let too_large = sized(906, 1, fits + 1);
    assert_dropped(
        too_large.clone(),
        DropReason::TooLarge,
        DropPlace::default(),
    );
    let leg = stretched(bundle(&[(902, &[1]), (906, &[2])]), 1, 0, fits + 1);
    assert_dropped(leg, DropReason::TooLarge, at(1, None));
    let ordered = network().place(vec![too_large, sized(906, 2, fits)]);
    assert_eq!(names(&ordered.block, 906), [2]);
    assert!(ordered.block.batches[0].header().full.is_empty());
}

#[test]
fn transaction_longer_than_the_network_takes_is_too_large() {
    let mut genesis = genesis(1, vec![rollup(901)]);
    genesis.parameters.transaction_bytes_max = 1_024;
    let ordered = Network::of(&genesis).place(vec![sized(901, 1, 1_024), sized(901, 2, 1_025)]);
    assert_eq!(names(&ordered.block, 901), [1]);
    assert_eq!(only_drop(&ordered).reason, DropReason::TooLarge);
}

// Astria, audit of April 2024, 3.7: a duplicate in a proposal split proposer and validators.
#[test]
fn transaction_that_is_in_this_block_or_in_the_window_is_a_duplicate() {
    assert_dropped(tx(901, 7), DropReason::Duplicate, DropPlace::default());
    let legs: &[(u64, &[u64])] = &[(902, &[1]), (901, &[2, 7])];
    assert_dropped(bundle(legs), DropReason::Duplicate, at(1, Some(1)));
    let mut network = network();
    network.place(vec![tx(901, 1)]);
    let ordered = network.place(vec![tx(901, 1)]);
    assert_eq!(only_drop(&ordered).reason, DropReason::Duplicate);
}

#[test]
fn same_bytes_on_two_rollups_are_two_transactions() {
    let ordered = network().place(vec![tx(901, 1), tx(902, 1)]);
    assert_eq!(names(&ordered.block, 901), [1]);
    assert_eq!(names(&ordered.block, 902), [1]);
}

// O2
#[test]
fn dropped_item_enters_no_window() {
    let mut network = network();
    let legs: &[(u64, &[u64])] = &[(901, &[1]), (902, &[2])];
    network.place(vec![bundle_in(heights(9, 9), legs)]);
    let ordered = network.place(vec![tx(901, 1), tx(902, 2)]);
    assert_eq!(ordered.drops, []);
}

#[test]
fn item_without_room_in_its_rollup_is_dropped_and_taken_back() {
    let ordered = network().place(vec![tx(906, 1), tx(906, 2), tx(906, 3)]);
    let drop = only_drop(&ordered);
    assert_eq!((drop.item, drop.reason), (2, DropReason::RollupFull));
    assert_eq!(drop.place, DropPlace::default());
    assert!(drop.reason.is_retried());
    let legs: &[(u64, &[u64])] = &[(902, &[1]), (906, &[3])];
    let ordered = network().place(vec![tx(906, 1), tx(906, 2), bundle(legs)]);
    assert_eq!(only_drop(&ordered).place, at(1, None));
}

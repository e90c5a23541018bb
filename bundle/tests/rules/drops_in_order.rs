//! O2: the first check that fails is the reason; what fails two checks shows their order.
//!
//! `rollupFull` before `badControl` cannot be seen: chain 0's limit is the block's, so whatever a cut
//! may add has room there, and no bundle may have a leg there.

use cloverleaf_types::{DropReason, Item, Terms};

use super::drops::{heights, network};
use crate::support::items::stretched;
use crate::support::network::BLOCK_MS;
use crate::support::{bundle, bundle_in, only_drop, tx};

fn reason(item: Item) -> DropReason {
    only_drop(&network().place(vec![item])).reason
}

#[test]
fn stale_comes_before_malformed() {
    let mut network = network();
    network.seal(0, vec![tx(905, 1)]);
    network.pass_blocks(65, BLOCK_MS);
    assert_eq!(only_drop(&network.commit()).reason, DropReason::Stale);
}

#[test]
fn malformed_comes_before_too_early() {
    let item = bundle_in(heights(9, 9), &[(905, &[1])]);
    assert_eq!(reason(item), DropReason::Malformed);
}

#[test]
fn too_early_comes_before_expired() {
    let terms = Terms {
        max_timestamp_ms: 1,
        ..heights(9, 9)
    };
    assert_eq!(
        reason(bundle_in(terms, &[(901, &[1])])),
        DropReason::TooEarly
    );
}

#[test]
fn expired_comes_before_unknown_rollup() {
    let item = bundle_in(Terms::until(1), &[(999, &[1])]);
    assert_eq!(reason(item), DropReason::Expired);
}

#[test]
fn unknown_rollup_comes_before_inactive_rollup() {
    let item = bundle(&[(903, &[1]), (999, &[2])]);
    assert_eq!(reason(item), DropReason::UnknownRollup);
}

#[test]
fn inactive_rollup_comes_before_atomicity_refused() {
    let item = bundle(&[(904, &[1]), (903, &[2])]);
    assert_eq!(reason(item), DropReason::InactiveRollup);
}

#[test]
fn atomicity_refused_comes_before_too_large() {
    let item = stretched(bundle(&[(906, &[1]), (904, &[2])]), 0, 0, 1_000);
    assert_eq!(reason(item), DropReason::AtomicityRefused);
}

#[test]
fn too_large_comes_before_duplicate() {
    let item = stretched(bundle(&[(901, &[1]), (906, &[2])]), 1, 0, 1_000);
    let ordered = network().place(vec![tx(901, 1), item]);
    assert_eq!(only_drop(&ordered).reason, DropReason::TooLarge);
}

#[test]
fn duplicate_comes_before_rollup_full() {
    let ordered = network().place(vec![tx(906, 1), tx(906, 2), tx(906, 3), tx(906, 1)]);
    let reasons = crate::support::reasons(&ordered);
    assert_eq!(reasons, [DropReason::RollupFull, DropReason::Duplicate]);
}

// O2
#[test]
fn each_check_goes_over_all_legs_before_the_next() {
    let item = bundle(&[(901, &[1]), (902, &[2]), (903, &[3])]);
    let ordered = network().place(vec![tx(901, 1), item]);
    let drop = only_drop(&ordered);
    assert_eq!(drop.reason, DropReason::InactiveRollup);
    assert_eq!(drop.place.leg, Some(2));
}

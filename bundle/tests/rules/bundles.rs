//! B5 to B7, B12: all legs or none, where they stand, and who was first.

use cloverleaf_types::{ChainId, DropReason, Span};

use super::drops::{heights, network};
use crate::support::{bundle, bundle_in, names, only_drop, tx};

fn spans(block: &cloverleaf_types::Block, chain_id: u64) -> Vec<Span> {
    block
        .batch(ChainId(chain_id))
        .expect("a batch")
        .spans()
        .to_vec()
}

// B5, B6
#[test]
fn legs_stand_contiguous_at_the_end_of_their_batches() {
    let ordered = network().place(vec![
        tx(901, 1),
        bundle(&[(902, &[2, 3]), (901, &[4, 5, 6])]),
        tx(901, 7),
        bundle(&[(901, &[8]), (902, &[9])]),
    ]);
    assert_eq!(names(&ordered.block, 901), [1, 4, 5, 6, 7, 8]);
    assert_eq!(names(&ordered.block, 902), [2, 3, 9]);
    let span = |manifest, leg, first, count| Span {
        manifest,
        leg,
        legs: 2,
        first,
        count,
    };
    assert_eq!(
        spans(&ordered.block, 901),
        [span(0, 1, 1, 3), span(1, 0, 5, 1)]
    );
    assert_eq!(
        spans(&ordered.block, 902),
        [span(0, 0, 0, 2), span(1, 1, 2, 1)]
    );
}

// B5
#[test]
fn bundle_with_one_bad_leg_places_no_leg() {
    for legs in [
        [(901, &[1_u64][..]), (903, &[2])],
        [(903, &[2]), (901, &[1])],
    ] {
        let ordered = network().place(vec![bundle(&legs)]);
        assert_eq!(ordered.drops.len(), 1);
        assert!(ordered.block.batches.is_empty() && ordered.block.manifests.is_empty());
    }
}

// B12
#[test]
fn block_with_a_bundle_that_cannot_be_placed_is_the_block_without_it() {
    let legs: &[(u64, &[u64])] = &[(901, &[4]), (902, &[5])];
    let too_early = bundle_in(heights(9, 9), legs);
    let with = network().place(vec![tx(901, 1), too_early, tx(902, 2)]);
    let without = network().place(vec![tx(901, 1), tx(902, 2)]);
    assert_eq!(with.block.batches, without.block.batches);
    assert_eq!(with.block.manifests, without.block.manifests);
    assert_eq!(
        with.block.header.heads_root,
        without.block.header.heads_root
    );
}

// B7
#[test]
fn of_a_bundle_and_its_leg_alone_the_first_in_linear_order_is_placed() {
    let whole = || bundle(&[(901, &[1]), (902, &[2])]);
    let ordered = network().place(vec![whole(), tx(902, 2)]);
    assert_eq!(only_drop(&ordered).item, 1);
    assert_eq!(names(&ordered.block, 901), [1]);
    let ordered = network().place(vec![tx(902, 2), whole()]);
    let drop = only_drop(&ordered);
    assert_eq!((drop.item, drop.reason), (1, DropReason::Duplicate));
    assert!(names(&ordered.block, 901).is_empty());
}

// B7
#[test]
fn of_two_bundles_with_a_transaction_in_common_the_first_is_placed_whatever_the_lane() {
    let mut network = network();
    // Height 1 rotates lane 1 before lane 0 (O1).
    network.seal(0, vec![bundle(&[(901, &[1]), (902, &[3])])]);
    network.seal(1, vec![bundle(&[(901, &[2]), (902, &[3])])]);
    let ordered = network.commit();
    assert_eq!(names(&ordered.block, 901), [2]);
    assert_eq!(only_drop(&ordered).slot.author, network.lanes[0].author);
}

#[test]
fn bundle_of_one_leg_is_contiguous_and_has_a_manifest() {
    let ordered = network().place(vec![bundle(&[(901, &[1, 2])])]);
    assert_eq!(names(&ordered.block, 901), [1, 2]);
    assert_eq!(ordered.block.manifests.len(), 1);
}

#[test]
fn what_bundles_use_is_metered_leg_by_leg() {
    let mut network = network();
    network.place(vec![bundle(&[(901, &[1, 2]), (902, &[3])]), tx(901, 4)]);
    network.place(vec![bundle(&[(901, &[5])])]);
    let used = network.state.rollup(ChainId(901)).unwrap().metering;
    assert_eq!(
        (used.batches, used.legs, used.transactions, used.bytes),
        (2, 2, 4, 4 * 72)
    );
    let used = network.state.rollup(ChainId(902)).unwrap().metering;
    assert_eq!((used.batches, used.legs, used.transactions), (1, 1, 1));
}

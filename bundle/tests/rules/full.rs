//! O3: shares of a full rollup, and what becomes of a lane that finds no room.

use cloverleaf_bundle::Ordered;
use cloverleaf_types::weight::item_weight;
use cloverleaf_types::{
    Address, Block, ChainId, CommitCertificate, DecidedBlock, DropReason, Height, Item, Round,
    Terms,
};

use crate::support::items::{TX_WEIGHT, stretched};
use crate::support::network::{BLOCK_MS, narrow};
use crate::support::{
    Network, bundle, bundle_in, genesis, names, only_drop, reasons, rollup, sized, tx,
};

/// Lanes over rollup 901 without a limit of its own, and 906 and 907 with room for `count`
/// transactions each.
fn network(validators: u8, count: u64) -> Network {
    let limit = count * TX_WEIGHT;
    let rollups = vec![rollup(901), narrow(906, limit), narrow(907, limit)];
    Network::new(validators, rollups)
}

fn full(ordered: &Ordered, chain_id: u64) -> Vec<Address> {
    let batch = ordered.block.batch(ChainId(chain_id));
    batch.map_or(Vec::new(), |batch| batch.header().full.clone())
}

#[test]
fn batch_of_a_full_rollup_names_the_authors_that_found_no_room() {
    let mut network = network(2, 2);
    network.seal(0, vec![tx(906, 1), tx(906, 2)]);
    network.seal(1, vec![tx(906, 3), tx(906, 4)]);
    let ordered = network.commit();
    assert_eq!(names(&ordered.block, 906), [3, 1]);
    let authors: Vec<Address> = network.lanes.iter().map(|lane| lane.author).collect();
    assert_eq!(full(&ordered, 906), authors);
    for author in authors {
        assert_eq!(
            network.state.closed_at(author, ChainId(906)),
            Some(Height(1))
        );
    }
}

#[test]
fn lane_that_leaves_room_leaves_it_to_the_others() {
    let mut network = network(2, 4);
    network.seal(0, vec![tx(906, 1)]);
    network.seal(1, (2..=4).map(|name| tx(906, name)).collect());
    assert_eq!(network.commit().drops, []);
}

#[test]
fn lane_without_room_gets_no_later_item_in_even_if_it_would_fit() {
    let mut network = network(1, 2);
    let ordered = network.place(vec![
        tx(906, 1),
        sized(906, 2, 100),
        sized(906, 3, 8),
        tx(901, 4),
    ]);
    assert_eq!(names(&ordered.block, 906), [1]);
    assert_eq!(names(&ordered.block, 901), [4]);
    assert_eq!(reasons(&ordered), [DropReason::RollupFull; 2]);
}

#[test]
fn empty_batch_takes_an_item_larger_than_its_lanes_share() {
    let mut network = network(2, 2);
    let whole = usize::try_from(2 * TX_WEIGHT - 128).unwrap();
    network.seal(0, vec![sized(906, 1, whole)]);
    network.seal(1, vec![sized(906, 2, whole)]);
    let ordered = network.commit();
    assert_eq!(names(&ordered.block, 906), [2]);
    assert_eq!(full(&ordered, 906), [network.lanes[0].author]);
}

// O3
#[test]
fn bundle_closes_its_first_listed_leg_without_room_and_no_other() {
    let mut network = network(1, 2);
    let legs: &[(u64, &[u64])] = &[(901, &[5]), (907, &[4]), (906, &[3])];
    let alone = [(906, 1), (906, 2), (907, 1), (907, 2)];
    let mut items: Vec<Item> = alone.map(|(chain_id, name)| tx(chain_id, name)).into();
    items.push(bundle(legs));
    let ordered = network.place(items);
    assert_eq!(only_drop(&ordered).place.leg, Some(1));
    assert_eq!(full(&ordered, 907), [network.lanes[0].author]);
    assert!(full(&ordered, 906).is_empty());
}

#[test]
fn item_dropped_because_its_rollup_was_closed_closes_nothing() {
    let mut network = network(1, 2);
    let legs: &[(u64, &[u64])] = &[(907, &[5]), (906, &[4])];
    let items = vec![tx(906, 1), tx(906, 2), tx(906, 3), bundle(legs), tx(907, 6)];
    let ordered = network.place(items);
    assert_eq!(reasons(&ordered), [DropReason::RollupFull; 2]);
    assert_eq!(ordered.drops[1].place.leg, Some(1));
    assert_eq!(names(&ordered.block, 907), [6]);
}

#[test]
fn parcel_sealed_before_its_author_knew_is_dropped_and_the_next_one_ends_the_closing() {
    let mut network = network(1, 1);
    network.seal(0, vec![tx(906, 1), tx(906, 2)]);
    network.seal(0, vec![tx(906, 3), tx(901, 9)]);
    network.decide(&network.propose_some(BLOCK_MS, &[1]));
    let author = network.lanes[0].author;
    // The second parcel did not know: its item for the closed rollup goes, the other stays.
    let ordered = network.commit();
    assert_eq!(only_drop(&ordered).reason, DropReason::RollupFull);
    assert_eq!(names(&ordered.block, 901), [9]);
    assert_eq!(
        network.state.closed_at(author, ChainId(906)),
        Some(Height(1))
    );
    // The author pools them again in order.
    let ordered = network.place(vec![tx(906, 2)]);
    assert_eq!(names(&ordered.block, 906), [2]);
    assert_eq!(network.state.closed_at(author, ChainId(906)), None);
}

#[test]
fn cut_over_parcels_from_before_and_after_the_author_knew_tells_them_apart() {
    let mut network = network(1, 1);
    network.seal(0, vec![tx(906, 1), tx(906, 2)]);
    network.seal(0, vec![tx(906, 3)]);
    network.decide(&network.propose_some(BLOCK_MS, &[1]));
    network.seal(0, vec![tx(906, 2)]);
    let ordered = network.commit();
    assert_eq!(names(&ordered.block, 906), [2]);
    assert_eq!(only_drop(&ordered).slot.seq, 1);
    assert_eq!(
        network
            .state
            .closed_at(network.lanes[0].author, ChainId(906)),
        None
    );
}

#[test]
fn lane_that_finds_no_room_again_is_closed_again() {
    let mut network = network(1, 1);
    network.place(vec![tx(906, 1), tx(906, 2)]);
    let ordered = network.place(vec![tx(906, 2), tx(906, 3)]);
    assert_eq!(names(&ordered.block, 906), [2]);
    let closed_at = network
        .state
        .closed_at(network.lanes[0].author, ChainId(906));
    assert_eq!(closed_at, Some(Height(2)));
}

#[test]
fn closing_one_lane_or_rollup_closes_no_other() {
    let mut network = network(2, 2);
    network.seal(0, (1..=3).map(|name| tx(906, name)).collect());
    network.commit();
    network.seal_as(1, Height(0), 0, vec![tx(906, 4)]);
    network.seal_as(0, Height(0), 0, vec![tx(907, 5)]);
    assert_eq!(network.commit().drops, []);
}

#[test]
fn item_that_is_dropped_for_another_reason_takes_no_share() {
    let mut network = network(2, 5);
    let expired = bundle_in(Terms::until(1), &[(906, &[10, 11, 12, 13, 14])]);
    network.seal(0, (1..=4).map(|name| tx(906, name)).collect());
    network.seal(1, vec![expired, tx(906, 5)]);
    let ordered = network.commit();
    assert_eq!(reasons(&ordered), [DropReason::Expired]);
    assert_eq!(names(&ordered.block, 906), [5, 1, 2, 3, 4]);
}

#[test]
fn lane_that_copies_another_takes_no_share_from_it() {
    let mut network = network(2, 4);
    let items = || (1..=4).map(|name| tx(906, name)).collect();
    let now_ms = network.state.timestamp_ms() + 1;
    network.seal_as(0, Height(0), now_ms, items());
    network.seal_as(1, Height(0), now_ms + 1, items());
    let ordered = network.commit();
    assert_eq!(names(&ordered.block, 906), [1, 2, 3, 4]);
    assert_eq!(reasons(&ordered), [DropReason::Duplicate; 4]);
}

#[test]
fn closed_lanes_doomed_parcels_take_no_share() {
    let mut network = network(2, 4);
    network.seal(0, (1..=5).map(|name| tx(906, name)).collect());
    network.seal(0, (6..=9).map(|name| tx(906, name)).collect());
    network.decide(&network.propose_some(BLOCK_MS, &[1, 0]));
    network.seal(1, (11..=14).map(|name| tx(906, name)).collect());
    let ordered = network.commit();
    assert_eq!(names(&ordered.block, 906), [11, 12, 13, 14]);
    assert!(full(&ordered, 906).is_empty());
}

/// How long a block is as it is kept and sent, without its certificate, in bytes.
fn encoded_bytes(block: &Block) -> u64 {
    let certificate = CommitCertificate {
        height: block.header.height,
        round: Round::FIRST,
        block_hash: block.hash(),
        signatures: Vec::new(),
    };
    let block = block.clone();
    let decided = DecidedBlock { block, certificate };
    u64::try_from(decided.encode().len()).expect("64 bits")
}

// Astria, audit of April 2024, 3.1: what a proposal takes besides its transactions was not counted.
#[test]
fn block_of_the_smallest_items_is_no_longer_than_they_weigh() {
    let rollups: Vec<u64> = (1..=16).collect();
    let genesis = genesis(
        1,
        rollups.iter().map(|chain_id| rollup(*chain_id)).collect(),
    );
    let begun: Vec<Item> = rollups.iter().map(|it| sized(*it, *it, 8)).collect();
    let alone = |name: u64| sized(1 + name % 16, name, 8);
    let one_leg = |name: u64| stretched(bundle(&[(1 + name % 16, &[name])]), 0, 0, 8);
    let all_legs = |name: u64| {
        let names: Vec<[u64; 1]> = (0..16).map(|leg| [16 * name + leg]).collect();
        let legs: Vec<(u64, &[u64])> = rollups
            .iter()
            .copied()
            .zip(&names)
            .map(|(chain_id, name)| (chain_id, &name[..]))
            .collect();
        (0..16).fold(bundle(&legs), |item, leg| stretched(item, leg, 0, 8))
    };
    let kinds: [&dyn Fn(u64) -> Item; 3] = [&alone, &one_leg, &all_legs];
    for (kind, make) in kinds.into_iter().enumerate() {
        // What every block has is there already.
        let before = encoded_bytes(&Network::of(&genesis).place(begun.clone()).block);
        let more: Vec<Item> = (100..200).map(make).collect();
        let weight: u64 = more.iter().map(item_weight).sum();
        let ordered = Network::of(&genesis).place([begun.clone(), more].concat());
        assert_eq!(ordered.drops, []);
        let after = encoded_bytes(&ordered.block);
        assert!(
            after - before <= weight,
            "kind {kind}: {} > {weight}",
            after - before
        );
    }
}

//! O1: the block's linear order, seen through one rollup's batch.

use cloverleaf_types::Height;

use crate::support::network::BLOCK_MS;
use crate::support::{Network, names, rollup, tx};

const SEEN: Height = Height::GENESIS;

/// A network after `blocks` empty blocks: at height h, lane i of n has turn (i + h) mod n.
fn network(validators: u8, blocks: usize) -> Network {
    let mut network = Network::new(validators, vec![rollup(901)]);
    network.pass_blocks(blocks, BLOCK_MS);
    network
}

#[test]
fn parcels_stand_by_the_time_that_their_authors_claim() {
    let mut network = network(3, 0);
    let parent_ms = network.state.timestamp_ms();
    for (lane, time_ms) in [(0, 300), (1, 100), (2, 200)] {
        network.seal_as(lane, SEEN, parent_ms + time_ms, vec![tx(901, time_ms)]);
    }
    assert_eq!(names(&network.commit().block, 901), [100, 200, 300]);
}

#[test]
fn author_cannot_reach_back_before_the_parents_time() {
    // Height 2 of two lanes: lane 0 has the first turn.
    let mut network = network(2, 1);
    let parent_ms = network.state.timestamp_ms();
    network.seal_as(1, SEEN, 0, vec![tx(901, 1)]);
    network.seal_as(0, SEEN, parent_ms, vec![tx(901, 0)]);
    assert_eq!(names(&network.commit().block, 901), [0, 1]);
}

#[test]
fn author_cannot_reach_ahead_of_the_blocks_time() {
    // Height 1 of two lanes: lane 1 has the first turn.
    let mut network = network(2, 0);
    let block_ms = network.state.timestamp_ms() + BLOCK_MS;
    network.seal_as(1, SEEN, u64::MAX, vec![tx(901, 1)]);
    network.seal_as(0, SEEN, block_ms, vec![tx(901, 0)]);
    assert_eq!(names(&network.commit().block, 901), [1, 0]);
}

#[test]
fn parcels_of_a_lane_stay_in_its_order_whatever_times_they_claim() {
    let mut network = network(2, 0);
    let parent_ms = network.state.timestamp_ms();
    for (name, time_ms) in [(1, 500), (2, 100), (3, 300)] {
        network.seal_as(0, SEEN, parent_ms + time_ms, vec![tx(901, name)]);
    }
    network.seal_as(1, SEEN, parent_ms + 400, vec![tx(901, 4)]);
    assert_eq!(names(&network.commit().block, 901), [4, 1, 2, 3]);
}

// O1
#[test]
fn one_claimed_time_gives_the_turn_to_another_lane_at_every_height() {
    let mut network = network(3, 0);
    let mut firsts = Vec::new();
    for height in 1..=4 {
        let (seen, now_ms) = (network.state.height(), network.state.timestamp_ms() + 1);
        for lane in 0..3 {
            network.seal_as(lane, seen, now_ms, vec![tx(901, 10 * height + lane as u64)]);
        }
        firsts.push(names(&network.commit().block, 901)[0] % 10);
    }
    assert_eq!(firsts, [2, 1, 0, 2]);
}

#[test]
fn turn_counts_all_lanes_of_the_height_not_only_those_of_the_cut() {
    // Height 1 of three lanes: turns of lanes 0, 1, 2 are 1, 2, 0; without lane 1 they still are.
    let mut network = network(3, 0);
    network.seal(0, vec![tx(901, 0)]);
    network.seal(2, vec![tx(901, 2)]);
    assert_eq!(names(&network.commit().block, 901), [2, 0]);
}

// O1
#[test]
fn parcels_with_one_key_stand_by_lane_and_then_by_number() {
    let mut network = network(2, 0);
    for name in [1, 2] {
        network.seal(0, vec![tx(901, name)]);
        network.seal(1, vec![tx(901, 10 + name)]);
    }
    assert_eq!(names(&network.commit().block, 901), [11, 12, 1, 2]);
}

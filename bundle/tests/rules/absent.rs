//! P1: who proposes, who is passed over, and what ends it.

use cloverleaf_bundle::State;
use cloverleaf_types::{Address, Height, Round};

use crate::support::network::BLOCK_MS;
use crate::support::{Network, genesis};

fn network(validators: u8) -> Network {
    Network::new(validators, vec![])
}

fn address(lane: u8) -> Address {
    Address::repeat_byte(lane + 1)
}

fn lanes(state: &State) -> Vec<u8> {
    let proposers = state.proposers();
    proposers.iter().map(|address| address[0] - 1).collect()
}

fn absent(state: &State) -> Vec<(u8, u64)> {
    let absent = state.absent().iter();
    absent
        .map(|(address, height)| (address[0] - 1, height.0))
        .collect()
}

#[test]
fn proposer_is_number_height_plus_round_of_the_set() {
    let mut network = network(4);
    for height in 1..=5 {
        for round in 0..9 {
            let lane = u8::try_from((height + u64::from(round)) % 4).unwrap();
            assert_eq!(network.state.proposer(Round(round)), address(lane));
        }
        network.commit();
    }
}

// P1
#[test]
fn block_of_a_later_round_marks_the_proposers_of_the_earlier_ones() {
    let mut network = network(7);
    assert_eq!(lanes(&network.state), [1, 2, 3, 4, 5, 6, 0]);
    network.commit_in_round(2);
    assert_eq!(absent(&network.state), [(1, 1), (2, 1)]);
}

#[test]
fn block_of_the_first_round_marks_nobody() {
    let mut network = network(7);
    network.commit();
    assert_eq!(absent(&network.state), []);
}

#[test]
fn absent_validators_propose_last_and_each_part_rotates_on_its_own() {
    let mut network = network(7);
    network.commit_in_round(2);
    // Height 2: present 0, 3, 4, 5, 6 from number 2; absent 1, 2 from number 2 + 5.
    assert_eq!(lanes(&network.state), [4, 5, 6, 0, 3, 2, 1]);
    network.commit();
    assert_eq!(lanes(&network.state), [5, 6, 0, 3, 4, 1, 2]);
}

#[test]
fn marks_never_pass_over_more_than_f_and_the_oldest_go_first() {
    let mut network = network(7);
    network.commit_in_round(2);
    // Height 2 starts with lane 4: one more mark than f = 2 allows.
    network.commit_in_round(1);
    assert_eq!(absent(&network.state), [(2, 1), (4, 2)]);
    // A round beyond all validators marks all, of which the last two by address stay.
    network.commit_in_round(100);
    assert_eq!(absent(&network.state), [(5, 3), (6, 3)]);
}

#[test]
fn marks_of_earlier_heights_go_before_those_of_later_ones() {
    let mut network = network(7);
    network.pass_blocks(2, BLOCK_MS);
    network.commit_in_round(2);
    assert_eq!(absent(&network.state), [(3, 3), (4, 3)]);
    network.commit_in_round(2);
    assert_eq!(absent(&network.state), [(0, 4), (6, 4)]);
}

#[test]
fn network_that_tolerates_no_fault_marks_nobody() {
    for validators in 1..=3 {
        let mut network = network(validators);
        network.commit_in_round(5);
        assert_eq!(absent(&network.state), []);
    }
}

#[test]
fn power_decides_how_many_are_passed_over() {
    let mut genesis = genesis(4, vec![]);
    // f = 2 of 8: the strong one cannot be passed over, two of the weak can.
    genesis.validators[1].power = 5;
    let mut network = Network::of(&genesis);
    network.commit_in_round(1);
    assert_eq!(absent(&network.state), []);
    network.commit_in_round(2);
    assert_eq!(absent(&network.state), [(2, 2), (3, 2)]);
}

// P1
#[test]
fn mark_ends_when_the_lane_shows_that_it_saw_the_marking_block() {
    let mut network = network(4);
    // Sealed before the block that marks its author.
    network.seal(1, vec![]);
    let mut proposal = network.propose_some(BLOCK_MS, &[]);
    proposal.plan.round = Round(1);
    network.decide(&proposal);
    assert_eq!(absent(&network.state), [(1, 1)]);
    network.commit();
    assert_eq!(absent(&network.state), [(1, 1)]);
    // An empty parcel is proof of life enough.
    network.seal_as(1, Height(1), 0, vec![]);
    network.commit();
    assert_eq!(absent(&network.state), []);
}

#[test]
fn parcel_in_the_marking_block_itself_is_no_proof_of_life() {
    let mut network = network(4);
    network.commit();
    network.seal(2, vec![]);
    network.commit_in_round(1);
    assert_eq!(absent(&network.state), [(2, 2)]);
}

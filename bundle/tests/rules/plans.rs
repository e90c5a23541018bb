//! V2: plans that no correct proposer makes, one for each rule.

use cloverleaf_bundle::{PlanError, check_header, check_plan};
use cloverleaf_types::{B256, Epoch, Height, L1Ref, ParcelHeader, Round, Slot};

use crate::support::network::entry;
use crate::support::{Network, Proposal, genesis, rollup, sized, tx};

/// Two lanes with a parcel that is cut, and two that are not.
fn network() -> Network {
    let mut network = Network::new(2, vec![rollup(901)]);
    for lane in [0, 1] {
        network.seal(lane, vec![tx(901, lane as u64)]);
    }
    network.commit();
    for name in [10, 20] {
        network.seal(0, vec![tx(901, name)]);
        network.seal(1, vec![tx(901, name + 1)]);
    }
    network
}

fn check(network: &Network, proposal: &Proposal) -> Result<(), PlanError> {
    check_plan(&network.state, &proposal.plan, &proposal.slices)
}

fn slot(network: &Network, lane: usize, seq: u64) -> Slot {
    Slot {
        author: network.lanes[lane].author,
        epoch: Epoch(0),
        seq,
    }
}

#[test]
fn plan_may_cut_all_lanes_some_or_none() {
    let network = network();
    for counts in [&[2, 2][..], &[1, 0], &[0, 1], &[0, 0]] {
        assert_eq!(check(&network, &network.propose_some(1, counts)), Ok(()));
    }
}

#[test]
fn plan_for_another_height_than_the_next_is_refused() {
    let network = network();
    for found in [Height(1), Height(3)] {
        let mut proposal = network.propose();
        proposal.plan.height = found;
        let expected = Height(2);
        let error = PlanError::WrongHeight { found, expected };
        assert_eq!(check(&network, &proposal), Err(error));
    }
}

// T1
#[test]
fn plan_whose_time_does_not_rise_is_refused() {
    let network = network();
    let parent = network.state.timestamp_ms();
    for found in [0, parent - 1, parent] {
        let mut proposal = network.propose();
        proposal.plan.timestamp_ms = found;
        let error = PlanError::TimeFalls { found, parent };
        assert_eq!(check(&network, &proposal), Err(error));
    }
}

#[test]
fn plan_that_names_a_layer_1_block_is_refused() {
    let network = network();
    let mut proposal = network.propose();
    proposal.plan.l1 = L1Ref {
        number: 1,
        ..L1Ref::default()
    };
    assert_eq!(check(&network, &proposal), Err(PlanError::UnexpectedL1));
}

#[test]
fn cut_that_names_a_lane_nobody_has_or_one_twice_or_out_of_order_is_refused() {
    let network = network();
    let mut unknown = network.propose();
    unknown.plan.cut[1].lane = 2;
    let mut twice = network.propose();
    twice.plan.cut[1].lane = 0;
    let mut falling = network.propose();
    falling.plan.cut.reverse();
    falling.slices.reverse();
    let mut missing = network.propose();
    missing.slices.pop();
    for proposal in [unknown, twice, falling, missing] {
        assert_eq!(check(&network, &proposal), Err(PlanError::BadLane));
    }
}

fn assert_broken(network: &Network, proposal: &Proposal, lane: usize) {
    let entry = proposal.plan.cut[lane];
    let slot = Slot {
        author: network.lanes[lane].author,
        epoch: entry.epoch,
        seq: entry.seq,
    };
    assert_eq!(
        check(network, proposal),
        Err(PlanError::BrokenChain { slot })
    );
}

#[test]
fn cut_whose_entry_is_not_its_last_parcel_is_refused() {
    let network = network();
    let mut shorter = network.propose();
    shorter.slices[0].pop();
    assert_broken(&network, &shorter, 0);
    let mut other_hash = network.propose();
    other_hash.plan.cut[0].parcel_hash = B256::repeat_byte(1);
    assert_broken(&network, &other_hash, 0);
    let mut other_seen = network.propose();
    other_seen.plan.cut[0].seen = Height(0);
    assert_broken(&network, &other_seen, 0);
    let mut empty = network.propose();
    empty.slices[1].clear();
    assert_broken(&network, &empty, 1);
}

#[test]
fn cut_whose_entry_claims_another_number_than_its_last_parcel_has_is_refused() {
    let network = network();
    for seq in [0, 1, 3, u64::MAX] {
        let mut proposal = network.propose();
        proposal.plan.cut[0].seq = seq;
        assert_broken(&network, &proposal, 0);
    }
}

// L2
#[test]
fn slice_that_does_not_follow_the_last_cut_or_leaves_a_parcel_out_is_refused() {
    let network = network();
    let mut gap_at_start = network.propose();
    gap_at_start.slices[0].remove(0);
    assert_broken(&network, &gap_at_start, 0);
    let mut again = network.propose();
    let first = again.slices[0][0].clone();
    again.slices[0].insert(0, first);
    assert_broken(&network, &again, 0);
    let mut of_another = network.propose();
    of_another.slices[0] = of_another.slices[1].clone();
    of_another.plan.cut[0] = entry(0, &of_another.slices[0]).unwrap();
    assert_broken(&network, &of_another, 0);
}

#[test]
fn parcel_that_follows_another_parcel_than_the_one_that_was_cut_is_refused() {
    // The author signed two parcels for one slot; this lane continues the one that was not cut.
    let mut network = network();
    let mut other = Network::new(2, vec![rollup(901)]);
    other.seal(0, vec![tx(901, 99)]);
    other.commit();
    other.seal(0, vec![tx(901, 10)]);
    network.lanes[0] = other.lanes[0].clone();
    assert_broken(&network, &network.propose(), 0);
}

// L2
#[test]
fn lane_goes_on_in_a_higher_epoch_and_never_in_a_lower_one() {
    let mut network = network();
    network.commit();
    network.restart(0, Epoch(2));
    network.seal(0, vec![tx(901, 30)]);
    let first = network.propose();
    assert_eq!(check(&network, &first), Ok(()));
    network.commit();
    assert_eq!(
        network
            .state
            .last_cut(network.lanes[0].author)
            .unwrap()
            .epoch,
        Epoch(2)
    );
    network.restart(0, Epoch(1));
    network.seal(0, vec![tx(901, 31)]);
    assert_broken(&network, &network.propose(), 0);
}

#[test]
fn cut_entry_never_spans_two_epochs() {
    let mut network = network();
    network.restart(0, Epoch(1));
    network.seal(0, vec![tx(901, 30)]);
    let mut proposal = network.propose();
    proposal.slices[0] = network.lanes[0].uncut.clone();
    proposal.plan.cut[0] = entry(0, &proposal.slices[0]).unwrap();
    assert_broken(&network, &proposal, 0);
}

#[test]
fn parcel_that_claims_to_have_seen_its_own_block_is_refused() {
    let mut network = network();
    let seen = Height(2);
    network.seal_as(0, seen, 0, vec![]);
    let slot = slot(&network, 0, 3);
    let error = PlanError::BadSeen { slot, seen };
    assert_eq!(check(&network, &network.propose()), Err(error));
}

// L2
#[test]
fn lane_whose_knowledge_falls_is_refused() {
    let mut network = network();
    network.commit();
    let mut forgetful = Network::new(2, vec![rollup(901)]);
    forgetful.restart(0, Epoch(1));
    let slot = forgetful.seal(0, vec![]);
    let parcel: &ParcelHeader = forgetful.lanes[0].uncut[0].parcel.header();
    assert_eq!(parcel.seen, Height(0));
    network.lanes[0] = forgetful.lanes[0].clone();
    let seen = Height(0);
    let error = PlanError::BadSeen { slot, seen };
    assert_eq!(check(&network, &network.propose()), Err(error));
}

#[test]
fn cut_longer_than_a_lane_may_be_is_refused() {
    let mut network = Network::new(1, vec![rollup(901)]);
    for _ in 0..257 {
        network.seal(0, vec![]);
    }
    assert_eq!(check(&network, &network.propose_some(1, &[256])), Ok(()));
    let (slot, count) = (slot(&network, 0, 256), 257);
    let error = PlanError::TooManyParcels { slot, count };
    assert_eq!(check(&network, &network.propose()), Err(error));
}

// W4
#[test]
fn cut_heavier_than_a_block_may_be_is_refused() {
    let mut genesis = genesis(2, vec![rollup(901)]);
    let mut network = Network::of(&genesis);
    // Together heavier than the smallest block that a network can choose.
    network.seal(0, (1..=3).map(|name| sized(901, name, 120_000)).collect());
    network.seal(1, (4..=6).map(|name| sized(901, name, 120_000)).collect());
    let lanes = network.lanes.iter();
    let weight = lanes.map(|lane| lane.uncut[0].parcel.weight()).sum();
    for (weight_max, heavy) in [(weight, false), (weight - 1, true)] {
        genesis.parameters.block_weight = weight_max;
        let narrow = Network {
            state: Network::of(&genesis).state,
            ..network.clone()
        };
        let error = PlanError::TooHeavy { weight, weight_max };
        let expected = if heavy { Err(error) } else { Ok(()) };
        assert_eq!(check(&narrow, &network.propose()), expected);
    }
}

// V2
#[test]
fn header_that_the_plan_does_not_lead_to_is_refused_by_its_first_field() {
    let network = network();
    let computed = network.order(&network.propose()).block.header;
    assert_eq!(check_header(&computed, &computed), Ok(()));
    let other = B256::repeat_byte(1);
    let assert_field = |field, change: &dyn Fn(&mut cloverleaf_types::Header)| {
        let mut claimed = computed.clone();
        change(&mut claimed);
        let error = PlanError::WrongHeader { field };
        assert_eq!(check_header(&claimed, &computed), Err(error));
    };
    assert_field("version", &|it| it.version = 2);
    assert_field("network", &|it| it.network = other);
    assert_field("height", &|it| it.height = Height(9));
    assert_field("round", &|it| it.round = Round(1));
    assert_field("timestamp_ms", &|it| it.timestamp_ms += 1);
    assert_field("parent", &|it| it.parent = other);
    assert_field("l1", &|it| it.l1.number = 1);
    assert_field("cut_hash", &|it| it.cut_hash = other);
    assert_field("heads_root", &|it| it.heads_root = other);
    assert_field("bundles_root", &|it| it.bundles_root = other);
    assert_field("state_root", &|it| it.state_root = other);
    assert_field("validators_hash", &|it| it.validators_hash = other);
    assert_field("next_validators_hash", &|it| {
        it.next_validators_hash = other
    });
}

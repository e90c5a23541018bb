//! S1: how the validator set changes, and within which limits.

use cloverleaf_bundle::{ControlError, PlanError, State, check_plan};
use cloverleaf_types::limits::SCHEDULED_CHANGES_MAX;
use cloverleaf_types::validator::ValidatorSetError;
use cloverleaf_types::{
    Action, Address, ControlTransaction, DropReason, Epoch, Genesis, Height, Item, Round,
    ValidatorChange,
};

use crate::support::controls::{control, validator};
use crate::support::network::BLOCK_MS;
use crate::support::{Network, genesis, only_drop, rollup, tx};

/// Validators 1 to 4, of power 10 each.
fn network() -> Network {
    let genesis = genesis(4, vec![rollup(901)]);
    let validators = genesis.validators.into_iter().map(|mut validator| {
        validator.power = 10;
        validator
    });
    Network::of(&Genesis {
        validators: validators.collect(),
        ..genesis
    })
}

fn address(name: u8) -> Address {
    Address::repeat_byte(name)
}

fn refusal(network: &Network, item: &Item) -> Option<ControlError> {
    let (_, transaction) = item.transactions().next().expect("a transaction");
    let decoded = ControlTransaction::decode(&transaction.raw).expect("canonical");
    network.state.check_control(decoded.claimed()).err()
}

fn schedule(network: &mut Network, actions: Vec<Action>) {
    let items = actions.into_iter().zip(0..);
    let items = items
        .map(|(action, nonce)| control(nonce, action))
        .collect();
    assert_eq!(network.place(items).drops, []);
}

#[test]
fn change_takes_effect_at_its_height_and_not_before() {
    let mut network = network();
    schedule(&mut network, vec![validator(9, 10, 5)]);
    assert_eq!(network.state.scheduled().count(), 1);
    let before = network.state.validators().clone();
    let mut deciders = Vec::new();
    while network.state.height() < Height(5) {
        // The set that decides the next height, as its own header says.
        deciders.push((
            network.state.height().next(),
            network.state.validators().clone(),
        ));
        let header = network.propose_some(BLOCK_MS, &[]);
        let header = network.decide(&header).block.header;
        assert_eq!(
            header.next_validators_hash,
            network.state.validators().hash()
        );
    }
    for (height, set) in deciders {
        let joined = set.index_of(address(9)).is_some();
        assert_eq!(joined, height >= Height(5), "height {height}");
        assert!(joined || set == before);
    }
    assert_eq!(network.state.scheduled().count(), 0);
}

#[test]
fn change_needs_two_heights_of_notice() {
    let network = network();
    let too_soon = ControlError::TooSoon {
        effective: Height(2),
        earliest: Height(3),
    };
    assert_eq!(
        refusal(&network, &control(0, validator(9, 10, 2))),
        Some(too_soon)
    );
    assert_eq!(refusal(&network, &control(0, validator(9, 10, 3))), None);
    assert_eq!(network.state.earliest_change(), Height(3));
    let ordered = network.clone().place(vec![control(0, validator(9, 10, 2))]);
    assert_eq!(only_drop(&ordered).reason, DropReason::BadControl);
}

#[test]
fn change_at_the_earliest_height_decides_the_block_after_the_next() {
    let mut network = network();
    schedule(&mut network, vec![validator(9, 10, 3)]);
    assert_eq!(network.state.height(), Height(1));
    assert!(network.state.validators().index_of(address(9)).is_none());
    assert!(
        network
            .state
            .next_validators()
            .index_of(address(9))
            .is_some()
    );
    assert_eq!(network.state.scheduled().count(), 0);
}

#[test]
fn at_most_a_third_of_the_power_changes_at_one_height() {
    let network = network();
    let too_much = |changed_power| ControlError::TooMuchPower {
        height: Height(5),
        changed_power,
        total_power: 40,
    };
    let after = |first: Action, second: Action| {
        let mut network = network.clone();
        schedule(&mut network, vec![first]);
        refusal(&network, &control(1, second))
    };
    assert_eq!(refusal(&network, &control(0, validator(9, 13, 5))), None);
    assert_eq!(
        refusal(&network, &control(0, validator(9, 14, 5))),
        Some(too_much(14))
    );
    // Additions, removals and moves count together, each height for itself.
    assert_eq!(
        after(validator(1, 0, 5), validator(9, 10, 5)),
        Some(too_much(20))
    );
    assert_eq!(after(validator(1, 0, 5), validator(2, 13, 5)), None);
    assert_eq!(
        after(validator(1, 0, 5), validator(2, 6, 5)),
        Some(too_much(14))
    );
    assert_eq!(after(validator(1, 0, 5), validator(9, 10, 6)), None);
}

#[test]
fn later_steps_are_checked_again_when_an_earlier_one_is_put_before_them() {
    let mut network = network();
    schedule(&mut network, vec![validator(9, 13, 8)]);
    // Without validator 1 the total is 30, of which 13 is more than a third.
    let refused = refusal(&network, &control(1, validator(1, 0, 5)));
    let too_much = ControlError::TooMuchPower {
        height: Height(8),
        changed_power: 13,
        total_power: 30,
    };
    assert_eq!(refused, Some(too_much));
}

#[test]
fn second_change_of_a_validator_for_a_height_takes_the_place_of_the_first() {
    let mut network = network();
    schedule(&mut network, vec![validator(9, 10, 5), validator(9, 0, 5)]);
    assert_eq!(network.state.scheduled().count(), 1);
    network.pass_blocks(5, BLOCK_MS);
    assert_eq!(network.state.validators().len(), 4);
}

#[test]
fn removal_of_nobody_is_refused() {
    let nobody = ControlError::NotAValidator {
        address: address(9),
    };
    let refused = refusal(&network(), &control(0, validator(9, 0, 5)));
    assert_eq!(refused, Some(nobody));
    // Whoever will have joined by then can be removed.
    let mut network = network();
    schedule(&mut network, vec![validator(9, 10, 5), validator(9, 0, 7)]);
    network.pass_blocks(7, BLOCK_MS);
    assert!(network.state.validators().index_of(address(9)).is_none());
}

#[test]
fn sets_that_cannot_be_are_refused() {
    let change = |power, peer_id: &str| {
        let change = ValidatorChange {
            address: address(9),
            power,
            peer_id: peer_id.to_owned(),
            effective: Height(5),
        };
        refusal(&network(), &control(0, Action::ScheduleValidator(change)))
    };
    let peer_id = Some(ControlError::PeerId {
        address: address(9),
    });
    assert_eq!(change(1, ""), peer_id);
    assert_eq!(change(1, "no/path"), peer_id);
    assert_eq!(change(0, "peer9"), peer_id);
    let power = ControlError::Validators(ValidatorSetError::Power);
    assert_eq!(change(u64::MAX, "peer9"), Some(power));
    assert_eq!(change(1, "peer9"), None);
}

#[test]
fn peer_id_that_another_validator_has_is_refused() {
    let mut network = network();
    schedule(&mut network, vec![validator(8, 1, 5)]);
    let change = ValidatorChange {
        address: address(9),
        power: 1,
        peer_id: "peer8".to_owned(),
        effective: Height(6),
    };
    let refused = refusal(&network, &control(1, Action::ScheduleValidator(change)));
    let duplicate = matches!(
        refused,
        Some(ControlError::Validators(
            ValidatorSetError::Duplicate { .. }
        ))
    );
    assert!(duplicate, "{refused:?}");
}

#[test]
fn last_validator_cannot_be_removed() {
    let network = Network::new(1, vec![]);
    let refused = refusal(&network, &control(0, validator(1, 0, 5)));
    assert!(matches!(refused, Some(ControlError::TooMuchPower { .. })));
}

#[test]
fn waiting_changes_are_bounded() {
    let mut network = network();
    let count = u64::try_from(SCHEDULED_CHANGES_MAX).expect("small");
    let changes = (0..count).map(|step| validator(1, 10 + step % 2, 1_000 + step));
    schedule(&mut network, changes.collect());
    let more = control(count, validator(1, 10, 2_000));
    assert_eq!(refusal(&network, &more), Some(ControlError::TooManyChanges));
    // One that takes another's place is no more.
    let instead = control(count, validator(1, 12, 1_000));
    assert_eq!(refusal(&network, &instead), None);
}

#[test]
fn marks_of_a_validator_end_when_it_leaves() {
    let mut network = network();
    schedule(&mut network, vec![validator(3, 0, 4)]);
    let gone = network.state.proposer(Round::FIRST);
    assert_eq!(gone, address(3));
    network.commit_in_round(1);
    assert!(network.state.absent().contains_key(&gone));
    network.pass_blocks(1, BLOCK_MS);
    assert!(network.state.validators().index_of(gone).is_none());
    assert!(!network.state.absent().contains_key(&gone));
}

#[test]
fn last_cut_of_a_validator_that_left_stays() {
    let mut network = network();
    network.seal(0, vec![tx(901, 1)]);
    schedule(&mut network, vec![validator(1, 0, 3)]);
    let last_cut = *network
        .state
        .last_cut(address(1))
        .expect("its lane was cut");
    network.pass_blocks(3, BLOCK_MS);
    assert!(network.state.validators().index_of(address(1)).is_none());
    assert_eq!(network.state.last_cut(address(1)), Some(&last_cut));
}

#[test]
fn validator_that_is_back_begins_an_epoch_and_what_it_had_uncut_has_ended() {
    let mut network = network();
    let author = address(2);
    network.seal(1, vec![tx(901, 1)]);
    schedule(&mut network, vec![validator(2, 0, 5), validator(2, 10, 9)]);
    let cut = *network.state.last_cut(author).unwrap();
    network.seal(1, vec![tx(901, 2)]);
    network.pass_blocks(3, BLOCK_MS);
    assert_eq!(network.state.height(), Height(4));
    assert!(network.state.validators().index_of(author).is_none());
    assert_eq!(network.state.last_cut(author), Some(&cut), "L2: it stays");
    let old_lane = network.lanes[1].clone();
    network.pass_blocks(4, BLOCK_MS);
    assert_eq!(network.state.first_epoch(author), Epoch(9));
    assert_eq!(network.state.first_epoch(address(1)), Epoch(0));
    let mut late = network.clone();
    late.lanes[1] = old_lane;
    let late = late.propose();
    let refused = check_plan(&network.state, &late.plan, &late.slices);
    assert!(
        matches!(refused, Err(PlanError::BrokenChain { .. })),
        "{refused:?}"
    );
    network.seal(1, vec![tx(901, 3)]);
    network.commit();
    let again = network.state.last_cut(author).unwrap();
    assert_eq!((again.epoch, again.seq), (Epoch(9), 0));
    // A state that was stored and read knows it too.
    let read = State::decode(&network.state.encode()).unwrap();
    assert_eq!(read.joined(), network.state.joined());
}

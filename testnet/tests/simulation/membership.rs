//! Validators that join, leave, weigh more or less, and stay away, as scenes.

use cloverleaf_testnet::simulation::{Config, Simulation};
use cloverleaf_types::{Address, Height};

/// Virtual time, in milliseconds, in which a network without faults makes any height of these tests.
const SOON_MS: u64 = 60_000;

/// How much later than the earliest a change is, in heights: time for an observer to be told.
const NOTICE: u64 = 3;

/// How often a change is tried, since the node that hears of it may forget it.
const TRIES_MAX: u32 = 100;

/// Four validators, and a fifth machine that watches.
fn started(seed: u64) -> Simulation {
    let mut config = Config::calm(seed);
    config.joiners = 1;
    let mut network = Simulation::new(config);
    network.start().unwrap();
    network
}

fn run_until(network: &mut Simulation, condition: impl Fn(&Simulation) -> bool) {
    network.run_until(SOON_MS, condition).unwrap();
}

fn go_on(network: &mut Simulation, heights: u64) {
    let target = network.height() + heights;
    run_until(network, |it| it.height() >= target);
}

fn power(network: &Simulation, host: usize) -> u64 {
    let set = network.state().validators();
    set.power_of(network.address(host))
}

/// Has a change decided, telling another node whenever one forgot it, and waits until it is in force.
/// Returns the height then.
fn change(network: &mut Simulation, host: usize, to: u64) -> u64 {
    for _ in 0..TRIES_MAX {
        if power(network, host) == to {
            return network.height();
        }
        if network.state().scheduled().next().is_none() {
            network.change_validator(host, to, NOTICE).unwrap();
        }
        network.run_for(200).unwrap();
    }
    panic!("no change of validator {host} was ever decided");
}

/// How many of the blocks above a height a validator proposed first.
fn proposed(network: &Simulation, host: usize, above: u64) -> usize {
    let above = usize::try_from(above).unwrap();
    let proposers = network.proposers().iter().skip(above);
    let address = network.address(host);
    proposers.filter(|proposer| **proposer == address).count()
}

#[test]
fn fifth_validator_joins_under_load_seals_and_proposes_and_one_of_the_first_leaves() {
    let mut network = started(21);
    go_on(&mut network, 10);
    change(&mut network, 4, 1);
    go_on(&mut network, 30);
    assert!(proposed(&network, 4, 0) > 2, "it proposes in its turn");
    let cut = *network.state().last_cut(network.address(4)).unwrap();
    let first = network.state().joined().get(&network.address(4)).copied();
    assert_eq!(
        first,
        Some(Height(cut.epoch.0)),
        "its epoch is its join height"
    );

    let left = change(&mut network, 0, 0);
    go_on(&mut network, 20);
    assert_eq!(proposed(&network, 0, left), 0, "it proposes no more");
    let state = network.state();
    assert!(
        state.last_cut(network.address(0)).is_some(),
        "its last cut stays"
    );
    let report = network.finish().unwrap();
    let counts = &report.counts;
    assert_eq!(
        (counts.validators_joined, counts.validators_removed),
        (1, 1)
    );
    assert!(
        counts.transactions > 100 && counts.bundles > 10,
        "{counts:?}"
    );
}

#[test]
fn removed_validator_that_is_back_begins_a_new_epoch() {
    let mut network = started(22);
    go_on(&mut network, 10);
    change(&mut network, 2, 0);
    let last = *network.state().last_cut(network.address(2)).unwrap();
    go_on(&mut network, 10);
    let kept = *network.state().last_cut(network.address(2)).unwrap();
    assert_eq!(last, kept, "nothing of a removed author is cut");
    change(&mut network, 2, 1);
    let address = network.address(2);
    run_until(&mut network, |it| {
        it.state().last_cut(address) != Some(&last)
    });
    let again = *network.state().last_cut(address).unwrap();
    let joined = network.state().joined()[&address];
    assert!(again.epoch > last.epoch && again.epoch.0 == joined.0);
    network.finish().unwrap();
}

#[test]
fn what_is_uncut_when_its_author_is_removed_ends_and_its_users_send_it_to_another() {
    let mut network = started(23);
    go_on(&mut network, 10);
    let height = network.height();
    network.isolate_until(2, height + 30);
    change(&mut network, 2, 0);
    run_until(&mut network, |it| it.height() >= height + 40);
    let report = network.finish().unwrap();
    assert!(report.counts.author_removed > 0, "{:?}", report.counts);
}

#[test]
fn validator_of_more_power_decides_with_fewer_others() {
    let mut network = started(24);
    go_on(&mut network, 5);
    change(&mut network, 1, 2);
    // Power 4 of 5 is a quorum, with validator 1 among it.
    network.crash(3).unwrap();
    go_on(&mut network, 10);
    network.crash(2).unwrap();
    network.run_for(5_000).unwrap();
    let stuck = network.height();
    network.run_for(5_000).unwrap();
    assert_eq!(network.height(), stuck, "power 3 of 5 is none");
    network.restart(2).unwrap();
    go_on(&mut network, 10);
    network.restart(3).unwrap();
    change(&mut network, 1, 1);
    go_on(&mut network, 10);
    assert_eq!(network.finish().unwrap().counts.validators_reweighted, 2);
}

// optimism#15874: a leader that could build no blocks stayed the leader.
#[test]
fn absent_proposer_costs_one_round_is_skipped_from_then_on_and_returns() {
    let mut network = started(25);
    go_on(&mut network, 20);
    network.crash(2).unwrap();
    let crashed = network.height();
    go_on(&mut network, 40);
    let rounds = |network: &Simulation, from: u64| {
        let blocks = network.blocks().iter().skip(usize::try_from(from).unwrap());
        let late = blocks.filter(|it| it.block.header.round.0 > 0);
        late.count()
    };
    let late = rounds(&network, crashed);
    assert!((1..=2).contains(&late), "{late} of 40 blocks waited for it");
    let absent: Vec<Address> = network.state().absent().keys().copied().collect();
    assert_eq!(absent, [network.address(2)]);
    // It could propose the block that was being decided when it crashed.
    assert!(proposed(&network, 2, crashed + 1) == 0);

    network.restart(2).unwrap();
    run_until(&mut network, |it| it.state().absent().is_empty());
    let back = network.height();
    go_on(&mut network, 20);
    assert!(
        proposed(&network, 2, back) >= 4,
        "every fourth block is its own"
    );
    assert!(rounds(&network, back) <= 1);
    network.finish().unwrap();
}

//! The cases that the design of the simulator began with, each a scene of its own, beside those that are
//! scenes elsewhere.

use cloverleaf_testnet::simulation::byzantine::Kind;
use cloverleaf_testnet::simulation::{Config, Lost, Simulation};
use cloverleaf_types::{ChainId, DecidedBlock, DropReason};

/// Virtual time, in milliseconds, in which a network without faults makes any height of these tests.
const SOON_MS: u64 = 60_000;

fn started(config: Config) -> Simulation {
    let mut network = Simulation::new(config);
    network.start().unwrap();
    network
}

fn reach(network: &mut Simulation, height: u64) {
    network
        .run_until(SOON_MS, |it| it.height() >= height)
        .unwrap();
}

// D4
#[test]
fn what_an_author_promised_is_ordered_by_the_others_although_its_disk_is_gone_with_an_uncut_suffix()
{
    for seed in 0..10 {
        let mut config = Config::calm(seed);
        // So few that no rollup is full: then nothing is put off.
        (config.workload.senders, config.workload.bundlers) = (2, 0);
        let mut network = started(config);
        reach(&mut network, 3);
        network
            .run_until(SOON_MS, |it| it.promised_by(1).1 > 0)
            .unwrap();
        network.crash(1).unwrap();
        assert!(network.promised_by(1).1 > 0, "seed {seed}: all was cut");
        network.wipe(1, Lost::Disk);
        network.restart(1).unwrap();
        let author = network.address(1);
        let began_anew = |it: &Simulation| {
            let cut = it.state().last_cut(author);
            cut.is_some_and(|cut| cut.epoch.0 > 0)
        };
        network.run_until(SOON_MS, began_anew).unwrap();
        network.finish().unwrap();
        assert_eq!(network.promised_by(1).1, 0, "seed {seed}");
    }
}

// D4
#[test]
fn network_whose_validators_all_forgot_decides_nothing_until_their_operators_accept_it() {
    let mut network = started(Config::calm(31));
    reach(&mut network, 10);
    for host in 0..4 {
        network.crash(host).unwrap();
        network.wipe(host, Lost::Journals);
    }
    let tip = network.height();
    (0..4).for_each(|host| network.restart(host).unwrap());
    network.run_for(30_000).unwrap();
    assert_eq!(network.height(), tip, "nobody signs");
    for host in 0..4 {
        network.crash(host).unwrap();
        network.accept_amnesia(host);
    }
    (0..4).for_each(|host| network.restart(host).unwrap());
    reach(&mut network, tip + 10);
    network.finish().unwrap();
}

// S1
#[test]
fn node_that_was_away_learns_a_change_of_the_validators_from_the_block_that_it_syncs() {
    let mut config = Config::calm(32);
    config.joiners = 1;
    let mut network = started(config);
    reach(&mut network, 5);
    let before = network.height();
    network.isolate_until(2, before + 30);
    network.change_validator(4, 1, 3).unwrap();
    reach(&mut network, before + 30);
    let missed = &network.blocks()[usize::try_from(before).unwrap()..];
    let changes = missed
        .iter()
        .filter(|it| it.block.batch(ChainId::CONTROL).is_some());
    assert!(
        changes.count() > 0,
        "the change was decided while it was away"
    );
    let report = network.finish().unwrap();
    assert_eq!(report.counts.validators_joined, 1);
    assert!(report.counts.synced > 20, "{:?}", report.counts);
}

// W1, W2
#[test]
fn bundle_that_is_sealed_again_after_its_window_is_dropped_as_expired() {
    let mut config = Config::calm(33);
    config.byzantine = vec![(1, Kind::Duplicate)];
    let mut network = started(config);
    let replayed = |it: &Simulation| {
        let drops = &it.counts().drops;
        let seen = |reason| drops.get(&reason).copied().unwrap_or(0);
        seen(DropReason::Duplicate) > 20 && seen(DropReason::Expired) > 5
    };
    network.run_until(10 * SOON_MS, replayed).unwrap();
    network.finish().unwrap();
}

// C2
#[test]
fn hundreds_of_junk_votes_for_the_next_heights_do_not_stop_the_others() {
    let mut config = Config::calm(34);
    config.byzantine = vec![(3, Kind::Flood)];
    let mut network = started(config);
    reach(&mut network, 60);
    network.finish().unwrap();
}

// C3
#[test]
fn five_hundred_junk_votes_for_the_next_height_are_held_as_far_as_a_round_may_come_and_stop_nobody()
{
    let mut config = Config::calm(37);
    config.byzantine = vec![(3, Kind::Twin)];
    let mut network = started(config);
    reach(&mut network, 10);
    network.crash(1).unwrap();
    network.crash(2).unwrap();
    // What was under way has arrived.
    network.run_for(2_000).unwrap();
    let (height, arrived) = (network.height(), network.counts().messages);
    assert_eq!(network.early_messages(0), 0);
    network.send_junk_votes(3, 500);
    network.run_for(20).unwrap();
    assert_eq!(network.height(), height, "two of four decide nothing");
    assert!(network.counts().messages >= arrived + 500, "all of it came");
    // A prevote and a precommit of each round from 0 to 10: nobody looks further.
    assert_eq!(network.early_messages(0), 22);
    network.restart(1).unwrap();
    network.restart(2).unwrap();
    reach(&mut network, height + 20);
    assert_eq!(network.early_messages(0), 0);
    network.finish().unwrap();
}

// D4
#[test]
fn validator_whose_vote_journal_is_older_than_its_store_signs_nothing_until_a_later_block() {
    for seed in 0..10 {
        let mut network = started(Config::calm(seed));
        reach(&mut network, 5);
        let before = network.vote_journal(1);
        reach(&mut network, 20);
        network.crash(1).unwrap();
        network.put_back_vote_journal(1, before);
        // The judge says if it does not see at its start that this is old.
        network.restart(1).unwrap();
        network
            .run_until(SOON_MS, |it| it.counts().remembered == 1)
            .unwrap();
        let height = network.height();
        reach(&mut network, height + 10);
        network.finish().unwrap();
    }
}

// D1; Base, June 2026: a restart ended in the next one.
#[test]
fn validator_that_fails_again_at_every_step_of_its_start_catches_up_once_it_is_left_alone() {
    let mut network = started(Config::calm(35));
    reach(&mut network, 10);
    network.crash(1).unwrap();
    for step in 0..40 {
        network.restart(1).unwrap();
        network.crash_after(1, step, None);
        network
            .run_until(SOON_MS, |it| !it.is_up(1) || step == 0)
            .unwrap();
        network.crash(1).unwrap();
    }
    network.restart(1).unwrap();
    let height = network.height();
    reach(&mut network, height + 10);
    network.finish().unwrap();
}

// Astria, audit of April 2024, 3.1: a full pool made blocks over their limit, and the chain stopped.
#[test]
fn blocks_stay_within_their_weight_however_much_waits() {
    let mut config = Config::calm(36);
    config.parameters.block_weight = LEAST_BLOCK_WEIGHT;
    config.workload.senders = 60;
    config.workload.data_bytes_max = 100_000;
    config.workload.interval_ms = 4;
    let mut network = started(config);
    reach(&mut network, 40);
    let bytes = |block: &DecidedBlock| -> usize {
        let batches = block.block.batches.iter();
        batches
            .flat_map(|it| it.transactions())
            .map(|raw| raw.len())
            .sum()
    };
    let heaviest = network.blocks().iter().map(bytes).max().unwrap();
    let limit = usize::try_from(LEAST_BLOCK_WEIGHT).unwrap();
    assert!(heaviest <= limit, "{heaviest} bytes");
    assert!(
        heaviest > limit / 2,
        "no block was ever full: {heaviest} bytes"
    );
    network.finish().unwrap();
}

/// The lightest block limit that parameters allow: a whole parcel.
const LEAST_BLOCK_WEIGHT: u64 = 512 * 1024;

//! Scenes that read as a sentence.

use std::collections::BTreeMap;

use cloverleaf_testnet::simulation::byzantine::Kind;
use cloverleaf_testnet::simulation::config::FaultConfig;
use cloverleaf_testnet::simulation::steps::Part;
use cloverleaf_testnet::simulation::{Config, Lost, Simulation};
use cloverleaf_types::{Address, ChainId, DropReason};

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

#[test]
fn four_validators_order_over_lossy_links_while_one_crashes_and_comes_back() {
    let run = || {
        let mut config = Config::calm(1);
        config.links.loss_permille = 20;
        let mut network = started(config);
        reach(&mut network, 10);
        network.crash(2).unwrap();
        reach(&mut network, 25);
        network.restart(2).unwrap();
        reach(&mut network, 50);
        network.finish().unwrap()
    };
    let report = run();
    let counts = &report.counts;
    assert!(
        counts.transactions > 100 && counts.bundles > 10,
        "{counts:?}"
    );
    assert_eq!((counts.crashes, counts.restarts), (1, 1));
    assert!(counts.synced > 0, "{counts:?}");
    assert_eq!(report, run(), "the same seed twice gives the same digest");
}

#[test]
fn quiet_network_still_makes_a_block_now_and_then() {
    let mut config = Config::calm(2);
    (config.workload.senders, config.workload.bundlers) = (0, 0);
    let mut network = started(config);
    network.run_for(5_000).unwrap();
    let height = network.height();
    assert!(
        (10..=20).contains(&height),
        "one each 300 ms or so, not {height}"
    );
    let ticks = network.counts().ticks / 4 / height;
    assert!(
        ticks < 20,
        "a replica without work sleeps, but woke {ticks} times a height"
    );
}

// D1
#[test]
fn power_cut_between_any_two_steps_of_any_part_costs_nothing() {
    for part in Part::ALL {
        for step in 0..40 {
            let cut = part.cut_at(step);
            cut.unwrap_or_else(|error| panic!("{part:?}, step {step}: {error}"));
        }
    }
}

// Espresso ignores exactly this test: all nodes are restarted.
#[test]
fn all_validators_lose_power_at_once_and_go_on_from_the_same_tip() {
    let mut network = started(Config::calm(3));
    reach(&mut network, 20);
    (0..4).for_each(|host| network.crash(host).unwrap());
    let tip = network.height();
    network.run_for(2_000).unwrap();
    assert_eq!(network.height(), tip);
    (0..4).for_each(|host| network.restart(host).unwrap());
    reach(&mut network, tip + 20);
    network.finish().unwrap();
}

// Espresso ignores exactly this test: a rolling restart.
#[test]
fn validators_restart_one_after_the_other_under_load() {
    let mut network = started(Config::calm(4));
    for round in 0..8 {
        let height = network.height();
        reach(&mut network, height + 4);
        network.crash(round % 4).unwrap();
        network.run_for(100).unwrap();
        network.restart(round % 4).unwrap();
    }
    let report = network.finish().unwrap();
    assert_eq!(report.counts.restarts, 8);
}

// D4
#[test]
fn all_lose_their_journals_one_after_the_other_and_each_waits_for_the_one_before_to_sign_again() {
    let mut network = started(Config::calm(4));
    let lost = [Lost::Journals, Lost::Votes, Lost::Lane, Lost::Disk];
    for (host, lost) in lost.into_iter().enumerate() {
        let height = network.height();
        reach(&mut network, height + 4);
        network.crash(host).unwrap();
        network.wipe(host, lost);
        network.restart(host).unwrap();
        let remembered = u64::try_from(host).unwrap() + 1;
        network
            .run_until(SOON_MS, |it| it.counts().remembered == remembered)
            .unwrap();
    }
    let height = network.height();
    reach(&mut network, height + 10);
    network.finish().unwrap();
}

#[test]
fn nothing_commits_while_two_of_four_are_down_and_it_goes_on_when_they_are_back() {
    let mut network = started(Config::calm(5));
    reach(&mut network, 10);
    network.crash(0).unwrap();
    network.crash(3).unwrap();
    network.run_for(200).unwrap();
    let height = network.height();
    network.run_for(10_000).unwrap();
    assert_eq!(network.height(), height);
    network.restart(0).unwrap();
    reach(&mut network, height + 10);
    network.restart(3).unwrap();
    reach(&mut network, height + 20);
    network.finish().unwrap();
}

#[test]
fn what_is_available_commits_although_its_author_dies_right_after_the_answer() {
    for seed in 0..10 {
        let mut config = Config::calm(seed);
        // So few that no rollup is full: then nothing is put off.
        (config.workload.senders, config.workload.bundlers) = (2, 0);
        let mut network = started(config);
        network
            .run_until(SOON_MS, |it| it.promised_by(1).0 > 0)
            .unwrap();
        network.crash(1).unwrap();
        assert!(
            network.promised_by(1).1 > 0,
            "seed {seed}: it died too late"
        );
        network.finish().unwrap();
        assert_eq!(network.promised_by(1).1, 0, "seed {seed}");
        assert!(!network.is_up(1));
    }
}

#[test]
fn author_that_was_cut_off_longer_than_the_window_gets_its_items_back_and_they_commit() {
    let mut network = started(Config::calm(6));
    reach(&mut network, 10);
    network.isolate_until(2, 90);
    reach(&mut network, 95);
    let report = network.finish().unwrap();
    let stale = report.counts.drops.get(&DropReason::Stale).copied();
    assert!(stale > Some(0), "{:?}", report.counts);
    assert!(report.counts.synced > 60, "{:?}", report.counts);
}

#[test]
fn nonces_stay_in_order_while_a_rollup_is_full_over_many_blocks() {
    let mut config = Config::calm(7);
    config.workload.senders = 16;
    config.workload.bundlers = 0;
    config.workload.interval_ms = 3;
    config.workload.echo_permille = 0;
    let mut network = started(config);
    reach(&mut network, 60);
    let report = network.finish().unwrap();
    let full = report.counts.drops.get(&DropReason::RollupFull).copied();
    assert!(full > Some(20), "{:?}", report.counts);
    for chain_id in [101, 102, 103] {
        let mut next: BTreeMap<Address, u64> = BTreeMap::new();
        let batches = network
            .blocks()
            .iter()
            .map(|it| it.block.batch(ChainId(chain_id)));
        for raw in batches.flatten().flat_map(|batch| batch.transactions()) {
            let (sender, nonce) = sender_and_nonce(raw);
            let expected = next.entry(sender).or_default();
            assert_eq!(nonce, *expected, "rollup {chain_id}, sender {sender}");
            *expected += 1;
        }
        assert!(!next.is_empty());
    }
}

/// The simulator's transactions go from their sender to itself.
fn sender_and_nonce(raw: &[u8]) -> (Address, u64) {
    use alloy_rlp::Decodable as _;
    let mut fields = raw;
    alloy_rlp::Header::decode(&mut fields).unwrap();
    let nonce = u64::decode(&mut fields).unwrap();
    let (_price, _limit) = (
        u64::decode(&mut fields).unwrap(),
        u64::decode(&mut fields).unwrap(),
    );
    (Address::decode(&mut fields).unwrap(), nonce)
}

#[test]
fn impatient_clock_of_one_validator_does_not_stop_the_others() {
    let mut config = Config::calm(8);
    config.fast_clock = Some((1, 3_000));
    let mut network = started(config);
    reach(&mut network, 40);
    network.finish().unwrap();
}

#[test]
fn slow_clock_of_one_validator_does_not_stop_the_others_nor_itself() {
    let mut config = Config::calm(12);
    config.slow_clock = Some((1, 3_000));
    let mut network = started(config);
    reach(&mut network, 20);
    // With another gone, nothing is decided without its votes.
    network.crash(0).unwrap();
    let height = network.height();
    reach(&mut network, height + 20);
    network.restart(0).unwrap();
    let report = network.finish().unwrap();
    assert_eq!(report.counts.slow_clocks, 1);
}

// T1
#[test]
fn validators_whose_clocks_are_all_set_back_by_an_hour_go_on_at_once() {
    let mut network = started(Config::calm(13));
    reach(&mut network, 20);
    (0..4).for_each(|host| network.jump_clock(host, -3_600_000));
    let (height, time_ms) = (network.height(), network.time_ms());
    reach(&mut network, height + 20);
    let took_ms = network.time_ms() - time_ms;
    assert!(took_ms < 10_000, "20 heights took {took_ms} ms");
    network.finish().unwrap();
}

#[test]
fn validator_whose_clock_is_set_forward_and_back_again_is_waited_for_by_nobody() {
    let mut network = started(Config::calm(14));
    for by_ms in [60_000, -60_000, -60_000, 60_000] {
        let height = network.height();
        reach(&mut network, height + 10);
        network.jump_clock(1, by_ms);
    }
    let height = network.height();
    reach(&mut network, height + 30);
    network.finish().unwrap();
}

#[test]
fn seven_validators_without_pause_between_blocks_survive_a_split_in_three_and_four() {
    let mut config = Config::calm(9);
    config.validators = 7;
    config.parameters.block_time_ms = 0;
    config.faults = Some(FaultConfig {
        interval_ms: 300,
        repair_ms: 500,
        long_partition_blocks: None,
    });
    let mut network = started(config);
    reach(&mut network, 100);
    network.finish().unwrap();
}

#[test]
fn block_with_parcels_that_its_byzantine_author_withheld_from_one_is_decided_without_its_author() {
    for seed in 0..5 {
        let mut config = Config::calm(seed);
        config.byzantine = vec![(1, Kind::Withhold)];
        let mut network = started(config);
        let decided = network.run_until(SOON_MS, |it| it.height() >= 40);
        decided.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        network.finish().unwrap();
    }
}

#[test]
fn author_of_false_marks_is_known_to_everybody_and_its_true_parcels_are_ordered() {
    let mut config = Config::calm(11);
    config.byzantine = vec![(1, Kind::Marks)];
    let mut network = started(config);
    reach(&mut network, 40);
    let lane = network.blocks().iter().flat_map(|it| &it.block.cut);
    assert!(lane.filter(|entry| entry.lane == 1).count() > 3);
    let report = network.finish().unwrap();
    let counts = &report.counts;
    assert!(counts.false_marks > 20, "{counts:?}");
    assert!(counts.verified_everywhere > 20, "{counts:?}");
}

#[test]
fn journals_keep_what_is_undecided_and_do_not_grow_with_the_chain() {
    let mut network = started(Config::calm(10));
    let mut longest = 0;
    for height in (20..=400).step_by(20) {
        reach(&mut network, height);
        longest = longest.max(network.journal_bytes());
    }
    network.finish().unwrap();
    // Three journals, each of one or two segments of 16 KiB that still hold something.
    assert!(longest < 6 * 16 * 1024, "{longest} bytes");
}

// C4
#[test]
fn node_that_was_away_comes_back_although_a_validator_serves_false_blocks() {
    for seed in 0..5 {
        let mut config = Config::calm(seed);
        config.byzantine = vec![(1, Kind::Blocks)];
        let mut network = started(config);
        network.crash(2).unwrap();
        // Two correct validators and the liar decide nothing faster than this.
        let gone_on = network.run_until(SOON_MS, |it| it.height() >= 30);
        gone_on.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        network.restart(2).unwrap();
        let back = network.run_until(SOON_MS, |it| it.height() >= 60);
        back.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let report = network.finish();
        let report = report.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(report.counts.false_blocks > 0, "seed {seed}");
    }
}

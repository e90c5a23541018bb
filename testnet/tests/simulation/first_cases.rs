//! Cases that chance meets seldom, each a scene of its own, beside those that are scenes elsewhere.

use cloverleaf_consensus::Message;
use cloverleaf_replica::Class;
use cloverleaf_testnet::simulation::byzantine::Kind;
use cloverleaf_testnet::simulation::{Config, Lost, Posted, Simulation};
use cloverleaf_types::{ChainId, DecidedBlock, DropReason, Height, Round, VoteKind};

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

/// An idle network whose machines have the same height, and those that propose in the rounds of the next one,
/// in turn. One of them gets no parcels from now on, and machine 0 is given a transaction, so that the next
/// block has one that it lacks.
struct Lacking {
    network: Simulation,
    height: u64,
    order: Vec<usize>,
}

impl Lacking {
    /// In the round at this position the one without parcels proposes.
    fn new(seed: u64, position: usize, rule: impl Fn(&Self) -> Rule) -> Self {
        let mut config = Config::calm(seed);
        (config.workload.senders, config.workload.bundlers) = (1, 0);
        (config.workload.interval_ms, config.workload.echo_permille) = (10 * SOON_MS, 0);
        let mut network = started(config);
        reach(&mut network, 5);
        let is_right = |it: &Simulation| {
            let is_level = (0..4).all(|host| it.height_of(host) == it.height());
            is_level && it.next_proposers()[position] != 0
        };
        network.run_until(SOON_MS, is_right).unwrap();
        let (height, order) = (network.height() + 1, network.next_proposers());
        let mut lacking = Self {
            network,
            height,
            order,
        };
        let (lacks, rule) = (lacking.order[position], rule(&lacking));
        lacking.network.keep_back(move |posted| {
            let is_parcel = posted.class == Class::Parcels && posted.to == lacks;
            is_parcel || rule(posted)
        });
        lacking.network.submit_now().unwrap();
        lacking
    }

    /// Only this is kept back from now on.
    fn keep_back(&mut self, rule: Rule) {
        self.network.keep_back(rule);
    }

    fn finish(mut self) {
        self.network.let_through();
        self.network.finish().unwrap();
    }
}

type Rule = Box<dyn Fn(&Posted<'_>) -> bool>;

/// A precommit of a height, or a certificate that has precommits in it.
fn is_precommit(posted: &Posted<'_>, height: u64) -> bool {
    posted.word.is_some_and(|word| {
        let kind = match word {
            Message::Vote(signed) => signed.message.kind == VoteKind::Precommit,
            Message::Round(_) => true,
            _ => false,
        };
        kind && word.height() == Height(height)
    })
}

fn is_before(posted: &Posted<'_>, round: u32) -> bool {
    posted.word.is_some_and(|word| word.round() < Round(round))
}

// V3
#[test]
fn one_value_is_proposed_again_twice_by_three_proposers_and_decided() {
    // One precommits nothing, and of the others' precommits each lacks one, for two rounds.
    let rule = |it: &Lacking| -> Rule {
        let (height, order) = (it.height, it.order.clone());
        let lacks = [(0, 1), (1, 2), (2, 0), (0, 3)].map(|(from, to)| (order[from], order[to]));
        Box::new(move |posted| {
            let is_certificate = matches!(posted.word, Some(Message::Round(_)));
            let is_lacked = is_certificate || lacks.contains(&(posted.from, posted.to));
            is_lacked && is_precommit(posted, height) && is_before(posted, 2)
        })
    };
    let mut lacking = Lacking::new(41, 3, rule);
    reach(&mut lacking.network, lacking.height);
    let index = usize::try_from(lacking.height - 1).unwrap();
    let block = &lacking.network.blocks()[index];
    assert_eq!(block.block.header.round, Round(0), "the first one's value");
    assert_eq!(block.certificate.round, Round(2));
    assert!(!block.block.batches.is_empty());
    lacking.finish();
}

// V3
#[test]
fn validator_that_is_ready_only_after_the_polka_decides_by_itself() {
    // Nobody sees a precommit before it is ready, so that its parcels are still there.
    let rule = |it: &Lacking| -> Rule {
        let height = it.height;
        Box::new(move |posted| is_precommit(posted, height))
    };
    let mut lacking = Lacking::new(42, 2, rule);
    let (late, height) = (lacking.order[2], lacking.height);
    let synced = lacking.network.counts().synced;
    lacking.network.run_for(100).unwrap();
    assert_eq!(lacking.network.height(), height - 1);
    assert_eq!(lacking.network.counts().later_rounds, 0);
    lacking.keep_back(Box::new(|posted| posted.class == Class::Sync));
    lacking
        .network
        .run_until(SOON_MS, |it| it.height_of(late) >= height)
        .unwrap();
    assert_eq!(lacking.network.decided_in(late, height), Some(Round(0)));
    assert_eq!(lacking.network.counts().synced, synced);
    lacking.finish();
}

// C4
#[test]
fn value_that_two_nodes_see_decided_in_two_rounds_is_one_block() {
    // Of round 0 only one node sees all precommits, and it keeps its own and the block to itself.
    let rule = |it: &Lacking| -> Rule {
        let (height, early) = (it.height, it.order[0]);
        Box::new(move |posted| {
            let is_vote = is_precommit(posted, height) && is_before(posted, 1);
            posted.from == early && (is_vote || posted.class == Class::Sync)
        })
    };
    let mut lacking = Lacking::new(43, 3, rule);
    let (early, height) = (lacking.order[0], lacking.height);
    let others: Vec<usize> = (0..4).filter(|host| *host != early).collect();
    lacking
        .network
        .run_until(SOON_MS, |it| it.height_of(early) >= height)
        .unwrap();
    // Until round 0 is over for the others too: who gets the parcels in it could still make it decide.
    lacking.network.run_for(1_000).unwrap();
    let have = |it: &Simulation| {
        others
            .iter()
            .filter(|host| it.height_of(**host) >= height)
            .count()
    };
    assert_eq!(have(&lacking.network), 0);
    let rule = rule(&lacking);
    lacking.keep_back(rule);
    lacking
        .network
        .run_until(SOON_MS, |it| have(it) == others.len())
        .unwrap();
    let decided_in = |host| lacking.network.decided_in(host, height);
    assert_eq!(decided_in(early), Some(Round(0)));
    assert!(others.iter().all(|host| decided_in(*host) > Some(Round(0))));
    lacking.finish();
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

//! Many seeds of loss, delay, crashes and lies: agreement always, progress afterwards, and the
//! same seed gives the same run. (The full simulator lives in `testnet`; this one keeps it honest.)

use cloverleaf_types::Secp256k1;

use crate::support::{Cluster, NETWORK};

/// What happened in runs; a run in which nothing happens tests nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    crashes: usize,
    later_rounds: usize,
    synced: usize,
    evidence: usize,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.crashes += other.crashes;
        self.later_rounds += other.later_rounds;
        self.synced += other.synced;
        self.evidence += other.evidence;
    }
}

/// One run: an unruly time, then a healed network whose correct nodes must reach some heights.
fn run(seed: u64, equivocator: Option<usize>) -> (u64, Counts) {
    let mut net = Cluster::new(4, seed);
    net.equivocator = equivocator;
    net.with_sync = true;
    net.loss_percent = net.random(30);
    net.delay_ms = (1, 1 + net.random(80));
    net.start_all();
    let correct: Vec<usize> = (0..4).filter(|node| Some(*node) != equivocator).collect();
    let mut counts = Counts::default();
    for _ in 0..12 {
        let time_ms = 50 + net.random(700);
        net.run_for(time_ms);
        let node = correct[usize::try_from(net.random(3)).unwrap()];
        if net.nodes[node].driver.is_some() {
            net.crash(node);
            counts.crashes += 1;
        } else {
            net.start(node);
        }
        net.assert_agreement();
    }
    net.loss_percent = 0;
    for node in 0..4 {
        if net.nodes[node].driver.is_none() && net.nodes[node].halted.is_none() {
            net.start(node);
        }
    }
    let goal = correct.iter().map(|node| net.tip(*node)).max().unwrap() + 3;
    let done = net.run_until(120_000, |net| {
        correct.iter().all(|node| net.tip(*node) >= goal)
    });
    assert!(done, "seed {seed} makes no progress after it healed");
    net.assert_agreement();
    for node in correct {
        counts.add(judge(&net, node));
    }
    (net.digest, counts)
}

/// What one correct node lived through.
fn judge(net: &Cluster, node: usize) -> Counts {
    let node = &net.nodes[node];
    assert_eq!(node.halted, None);
    for evidence in &node.evidence {
        let offender = net.node_of(evidence.offender());
        assert_eq!(Some(offender), net.equivocator, "no false evidence");
        assert!(evidence.holds(NETWORK, &Secp256k1));
    }
    let rounds = node
        .decisions
        .iter()
        .map(|made| made.candidate.value().header.round.0);
    Counts {
        crashes: 0,
        later_rounds: rounds.filter(|round| *round > 0).count(),
        synced: node.toy.hashes.len() - node.decisions.len(),
        evidence: node.evidence.len(),
    }
}

/// All seeds, every tenth twice.
fn run_all(seeds: u64, equivocator: Option<usize>) -> Counts {
    let mut total = Counts::default();
    for seed in 1..=seeds {
        let (digest, counts) = run(seed, equivocator);
        if seed % 10 == 0 {
            assert_eq!(
                run(seed, equivocator),
                (digest, counts),
                "seed {seed} twice"
            );
        }
        total.add(counts);
    }
    total
}

#[test]
fn correct_validators_agree_under_loss_delay_and_crashes() {
    let total = run_all(40, None);
    assert!(
        total.crashes > 100 && total.later_rounds > 20 && total.synced > 20,
        "{total:?}"
    );
    assert_eq!(total.evidence, 0);
}

#[test]
fn correct_validators_agree_around_an_equivocator_and_prove_what_it_did() {
    let total = run_all(40, Some(2));
    assert!(
        total.crashes > 100 && total.later_rounds > 20 && total.evidence > 20,
        "{total:?}"
    );
}

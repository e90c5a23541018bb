//! Twins: a validator runs twice with one key, and each of the two faces another part of the network.

use cloverleaf_testnet::simulation::Counts;
use cloverleaf_testnet::simulation::script::{EXHAUSTIVE_CASES, twins};
use cloverleaf_testnet::simulation::suite::run;

/// Cases in which the first key runs twice, with every split; all keys are in `make faults`.
const EXHAUSTIVE: u64 = EXHAUSTIVE_CASES / 4;

/// Cases of chance.
const SAMPLED: u64 = 60;

/// Threads that share them.
const THREADS: usize = 2;

// Bano et al., Twins, 2020; Jepsen on Tendermint, 2017: one key on two hosts.
#[test]
fn one_key_on_two_machines_splits_no_network_and_is_known_by_its_evidence() {
    let mut counts = Counts::default();
    for cases in [0..EXHAUSTIVE, EXHAUSTIVE_CASES..EXHAUSTIVE_CASES + SAMPLED] {
        let outcome = run(cases.start, cases.end, THREADS, twins);
        for (case, violation) in &outcome.broken {
            println!("case {case} breaks this: {violation}");
        }
        assert!(outcome.broken.is_empty());
        counts.add(&outcome.counts);
    }
    assert!(
        counts.vote_equivocations > 0 && counts.later_rounds > 0,
        "{counts:?}"
    );
}

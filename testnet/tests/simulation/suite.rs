//! Seeds that make networks hard, together with the proof that they were.

use cloverleaf_testnet::simulation::suite::{Outcome, run};
use cloverleaf_testnet::simulation::{Config, Counts};
/// Seeds of an ordinary run.
const SEEDS: u64 = 150;

/// Threads that share them.
const THREADS: usize = 2;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn assert_unbroken(outcome: &Outcome) {
    for (seed, violation) in &outcome.broken {
        println!(
            "seed {seed} breaks this: {violation}\nrepeat it with: CLOVERLEAF_SEED={seed} cargo \
             test -p cloverleaf-testnet --test simulation hostile_networks -- --nocapture"
        );
    }
    assert!(
        outcome.broken.is_empty(),
        "{} seeds break something",
        outcome.broken.len()
    );
}

fn assert_nothing_was_missed(counts: &Counts) {
    let named = counts.named();
    for (name, count) in &named {
        println!("{name:>24} {count}");
    }
    let missed: Vec<&String> = named
        .iter()
        .filter(|(_, count)| *count == 0)
        .map(|(name, _)| name)
        .collect();
    assert!(missed.is_empty(), "the suite never met: {missed:?}");
}

#[test]
fn hostile_networks_break_no_invariant_and_together_meet_every_fault_and_every_reason() {
    if let Some(seed) = number("CLOVERLEAF_SEED") {
        let outcome = run(seed, seed + 1, 1, Config::hostile);
        assert_unbroken(&outcome);
        println!("{:#?}", outcome.counts);
        return;
    }
    let seeds = number("CLOVERLEAF_SEEDS").unwrap_or(SEEDS);
    let outcome = run(0, seeds, THREADS, Config::hostile);
    assert_unbroken(&outcome);
    assert!(outcome.counts.heights >= 50 * seeds, "{:?}", outcome.counts);
    assert_nothing_was_missed(&outcome.counts);
}

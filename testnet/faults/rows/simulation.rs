//! Simulated networks that a seed makes hard: design, oracle and counts are the simulator's.

use std::ops::Range;

use cloverleaf_testnet::simulation::Config;
use cloverleaf_testnet::simulation::suite;

use super::THREADS;
use crate::row::{Counts, Ended, Row, Tally};

/// Fewest heights of a network; some run for longer than the replay window.
const HEIGHTS_MIN: u64 = 100;

pub(crate) const ROW: Row = Row {
    name: "simulation",
    unit: "hostile networks in virtual time, 100 heights or more",
    counts: Counts {
        short: 300,
        long: 1_000,
        full: 10_000,
        slice: 100,
    },
    run,
};

fn run(seeds: Range<u64>) -> Ended {
    let outcome = suite::run(seeds.start, seeds.end, THREADS, config);
    let mut tally = Tally::default();
    for (seed, violation) in outcome.broken {
        tally.break_at(seed, violation);
    }
    // One network cannot meet everything.
    if seeds.end - seeds.start > 1 {
        for (what, times) in outcome.counts.named() {
            tally.meet(&what, times);
        }
    }
    Ended::Done(tally)
}

fn config(seed: u64) -> Config {
    let mut config = Config::hostile(seed);
    config.heights = config.heights.max(HEIGHTS_MIN);
    config
}

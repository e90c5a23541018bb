//! Networks that are broken on purpose: a violation is that nobody notices.

use std::ops::Range;

use cloverleaf_testnet::simulation::negative::ALL;

use crate::row::{Counts, Ended, Row, Tally};

/// Seeds within which each must be noticed.
const SEEDS: u64 = 100;

const ALL_OF_THEM: u64 = ALL.len() as u64;

pub(crate) const ROW: Row = Row {
    name: "controls",
    unit: "ways to break the network itself, each noticed by the judge",
    counts: Counts {
        short: ALL_OF_THEM,
        long: ALL_OF_THEM,
        full: ALL_OF_THEM,
        slice: ALL_OF_THEM,
    },
    run,
};

fn run(chosen: Range<u64>) -> Ended {
    let mut tally = Tally::default();
    for (number, negative) in (0_u64..).zip(ALL) {
        if !chosen.contains(&number) {
            continue;
        }
        match negative.caught(SEEDS) {
            Some((seed, _)) => {
                let figure = format!("noticed at seed {seed}");
                tally.figures.insert(negative.what.to_owned(), figure);
            }
            None => tally.break_at(number, format!("nobody notices: {}", negative.what)),
        }
    }
    Ended::Done(tally)
}

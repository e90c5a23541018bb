//! One key on two machines, each of which faces another part of the network.

use std::ops::Range;

use cloverleaf_testnet::simulation::script::twins;
use cloverleaf_testnet::simulation::suite;

use super::THREADS;
use crate::row::{Counts, Ended, Row, Tally};

pub(crate) const ROW: Row = Row {
    name: "twins",
    unit: "networks with a key that runs twice: 1,024 are all of their kind",
    counts: Counts {
        short: 1_100,
        long: 1_500,
        full: 5_000,
        slice: 500,
    },
    run,
};

fn run(cases: Range<u64>) -> Ended {
    let outcome = suite::run(cases.start, cases.end, THREADS, twins);
    let mut tally = Tally::default();
    for (case, violation) in outcome.broken {
        tally.break_at(case, violation);
    }
    if cases.end - cases.start > 1 {
        let counts = outcome.counts;
        tally.meet("heights", counts.heights);
        tally.meet("later rounds", counts.later_rounds);
        tally.meet("pieces of evidence", counts.vote_equivocations);
    }
    Ended::Done(tally)
}

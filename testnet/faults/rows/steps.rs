//! Power that fails at every step in turn, in every part that a machine can play.

use std::ops::Range;

use cloverleaf_testnet::simulation::steps::Part;

use crate::row::{Counts, Ended, Row, Tally};

const PARTS: u64 = Part::ALL.len() as u64;

pub(crate) const ROW: Row = Row {
    name: "steps",
    unit: "power cuts at a step: six parts by turns",
    counts: Counts {
        short: 40 * PARTS,
        long: 100 * PARTS,
        full: 800 * PARTS,
        slice: 100 * PARTS,
    },
    run,
};

fn run(units: Range<u64>) -> Ended {
    let mut tally = Tally::default();
    // Every part has a first step; the later the step, the fewer parts have it.
    let is_every_part = units.start == 0 && units.end >= PARTS;
    for unit in units {
        let part = usize::try_from(unit % PARTS).expect("a few");
        let step = u32::try_from(unit / PARTS).unwrap_or(u32::MAX);
        let part = Part::ALL[part];
        match part.cut_at(step) {
            Ok(report) => {
                let met = format!("crashes {part:?}");
                if is_every_part || report.counts.crashes > 0 {
                    tally.meet(&met, report.counts.crashes);
                }
            }
            Err(violation) => tally.break_at(unit, violation),
        }
    }
    Ended::Done(tally)
}

//! Power that is cut at any instant: nothing that had left the node is gone, and it signs nothing else.
//!
//! A node's disk is cut while users load it, and the node goes on from what the disk had. `alone`: the
//! only validator of a network, whose cut disk is looked at beside it, so that a cut costs a second.
//! `of_four`: one of four, which dies of the cut and comes back among those that heard it.

mod alone;
mod of_four;

use std::ops::Range;

use cloverleaf_testnet::disks::lacking;
use cloverleaf_testnet::process::Stopwatch;
use cloverleaf_testnet::simulation::random::Random;

use crate::row::{Counts, Ended, Row, Tally};
use crate::stage::{Dir, Verdict, pause};
use alone::Alone;
use of_four::OfFour;

pub(crate) const ROW: Row = Row {
    name: "power_cuts",
    unit: "cuts of a disk's power under load",
    counts: Counts {
        short: 10,
        long: 100,
        full: 1_000,
        slice: 50,
    },
    run,
};

/// One cut in so many is of a network of four.
const OF_FOUR: u64 = 5;

/// Size of a node's disk, in MiB: 75 are taken by an empty store.
const DISK_MIB: u64 = 512;

/// What users offer in a second: transactions and bundles.
const OFFERED: (usize, usize) = (100, 4);

/// How long a disk is written to before it is cut, in milliseconds: some blocks, and any part of one.
const WRITTEN_MS: (u64, u64) = (50, 900);

/// What a cut met.
#[derive(Default)]
struct Met {
    announced: u64,
    unplaced: u64,
    resigned: u64,
}

fn run(units: Range<u64>) -> Ended {
    match cut_all(units) {
        Ok(ended) => ended,
        Err(reason) => Ended::Skipped(reason),
    }
}

fn cut_all(units: Range<u64>) -> Verdict<Ended> {
    let dir = Dir::new("power-cuts")?;
    if let Some(reason) = lacking(&["fsfreeze", "losetup", "mkfs.ext4"], dir.path()) {
        return Err(reason);
    }
    let (mut tally, watch) = (Tally::default(), Stopwatch::start());
    let (mut alone, mut four) = (None, None);
    let count = units.end - units.start;
    for unit in units {
        let is_of_four = unit % OF_FOUR == OF_FOUR - 1;
        let cut = if is_of_four {
            OfFour::cut(&mut four, dir.path(), unit)
        } else {
            Alone::cut(&mut alone, dir.path(), unit)
        };
        match cut {
            Ok(met) => note(&mut tally, &met, is_of_four),
            Err(what) => {
                tally.break_at(unit, what);
                // What is broken says nothing about the next cut.
                (alone, four) = (None, None);
            }
        }
    }
    let per_cut = watch.elapsed().as_secs_f64() / f64::from(u32::try_from(count).unwrap_or(1));
    let figure = format!("{per_cut:.1}");
    tally.figures.insert("seconds for a cut".to_owned(), figure);
    Ok(Ended::Done(tally))
}

fn note(tally: &mut Tally, met: &Met, is_of_four: bool) {
    tally.meet("heights announced before cuts, all there", met.announced);
    tally.meet("promises in no block at a cut, all kept", met.unplaced);
    tally.meet("heights signed after cuts", met.resigned);
    if is_of_four {
        tally.meet("cuts of one of four", 1);
    }
}

/// Lets the disk be written to until an instant that follows from the unit.
fn write_for_a_while(unit: u64) {
    let mut random = Random::new(unit ^ 0xC07);
    pause(random.between(WRITTEN_MS.0, WRITTEN_MS.1));
}

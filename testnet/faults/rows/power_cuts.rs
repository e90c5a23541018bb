//! Power that is cut at any instant: nothing that had left the node is gone, and it signs nothing else.
//!
//! A node's disk is cut while users load it, and the node goes on from what the disk had. `alone`: the
//! only validator of a network, whose cut disk is looked at beside it, so that a cut costs a second.
//! `of_four`: one of four, which dies of the cut and comes back among those that heard it.

mod alone;
mod of_four;

use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cloverleaf_testnet::disks::lacking;
use cloverleaf_testnet::load::Plan;
use cloverleaf_testnet::process::{Binary, Error, Stopwatch, pause};
use cloverleaf_testnet::simulation::random::Random;
use cloverleaf_testnet::stage::{Dir, Fault, StagePlan};

use crate::row::{Counts, Ended, Row, Tally};
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
    /// Signatures from before and after the cut.
    compared: u64,
}

/// What every node is started with: the usual floors (D6) are above all that a small disk has.
fn without_floors() -> Vec<String> {
    let floors = ["soft", "hard"];
    floors
        .map(|name| format!("--store.disk_{name}_floor_bytes=0"))
        .to_vec()
}

fn plan(validators: usize) -> StagePlan {
    StagePlan {
        validators,
        flags: without_floors(),
        ..StagePlan::default()
    }
}

fn users(seed: u64) -> Plan {
    Plan::of_rates(seed, OFFERED.0, OFFERED.1)
}

fn run(units: Range<u64>) -> Ended {
    let found = Binary::find().and_then(|binary| {
        let dir = Dir::beside_executable("faults-power-cuts")?;
        Ok((binary, dir))
    });
    let (binary, dir) = match found {
        Ok(found) => found,
        Err(missing) => return Ended::Skipped(missing.to_string()),
    };
    match lacking(&["fsfreeze", "losetup", "mkfs.ext4"], dir.path()) {
        Some(reason) => Ended::Skipped(reason),
        None => Ended::Done(cut_all(&binary, &dir, units)),
    }
}

fn cut_all(binary: &Binary, dir: &Dir, units: Range<u64>) -> Tally {
    let (mut tally, watch) = (Tally::default(), Stopwatch::start());
    let (mut alone, mut four) = (None, None);
    let count = units.end - units.start;
    for unit in units {
        let is_of_four = unit % OF_FOUR == OF_FOUR - 1;
        let cut = if is_of_four {
            OfFour::cut(&mut four, binary, dir.path(), unit)
        } else {
            Alone::cut(&mut alone, binary, dir.path(), unit)
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
    tally.figure("seconds for a cut", format!("{per_cut:.1}"));
    tally
}

fn note(tally: &mut Tally, met: &Met, is_of_four: bool) {
    tally.meet("heights announced before cuts, all there", met.announced);
    tally.meet("promises in no block at a cut, all kept", met.unplaced);
    tally.meet("heights signed after cuts", met.resigned);
    tally.meet("signatures compared over cuts", met.compared);
    if is_of_four {
        tally.meet("cuts of one of four", 1);
    }
}

/// Lets the disk be written to until an instant that follows from the unit.
fn write_for_a_while(unit: u64) {
    let mut random = Random::new(unit ^ 0xC07);
    pause(Duration::from_millis(
        random.between(WRITTEN_MS.0, WRITTEN_MS.1),
    ));
}

/// Brings all that is on the disk of a path there: what a network begins with, nobody synced.
fn sync(path: &Path) -> Result<(), Fault> {
    run_command(Command::new("sync").arg("-f").arg(path))
}

fn run_command(command: &mut Command) -> Result<(), Fault> {
    let what = format!("{command:?}");
    let ended = command.status().map_err(Error::system(&what))?;
    if ended.success() {
        return Ok(());
    }
    Err(Fault::broken(format!("{what} ended with {ended}")))
}

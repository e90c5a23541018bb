//! A disk that returns another byte than was written, in any file of a stopped node's directory.
//!
//! ```text
//!   network ─► a node's directory ─► copy, one byte changed ─► `node --check`, `db check` ─► oracle
//!                        └─► every 50th unit: in place, and started beside its three peers
//! ```
//! The node goes on as if nothing had happened, or fetches from peers what it lacks, or watches with
//! amnesia, or refuses and names the file. It serves nothing that was not decided, does not panic, does
//! not hang, and signs nothing twice.

mod directory;
mod misdeed;
mod oracle;
mod scene;
mod starts;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use cloverleaf_testnet::process::Binary;

use super::THREADS;
use crate::row::{Counts, Ended, Row, Tally};
use directory::{Directory, Kind};
use oracle::Oracle;
use scene::Scene;

pub(crate) const ROW: Row = Row {
    name: "bit_rot",
    unit: "one changed byte in one file of a stopped node's directory",
    counts: Counts {
        short: 300,
        long: 3_000,
        full: 14_014,
        slice: 1_300,
    },
    run,
};

/// One unit in so many is also a start of the whole node beside its peers.
const UNITS_PER_START: u64 = 50;

fn run(units: Range<u64>) -> Ended {
    let binary = match Binary::find() {
        Ok(binary) => binary,
        Err(missing) => return Ended::Skipped(missing.to_string()),
    };
    let mut tally = Tally::default();
    // One byte cannot be in every kind of file.
    if units.end - units.start > 1 {
        Kind::ALL.iter().for_each(|kind| tally.meet(kind.name(), 0));
    }
    let first = units.start;
    if let Err(problem) = run_on(&binary, units, &mut tally) {
        tally.break_at(first, problem);
        tally.stop_before(first + 1);
    }
    Ended::Done(tally)
}

fn run_on(binary: &Binary, units: Range<u64>, tally: &mut Tally) -> Result<(), String> {
    let mut scene = Scene::prepare(binary)?;
    let directory = Directory::read(&scene.home())?;
    let oracle = Oracle::new(binary, &directory, &scene)?;
    check_copies(&scene, &directory, &oracle, units.clone(), tally);
    let starts = units.filter(|unit| unit % UNITS_PER_START == 0);
    starts::run(&mut scene, starts, tally)
}

/// Damages copies and asks what a start would find; threads take the next unit each.
fn check_copies(
    scene: &Scene,
    directory: &Directory,
    oracle: &Oracle,
    units: Range<u64>,
    tally: &mut Tally,
) {
    let next = AtomicU64::new(units.start);
    let seen = Mutex::new((tally, BTreeMap::<&'static str, u64>::new()));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let copy = scene.copy(&format!("copy{thread}"));
            let (next, seen, units) = (&next, &seen, &units);
            scope.spawn(move || {
                loop {
                    let unit = next.fetch_add(1, Ordering::Relaxed);
                    if !units.contains(&unit) {
                        return;
                    }
                    let damage = directory.choose(unit, Kind::of_unit(unit));
                    let judged = directory
                        .copy_damaged(&damage, &copy)
                        .and_then(|()| oracle.judge(&damage, &copy));
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.0.meet(damage.kind.name(), 1);
                    match judged {
                        Ok(outcome) => *seen.1.entry(outcome.name()).or_default() += 1,
                        Err(problem) => seen.0.break_at(unit, format!("{damage}: {problem}")),
                    }
                }
            });
        }
    });
    let (tally, outcomes) = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (outcome, times) in outcomes {
        tally.figures.insert(outcome.to_owned(), times.to_string());
    }
}

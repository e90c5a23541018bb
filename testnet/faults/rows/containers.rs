//! The testnet in containers, whose nodes are killed, paused, cut off and restarted by the engine while
//! users load it: all of it is testnet/smoke.sh's.

use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};

use cloverleaf_testnet::process::{Binary, Error};
use cloverleaf_testnet::stage::VALIDATORS;

use crate::row::{Counts, Ended, Row, Tally};

pub(crate) const ROW: Row = Row {
    name: "containers",
    unit: "perturbation of a node in a container: kill, pause, disconnect, restart",
    counts: Counts {
        short: 4,
        long: 16,
        full: 96,
        slice: 16,
    },
    run,
};

/// The folder of the scripts.
const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

/// What is done to nodes in turn; after each turn of all, to the next node.
const KINDS: [&str; 4] = ["kill", "pause", "disconnect", "restart"];

/// What has to be promised meanwhile, for each perturbation: transactions and bundles.
const PROMISED: (u64, u64) = (500, 12);

/// What the last line says of a run in which nothing was wrong.
const UNBROKEN: &str = "perturbations, 0 violations";

fn run(units: Range<u64>) -> Ended {
    let binary = match Binary::find() {
        Ok(binary) => binary,
        Err(missing) => return Ended::Skipped(missing.to_string()),
    };
    if let Err(reason) = start_engine() {
        return Ended::Skipped(format!("NO CONTAINER ENGINE COULD START: {reason}"));
    }
    let mut tally = Tally::default();
    let (first, count) = (units.start, units.end - units.start);
    match smoke(&binary, units) {
        Ok(said) => {
            tally.meet("perturbations", count);
            let told = said.lines().rfind(|line| line.contains(UNBROKEN));
            tally.figure(
                "smoke",
                told.unwrap_or_default().trim_start_matches("smoke: "),
            );
        }
        Err(problem) => {
            tally.break_at(first, problem);
            tally.stop_before(first + 1);
        }
    }
    Ended::Done(tally)
}

/// An engine answers from now on; the script that loads the network ends it.
fn start_engine() -> Result<(), String> {
    let script = Path::new(FOLDER).join("engine.sh");
    let mut command = Command::new(&script);
    command.arg("start").stdin(Stdio::null());
    let what = format!("running {}", script.display());
    let output = command.output().map_err(Error::system(what));
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// The whole script, with these perturbations; what it said.
fn smoke(binary: &Binary, units: Range<u64>) -> Result<String, String> {
    let script = Path::new(FOLDER).join("smoke.sh");
    let count = units.end - units.start;
    let promised = [PROMISED.0 * count, PROMISED.1 * count];
    let mut command = Command::new(&script);
    command
        .arg(binary.path())
        .args(promised.map(|promised| promised.to_string()))
        .args(units.map(perturbation))
        .stdin(Stdio::null());
    let what = format!("running {}", script.display());
    let output = command.output().map_err(Error::system(what));
    let output = output.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let is_told = said.lines().any(|line| line.contains(UNBROKEN));
    if output.status.success() && is_told {
        return Ok(said);
    }
    let answered = String::from_utf8_lossy(&output.stdout);
    Err(format!("{answered}{said}"))
}

/// As the script takes it.
fn perturbation(unit: u64) -> String {
    let unit = usize::try_from(unit).unwrap_or(0);
    let (turn, kind) = (unit / KINDS.len(), unit % KINDS.len());
    format!("{}:node{}", KINDS[kind], (kind + turn) % VALIDATORS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_meets_every_node_and_a_short_run_meets_all_kinds_and_nodes() {
        let short: Vec<String> = (0..ROW.counts.short).map(perturbation).collect();
        let expected = [
            "kill:node0",
            "pause:node1",
            "disconnect:node2",
            "restart:node3",
        ];
        assert_eq!(short, expected);
        let all: BTreeSet<String> = (0..ROW.counts.long).map(perturbation).collect();
        assert_eq!(all.len(), KINDS.len() * VALIDATORS);
    }
}

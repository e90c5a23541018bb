//! Every family of formats against bytes that a coverage-guided fuzzer makes up: fuzz/targets.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::row::{Counts, Ended, Row, Tally};

/// Where the targets are, and the inputs that one crashed of.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz");

/// What the script ends with when it cannot run, and when the targets cannot be built: nothing was tried then.
const UNTRIED: [i32; 2] = [2, 3];

/// A unit is so many executions.
const EXECUTIONS: u64 = 1_000;

/// By how fast the targets are: a few seconds, half a minute, and more than ten million executions.
const COUNTS: Counts = Counts {
    short: 300,
    long: 3_000,
    full: 10_000,
    slice: 1_000,
};

/// Its targets' executions write and sync files in memory.
const JOURNAL_COUNTS: Counts = Counts {
    short: 40,
    long: 400,
    ..COUNTS
};

pub(crate) const PARCEL_AND_BLOCK: Row = Row {
    name: "fuzz_block",
    unit: "thousand made-up parcels, batches, blocks",
    counts: COUNTS,
    run: |units| run("parcel_and_block", &units),
};

pub(crate) const MESSAGES: Row = Row {
    name: "fuzz_messages",
    unit: "thousand made-up messages of validators",
    counts: COUNTS,
    run: |units| run("messages", &units),
};

pub(crate) const RPC: Row = Row {
    name: "fuzz_rpc",
    unit: "thousand made-up bodies of requests",
    counts: COUNTS,
    run: |units| run("rpc", &units),
};

pub(crate) const JOURNAL: Row = Row {
    name: "fuzz_journal",
    unit: "thousand made-up journals and crashes of them",
    counts: JOURNAL_COUNTS,
    run: |units| run("journal", &units),
};

pub(crate) const STREAM: Row = Row {
    name: "fuzz_stream",
    unit: "thousand made-up items and proofs of streams",
    counts: COUNTS,
    run: |units| run("stream", &units),
};

pub(crate) const ORDER: Row = Row {
    name: "fuzz_order",
    unit: "thousand made-up networks, ordered",
    counts: Counts {
        short: 3,
        long: 30,
        full: 1_000,
        slice: 100,
    },
    run: |units| run("order", &units),
};

/// So many made-up inputs; or, where one unit is repeated, the inputs that crashed the target before.
fn run(target: &str, units: &Range<u64>) -> Ended {
    let executions = (units.end - units.start) * EXECUTIONS;
    let script = Path::new(FOLDER).join("run");
    let crashed = match units.end - units.start {
        1 => crashed_of(target),
        _ => Vec::new(),
    };
    let mut command = Command::new(&script);
    if crashed.is_empty() {
        command
            .args(["0", target])
            .env("RUNS", executions.to_string());
    } else {
        command.args(["repeat", target]).args(&crashed);
    }
    // The compiler's flags are the script's own.
    command.env_remove("RUSTFLAGS").stdin(Stdio::null());
    let output = match command.output() {
        Ok(output) => output,
        Err(problem) => return Ended::Skipped(format!("{}: {problem}", script.display())),
    };
    if output
        .status
        .code()
        .is_some_and(|code| UNTRIED.contains(&code))
    {
        let told = String::from_utf8_lossy(&output.stderr);
        return Ended::Skipped(format!("nothing was tried: {told}"));
    }
    let mut tally = Tally::default();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        tally.break_at(units.start, format!("{said}{told}"));
    }
    let repeated = u64::try_from(crashed.len()).unwrap_or(u64::MAX);
    let executed = executed(&said, target).unwrap_or(repeated);
    tally.meet("executions", executed);
    if !output.status.success() {
        // It stops at the first input that crashes.
        tally.stop_before(units.start + 1 + executed / EXECUTIONS);
    }
    Ended::Done(tally)
}

/// The inputs that a target crashed of.
fn crashed_of(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(FOLDER).join("artifacts").join(target);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// From the table that the script ends with.
fn executed(said: &str, target: &str) -> Option<u64> {
    let mut lines = said.lines().rev();
    let line = lines.find(|line| line.starts_with(target))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

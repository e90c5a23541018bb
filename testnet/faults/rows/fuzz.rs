//! Every family of formats against bytes that a coverage-guided fuzzer makes up: fuzz/targets.

use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::row::{Counts, Ended, Row, Tally};

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

fn run(target: &str, units: &Range<u64>) -> Ended {
    let executions = (units.end - units.start) * EXECUTIONS;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/run");
    if !Path::new(script).is_file() {
        return Ended::Skipped(format!("{script} is not there"));
    }
    let output = Command::new(script)
        .args(["0", target])
        .env("RUNS", executions.to_string())
        // The compiler's flags are the script's own.
        .env_remove("RUSTFLAGS")
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(problem) => return Ended::Skipped(format!("{script}: {problem}")),
    };
    let mut tally = Tally::default();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        tally.break_at(units.start, format!("{said}{told}"));
    }
    tally.meet("executions", executed(&said, target).unwrap_or(0));
    Ended::Done(tally)
}

/// From the table that the script ends with.
fn executed(said: &str, target: &str) -> Option<u64> {
    let mut lines = said.lines().rev();
    let line = lines.find(|line| line.starts_with(target))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

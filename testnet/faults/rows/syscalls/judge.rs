//! One node whose call goes wrong: how it ends, and what it has when it is started again.

use std::path::Path;
use std::process::ExitStatus;

use cloverleaf_consensus::JournalEntry;
use cloverleaf_journal::{FileDisk, SegmentedJournal};
use cloverleaf_testnet::disks::{Effect, Injected};
use cloverleaf_testnet::load::{Answers, Plan};
use cloverleaf_testnet::process::{Binary, wait_until};
use cloverleaf_testnet::stage::{Fault, SOON, Stage, StagePlan};

use super::Met;
use super::case::Case;

/// The exit code of a node whose durable write failed.
const DISK_EXIT: i32 = 70;

/// What a process ends with that a signal killed.
const KILLED: i32 = 9;

/// The node under test.
const NODE: usize = 0;

/// Shortest time between blocks, in milliseconds: heights pass while the tracer slows everything.
const BLOCK_TIME_MS: u64 = 20;

/// The height at which a node has made every call that is counted.
const LAST_HEIGHT: u64 = 40;

/// What users offer in a second: transactions and bundles.
const OFFERED: (usize, usize) = (60, 2);

/// Longest segment of a journal that is read back, in bytes: as long as any.
const SEGMENT_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// How the node ended, and what it had said by then.
struct End {
    /// How it ended by itself.
    status: Option<ExitStatus>,
    is_down: bool,
    announced: u64,
    answers: Answers,
    injected: Option<Injected>,
}

pub(super) fn judge(
    binary: &Binary,
    dir: &Path,
    unit: u64,
    (case, nth): (Case, u64),
    validators: usize,
) -> Result<Met, Fault> {
    let plan = StagePlan {
        validators,
        block_time_ms: Some(BLOCK_TIME_MS),
        ..StagePlan::default()
    };
    let mut stage = Stage::make(binary, dir, plan)?;
    for node in 1..validators {
        stage.restart(node)?;
    }
    let home = dir.join(format!("node{NODE}"));
    let end = run_to_the_call(&mut stage, &home, unit, (case, nth))?;
    judge_end(case, &end)?;
    let mut signatures = stage.signatures();
    if end.status.is_some() {
        judge_failed_sync(&home, &end)?;
        // What its disk knows, what the others heard of it, and what blocks have shown.
        stage.read_all_signatures(&mut signatures)?;
    }
    if validators > 1 {
        let tip = stage.seen().tip();
        stage.wait("the others go on", |seen| seen.tip() > tip + 4)?;
    }
    if end.is_down {
        stage.restart(NODE)?;
    }
    let tip = stage.seen().tip();
    stage.wait_until_it_takes_part(NODE)?;
    stage.wait("it goes on", |seen| seen.tip_of(NODE) > tip)?;
    stage.judge_promises(&end.answers)?;
    stage.nobody_signed_twice()?;
    stage.stop(NODE)?;
    stage.check_store(&home)?;
    stage.read_all_signatures(&mut signatures)?;
    Ok(Met {
        case,
        call: end.injected.map(|injected| injected.call),
        has_ended: end.status.is_some(),
        announced: end.announced,
        promised: end.answers.available.len(),
        compared: signatures.compared(),
    })
}

/// Runs the node until the call has ended it, or it has come to the last height. A node that goes on
/// after the call is left to the stage; one that has not come to it ends here, since it still could.
fn run_to_the_call(
    stage: &mut Stage,
    home: &Path,
    unit: u64,
    (case, nth): (Case, u64),
) -> Result<End, Fault> {
    let (log, injection) = (home.with_extension("calls"), case.injection(home, nth));
    let mut process = stage.network().launch(NODE, injection.tracer(&log), &[])?;
    let users = Plan::of_rates(unit, OFFERED.0, OFFERED.1);
    let load = stage.load(users, stage.members().len())?;
    let mut status = None;
    let ran = wait_until("the call, or the last height", 3 * SOON, || {
        status = process.has_ended().ok().flatten();
        status.is_some() || stage.seen().tip_of(NODE) >= LAST_HEIGHT
    });
    ran.map_err(|late| {
        let log = process.log();
        Fault::broken(format!("{late}; it says:\n{log}"))
    })?;
    let answers = stage.runtime().block_on(load.stop());
    let injected = injection.injected(&log);
    if status.is_none() && injected.is_some() && !case.may_go_on {
        // It came to the call after the last look.
        let _judged_below = wait_until("its end", SOON, || {
            status = process.has_ended().ok().flatten();
            status.is_some()
        });
    }
    let is_down = status.is_some() || injected.is_none();
    if is_down {
        stage.end_life(NODE);
        // Where it comes to the call now, it is down as well.
        let _killed = status.is_none().then(|| process.kill());
    } else {
        // The tracer stays with it: nothing goes wrong any more.
        stage.network().adopt(NODE, process)?;
    }
    let announced = stage.seen().tip_of(NODE);
    stage.check()?;
    Ok(End {
        status,
        is_down,
        announced,
        answers,
        injected,
    })
}

/// A durable write that failed ends the node with its exit code, and nothing else does.
fn judge_end(case: Case, end: &End) -> Result<(), Fault> {
    let call = end.injected.as_ref().map(|injected| injected.call.as_str());
    let how = |status: ExitStatus| std::os::unix::process::ExitStatusExt::signal(&status);
    match (case.effect, call, end.status) {
        (_, None, None) => Ok(()),
        (Effect::Kill, _, Some(status)) if how(status) == Some(KILLED) => Ok(()),
        (Effect::Error(_), Some(_), Some(status)) if status.code() == Some(DISK_EXIT) => Ok(()),
        (Effect::Error(_), Some(_), None) if case.may_go_on => Ok(()),
        (_, call, Some(status)) => Err(Fault::broken(format!(
            "it ended with {status} after {call:?}"
        ))),
        (_, Some(call), None) => Err(Fault::broken(format!("it went on after {call}"))),
    }
}

/// What is in a journal last had not been synced when its sync failed: nobody may have heard of it.
fn judge_failed_sync(home: &Path, end: &End) -> Result<(), Fault> {
    let Some(injected) = &end.injected else {
        return Ok(());
    };
    if !injected.call.starts_with("fdatasync") || !injected.is_on("journal/votes-") {
        return Ok(());
    }
    let unread = |problem: String| Fault::broken(format!("the vote journal: {problem}"));
    let disk = FileDisk::open(home.join("journal")).map_err(|error| unread(error.to_string()))?;
    let votes = SegmentedJournal::open(disk, "votes", SEGMENT_BYTES_MAX);
    let votes = votes.map_err(|error| unread(error.to_string()))?;
    let Some(last) = votes.records.last() else {
        return Ok(());
    };
    let entry = JournalEntry::decode(&last.payload.clone().into());
    let entry = entry.map_err(|error| unread(error.to_string()))?;
    let is_vote = entry.signer().is_some();
    if is_vote && end.announced >= entry.height().0 {
        return Err(Fault::broken(format!(
            "block {} was announced, whose vote was not synced: {entry:?}",
            end.announced
        )));
    }
    Ok(())
}

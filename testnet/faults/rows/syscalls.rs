//! Calls of the system that fail, or are a node's last: whatever fails, nothing that was said is gone.
//!
//! ```text
//!   unit ─► one of CASES, of a network of one or of four ─► the n-th call of a thread
//! ```
//! The n of successive units are spread over all: a short run meets starts and heights, and a full one
//! meets every call of some twenty heights.

mod case;
mod judge;

use std::ops::Range;
use std::path::Path;

use cloverleaf_testnet::disks::lacking;
use cloverleaf_testnet::process::{Binary, Stopwatch};
use cloverleaf_testnet::stage::{Dir, VALIDATORS};

use super::side_by_side;
use crate::row::{Counts, Ended, Row, Tally};
use case::{CASES, Case};

pub(crate) const ROW: Row = Row {
    name: "syscalls",
    unit: "calls of the system that fail or kill under load",
    counts: Counts {
        short: 24,
        long: 150,
        // The first 2,048 were of 16 of the 24 pairs of call and effect; every call of each comes after.
        full: 2_048 + 24 * CALLS,
        slice: 64,
    },
    run,
};

/// Calls of one thread that are counted, of one kind: some twenty heights.
const CALLS: u64 = 128;

/// Units that run at a time: most of one is waiting for the tracer and for starts.
const AT_A_TIME: usize = 3;

/// One unit in so many is of a network of four. It divides the number of cases by nothing, so that each of
/// them is met in both.
const OF_FOUR: u64 = 13;

/// What a unit met.
struct Met {
    case: Case,
    /// The call that went wrong; none when the node came to its last height before.
    call: Option<String>,
    /// Whether the node ended.
    has_ended: bool,
    announced: u64,
    promised: usize,
    /// Signatures from before and after it ended.
    compared: u64,
}

fn run(units: Range<u64>) -> Ended {
    let found = Binary::find().and_then(|binary| {
        let dir = Dir::beside_executable("faults-syscalls")?;
        Ok((binary, dir))
    });
    let (binary, dir) = match found {
        Ok(found) => found,
        Err(missing) => return Ended::Skipped(missing.to_string()),
    };
    if let Some(reason) = lacking(&["strace"], dir.path()) {
        return Ended::Skipped(reason);
    }
    let (mut tally, watch) = (Tally::default(), Stopwatch::start());
    let count = u32::try_from(units.end - units.start).unwrap_or(1);
    let each = |unit| one(&binary, unit, dir.path());
    for (unit, ended) in side_by_side(units, AT_A_TIME, each) {
        match ended {
            Ok(met) => note(&mut tally, &met),
            Err(what) => tally.break_at(unit, what),
        }
    }
    let seconds = watch.elapsed().as_secs_f64() / f64::from(count);
    tally.figure("seconds for a call", format!("{seconds:.1}"));
    Ended::Done(tally)
}

fn one(binary: &Binary, unit: u64, dir: &Path) -> Result<Met, String> {
    let kinds = u64::try_from(CASES.len()).unwrap_or(1);
    let case = CASES[usize::try_from(unit % kinds).unwrap_or(0)];
    let nth = nth(unit / kinds, unit % kinds);
    let validators = validators(unit);
    let name = format!("{case}, call {nth} of a thread, {validators} validators");
    let dir = dir.join(unit.to_string());
    let judged = judge::judge(binary, &dir, unit, (case, nth), validators);
    let _next_has_its_own = std::fs::remove_dir_all(&dir);
    judged.map_err(|fault| format!("{name}: {fault}"))
}

fn validators(unit: u64) -> usize {
    match unit % OF_FOUR {
        0 => VALIDATORS,
        _ => 1,
    }
}

/// The calls in an order that spreads them: each once in every [`CALLS`] turns, and each case at
/// another one in the same turn.
fn nth(turn: u64, case: u64) -> u64 {
    let bits = CALLS.trailing_zeros();
    let spread = (turn % CALLS).reverse_bits() >> (u64::BITS - bits);
    1 + (spread + case * 37) % CALLS
}

fn note(tally: &mut Tally, met: &Met) {
    let (case, count) = (met.case, u64::from(met.call.is_some()));
    tally.meet("calls that went wrong", count);
    tally.meet("nodes that ended of it", u64::from(met.has_ended));
    tally.meet("heights announced before, all there", met.announced);
    let promised = u64::try_from(met.promised).unwrap_or(u64::MAX);
    tally.meet("promises, all kept", promised);
    tally.meet("signatures compared", met.compared);
    let figure = tally.figures.entry(format!("{case}")).or_default();
    let before: u64 = figure.parse().unwrap_or(0);
    *figure = (before + count).to_string();
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_case_is_met_alone_and_among_four() {
        let cases = u64::try_from(CASES.len()).unwrap();
        let met = |unit: u64| (unit % cases, validators(unit));
        let all: BTreeSet<(u64, usize)> = (0..cases * OF_FOUR).map(met).collect();
        assert_eq!(all.len(), 2 * CASES.len());
    }

    #[test]
    fn every_call_has_its_turn_once() {
        for case in [0, 5, 23] {
            let calls: BTreeSet<u64> = (0..CALLS).map(|turn| nth(turn, case)).collect();
            assert_eq!(calls, (1..=CALLS).collect());
        }
    }
}

//! What one line of the table stands for.

use std::collections::BTreeMap;
use std::ops::Range;

/// One kind of fault: what is broken, how often, and the function that does it.
pub(crate) struct Row {
    /// What it is called on the command line and in the record.
    pub(crate) name: &'static str,
    /// What one unit is.
    pub(crate) unit: &'static str,
    /// How many units make a run.
    pub(crate) counts: Counts,
    /// Breaks things: once for every number in the range. Equal numbers break the same.
    pub(crate) run: fn(Range<u64>) -> Ended,
}

/// How many units a run has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// In `make faults`: all rows together within 20 minutes on two cores.
    pub(crate) short: u64,
    /// In `make faults-long`.
    pub(crate) long: u64,
    /// In `make faults-full`, which may be spread over days.
    pub(crate) full: u64,
    /// Units between two lines of the record, so that an interrupted run loses little.
    pub(crate) slice: u64,
}

/// How a run ended.
pub(crate) enum Ended {
    /// It was done.
    Done(Tally),
    /// This machine lacks something.
    Skipped(String),
}

/// What a run led to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// What broke, each with the unit that did it.
    pub(crate) violations: Vec<Broken>,
    /// What the run met, and how often; a run that never met one of them has not tested it.
    pub(crate) met: BTreeMap<String, u64>,
    /// The first unit that a violation kept from being run.
    pub(crate) not_run: Option<u64>,
    /// What was measured, in words.
    pub(crate) figures: BTreeMap<String, String>,
}

/// Something that must not happen, and did.
#[derive(Debug)]
pub(crate) struct Broken {
    /// The number that repeats it.
    pub(crate) unit: u64,
    /// The first of those that led to it, on one network.
    pub(crate) first: u64,
    /// What happened.
    pub(crate) what: String,
}

impl Tally {
    /// Notes something that must not happen.
    pub(crate) fn break_at(&mut self, unit: u64, what: impl ToString) {
        self.break_since(unit, unit, what);
    }

    /// The same where earlier units, from the first on, were of the same network.
    pub(crate) fn break_since(&mut self, first: u64, unit: u64, what: impl ToString) {
        let what = what.to_string();
        self.violations.push(Broken { unit, first, what });
    }

    /// Notes that no unit was run from this one on.
    pub(crate) fn stop_before(&mut self, unit: u64) {
        self.not_run = Some(self.not_run.map_or(unit, |before| before.min(unit)));
    }

    /// Notes that something was met so many times more.
    pub(crate) fn meet(&mut self, what: &str, times: u64) {
        *self.met.entry(what.to_owned()).or_default() += times;
    }

    /// Adds what another part of the same run led to, but for what was measured.
    pub(crate) fn join(&mut self, other: Self) {
        self.violations.extend(other.violations);
        for (what, times) in other.met {
            self.meet(&what, times);
        }
    }

    /// Notes what was measured.
    pub(crate) fn figure(&mut self, what: &str, figure: impl ToString) {
        self.figures.insert(what.to_owned(), figure.to_string());
    }

    /// What was never met.
    pub(crate) fn missed(&self) -> Vec<&str> {
        let never = self.met.iter().filter(|(_, times)| **times == 0);
        never.map(|(what, _)| what.as_str()).collect()
    }
}

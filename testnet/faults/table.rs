//! The table that a run ends with; its last line is the sum.

use std::fmt;
use std::time::Duration;

use super::row::{Ended, Row};

/// What every row led to.
#[derive(Default)]
pub(crate) struct Table(Vec<Line>);

/// What one row led to.
pub(crate) struct Line {
    what: String,
    count: u64,
    violations: usize,
    seconds: u64,
    remark: String,
    is_skipped: bool,
}

impl Line {
    pub(crate) fn new(row: &Row, count: u64, ended: &Ended, took: Duration) -> Self {
        let (count, violations, remark) = match ended {
            Ended::Skipped(reason) => (0, 0, format!("SKIPPED: {reason}")),
            Ended::Done(tally) => {
                let missed = tally.missed();
                let remark = if missed.is_empty() {
                    String::new()
                } else {
                    format!("never met: {}", missed.join(", "))
                };
                (count, tally.violations.len() + missed.len(), remark)
            }
        };
        Self {
            what: format!("{}: {}", row.name, row.unit),
            count,
            violations,
            seconds: took.as_secs(),
            remark,
            is_skipped: matches!(ended, Ended::Skipped(_)),
        }
    }
}

impl Table {
    pub(crate) fn add(&mut self, line: Line) {
        self.0.push(line);
    }

    /// True when nothing broke. What was skipped broke nothing, and the sum says so.
    pub(crate) fn is_unbroken(&self) -> bool {
        self.0.iter().all(|line| line.violations == 0)
    }

    fn sum(&self) -> Line {
        let skipped = self.0.iter().filter(|line| line.is_skipped).count();
        let remark = match skipped {
            0 => String::new(),
            skipped => format!("{skipped} ROWS SKIPPED"),
        };
        Line {
            what: "sum".to_owned(),
            count: self.0.iter().map(|line| line.count).sum(),
            violations: self.0.iter().map(|line| line.violations).sum(),
            seconds: self.0.iter().map(|line| line.seconds).sum(),
            remark,
            is_skipped: false,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["what", "how many", "violations", "seconds"];
        writeln!(
            f,
            "{:<64} {:>10} {:>10} {:>8}",
            head[0], head[1], head[2], head[3]
        )?;
        self.0.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        write!(f, "{}", self.sum())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            count,
            violations,
            seconds,
            remark,
            ..
        } = self;
        write!(
            f,
            "{what:<64} {count:>10} {violations:>10} {seconds:>8}  {remark}"
        )
    }
}

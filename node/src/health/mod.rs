//! Whether a process is well, and whether it is of use: named checks that supervisors ask for.
//!
//! `/livez` fails when only a restart helps; `/readyz` also while it is of no use to clients, which
//! passes by itself. `docs/operations.md` lists the checks.

mod http;
mod node;
mod rollup;

use serde::{Deserialize, Serialize};

pub(crate) use http::router;
pub(crate) use node::NodeHealth;
pub(crate) use rollup::RollupHealth;

/// For how long a thread may be at one piece of work before it counts as stuck, in milliseconds: a
/// sync on a busy disk takes a second, one on a dying disk takes for ever.
const STUCK_MS: u64 = 10_000;

/// One thing that should hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Check {
    /// What it is called, everywhere.
    pub(crate) name: String,
    /// Whether it holds.
    pub(crate) ok: bool,
    /// Why it does not hold; nothing when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

/// The answer to a question about health.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Whether all checks hold.
    pub(crate) ok: bool,
    /// The checks, in a fixed order.
    pub(crate) checks: Vec<Check>,
}

/// A process that can be asked how it is. Asking must neither wait nor cost anything.
pub(crate) trait Health: Send + Sync + 'static {
    /// What only a restart mends.
    fn live(&self) -> Vec<Check>;

    /// What must hold for clients to be served well.
    fn ready(&self) -> Vec<Check>;
}

impl Check {
    /// A check that holds unless there is a reason why not.
    pub(crate) fn new(name: &str, why_not: Option<String>) -> Self {
        Self {
            name: name.to_owned(),
            ok: why_not.is_none(),
            detail: why_not,
        }
    }

    /// A check that a piece of work does not take too long.
    pub(crate) fn moves(name: &str, running_ms: u64) -> Self {
        let why_not = format!("at one piece of work for {running_ms} ms");
        Self::new(name, (running_ms > STUCK_MS).then_some(why_not))
    }
}

impl Report {
    /// Holds when all checks hold.
    pub(crate) fn new(checks: Vec<Check>) -> Self {
        Self {
            ok: checks.iter().all(|check| check.ok),
            checks,
        }
    }

    /// For people: `ok`, or one line for every check that does not hold.
    pub(crate) fn text(&self) -> String {
        if self.ok {
            return "ok".to_owned();
        }
        let failing = self.checks.iter().filter(|check| !check.ok);
        let lines: Vec<String> = failing
            .map(|check| {
                format!(
                    "{}: {}",
                    check.name,
                    check.detail.as_deref().unwrap_or("no")
                )
            })
            .collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_names_every_check_that_fails_and_no_other() {
        let report = Report::new(vec![
            Check::new("first", None),
            Check::new("second", Some("it rains".to_owned())),
            Check::moves("third", STUCK_MS),
            Check::moves("fourth", STUCK_MS + 1),
        ]);
        assert!(!report.ok);
        assert_eq!(
            report.text(),
            "second: it rains\nfourth: at one piece of work for 10001 ms"
        );
        assert_eq!(Report::new(vec![Check::new("first", None)]).text(), "ok");
    }
}

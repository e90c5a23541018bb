//! Which calls go wrong, how, and what may become of the node.

use std::fmt;
use std::path::{Path, PathBuf};

use cloverleaf_testnet::disks::{Effect, Injection};

/// Numbers of files that a node may come to within a unit.
const NUMBERS: std::ops::RangeInclusive<u64> = 1..=40;

/// A call, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) call: &'static str,
    pub(super) effect: Effect,
    /// Only calls on files of journals and store are counted; the others are not on disks.
    is_of_files: bool,
    /// Whether the node may go on: what failed is made up for, or nobody depends on it.
    pub(super) may_go_on: bool,
}

const EIO: Effect = Effect::Error("EIO");
const ENOSPC: Effect = Effect::Error("ENOSPC");

/// All of them: eight calls, each with three effects.
pub(super) const CASES: [Case; 24] = [
    durable("fdatasync", EIO),
    of_files("write", ENOSPC),
    durable("fsync", EIO),
    durable("fdatasync", Effect::Kill),
    of_files("write", EIO),
    of_files("openat", EIO),
    durable("rename", EIO),
    durable("fdatasync", ENOSPC),
    of_files("write", Effect::Kill),
    durable("fsync", Effect::Kill),
    of_files("openat", ENOSPC),
    made_up_for("ftruncate", EIO),
    made_up_for("fallocate", ENOSPC),
    made_up_for("unlink", EIO),
    durable("rename", Effect::Kill),
    durable("fsync", ENOSPC),
    durable("unlink", Effect::Kill),
    of_files("openat", Effect::Kill),
    durable("rename", ENOSPC),
    made_up_for("fallocate", EIO),
    durable("ftruncate", Effect::Kill),
    made_up_for("unlink", ENOSPC),
    durable("fallocate", Effect::Kill),
    made_up_for("ftruncate", ENOSPC),
];

const fn durable(call: &'static str, effect: Effect) -> Case {
    Case {
        call,
        effect,
        is_of_files: false,
        may_go_on: false,
    }
}

const fn of_files(call: &'static str, effect: Effect) -> Case {
    Case {
        is_of_files: true,
        ..durable(call, effect)
    }
}

const fn made_up_for(call: &'static str, effect: Effect) -> Case {
    Case {
        may_go_on: true,
        ..durable(call, effect)
    }
}

impl Case {
    /// As `strace` is told, for a node of this directory.
    pub(super) fn injection(self, home: &Path, nth: u64) -> Injection {
        let files = if self.is_of_files {
            files(home)
        } else {
            Vec::new()
        };
        Injection {
            call: self.call,
            effect: self.effect,
            nth,
            files,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = match self.effect {
            Effect::Error(error) => error,
            Effect::Kill => "SIGKILL",
        };
        write!(f, "{} {effect}", self.call)
    }
}

/// What journals and store may be kept in.
fn files(home: &Path) -> Vec<PathBuf> {
    let journals = ["votes", "lane", "parcels"].into_iter().flat_map(|name| {
        let numbers = 1..=4;
        numbers.map(move |number| home.join(format!("journal/{name}-{number:010}")))
    });
    let store = NUMBERS.flat_map(|number| {
        let log_and_table = ["log", "sst", "blob"];
        let named = log_and_table.map(|ending| home.join(format!("db/{number:06}.{ending}")));
        let manifest = home.join(format!("db/MANIFEST-{number:06}"));
        named.into_iter().chain([manifest])
    });
    journals.chain(store).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_call_has_every_effect() {
        let named: BTreeSet<String> = CASES.iter().map(Case::to_string).collect();
        let calls: BTreeSet<&str> = CASES.iter().map(|case| case.call).collect();
        assert_eq!((named.len(), calls.len()), (CASES.len(), CASES.len() / 3));
    }
}

//! Networks that are broken on purpose, each in one way: the judge must notice, within a few seeds.

use super::config::{Config, Controls};
use super::faulty::Ordering;
use super::script::Script;
use super::{Simulation, byzantine::Kind};
use crate::checker::Violation;

/// One way to be broken.
#[derive(Clone, Copy, Debug)]
pub struct Negative {
    /// What is wrong, in words.
    pub what: &'static str,
    /// The network of a seed.
    pub config: fn(u64) -> Config,
    /// What the judge must say; anything else is no proof.
    pub is_caught: fn(&Violation) -> bool,
}

/// Every one of them.
pub const ALL: [Negative; 12] = [
    Negative {
        what: "votes leave before the vote journal is synced",
        config: |seed| broken(seed, |controls| controls.votes_leave_early = true),
        is_caught: |found| matches!(found, Violation::SignedTwice { .. }),
    },
    Negative {
        what: "parcels are said to be durable before they are",
        config: |seed| broken(seed, |controls| controls.parcels_durable_early = true),
        is_caught: |found| {
            matches!(
                found,
                Violation::SignedTwice { .. }
                    | Violation::Lost { .. }
                    | Violation::Node { .. }
                    | Violation::Replay { .. }
            )
        },
    },
    Negative {
        what: "keys sign although their journals are gone",
        config: |seed| broken(seed, |controls| controls.amnesia_ignored = true),
        is_caught: |found| matches!(found, Violation::SignedTwice { .. }),
    },
    Negative {
        what: "the guard forgets at every start what was signed",
        config: |seed| broken(seed, |controls| controls.votes_forgotten = true),
        is_caught: |found| matches!(found, Violation::SignedTwice { .. }),
    },
    Negative {
        what: "nobody verifies what authors marked as checked",
        config: |seed| {
            let mut config = Config::calm(seed);
            config.byzantine = vec![(2, Kind::Marks)];
            config.controls.marks_unverified = true;
            config
        },
        is_caught: |found| matches!(found, Violation::FalseMark { .. }),
    },
    Negative {
        what: "the replay window is empty after a start",
        config: |seed| broken(seed, |controls| controls.window_forgotten = true),
        is_caught: |found| !matches!(found, Violation::Stalled { .. }),
    },
    Negative {
        what: "blocks are ordered without the replay window",
        config: |seed| ordered(seed, Ordering::WithoutWindow),
        is_caught: |found| matches!(found, Violation::Twice { .. }),
    },
    Negative {
        what: "bundles are placed without their last leg",
        config: |seed| ordered(seed, Ordering::SplittingBundles),
        is_caught: |found| {
            matches!(
                found,
                Violation::Atomicity { .. } | Violation::Replay { .. }
            )
        },
    },
    Negative {
        what: "lanes are ordered from the last parcel to the first",
        config: |seed| ordered(seed, Ordering::LanesReversed),
        is_caught: |found| matches!(found, Violation::Replay { .. }),
    },
    Negative {
        what: "readers of streams store their cursors before the effects",
        config: |seed| delivered(seed, |controls| controls.cursors_first = true),
        is_caught: |found| matches!(found, Violation::Delivery { .. }),
    },
    Negative {
        what: "streams are served from the batch after the one that is asked for",
        config: |seed| delivered(seed, |controls| controls.streams_skip = true),
        is_caught: |found| matches!(found, Violation::Delivery { .. }),
    },
    Negative {
        what: "two of four validators run twice, each half of the network hears one of each",
        config: |seed| {
            let mut config = Config::calm(seed);
            config.twins = vec![0, 1];
            config.script = Some(Script::split(&[0, 0, 0, 1, 1, 1]));
            config
        },
        is_caught: |found| matches!(found, Violation::Disagreement { .. }),
    },
];

impl Negative {
    /// The first of the seeds below `seeds` that the judge notices it at.
    #[must_use]
    pub fn caught(&self, seeds: u64) -> Option<(u64, Violation)> {
        (0..seeds).find_map(|seed| {
            let found = Simulation::run((self.config)(seed)).err()?;
            (self.is_caught)(&found).then_some((seed, found))
        })
    }
}

/// A network of correct validators in which much breaks, and one thing always.
fn broken(seed: u64, break_it: fn(&mut Controls)) -> Config {
    let mut config = Config::hostile(seed);
    break_it(&mut config.controls);
    config.byzantine = Vec::new();
    if let Some(faults) = &mut config.faults {
        faults.interval_ms = 150;
    }
    config
}

/// A network in which nothing breaks but what reads its streams.
fn delivered(seed: u64, break_it: fn(&mut Controls)) -> Config {
    let mut config = Config::calm(seed);
    break_it(&mut config.controls);
    config
}

/// A network whose validators all order alike, and wrong.
fn ordered(seed: u64, ordering: Ordering) -> Config {
    let mut config = Config::calm(seed);
    config.byzantine = vec![(1, Kind::Duplicate)];
    config.controls.ordering = Some(ordering);
    config
}

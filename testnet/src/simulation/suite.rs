//! Many seeds, on several threads, and the sum of what they met.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Config, Counts, Report, Simulation};
use crate::checker::Violation;

/// What a row of seeds led to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The sum over all seeds that broke nothing.
    pub counts: Counts,
    /// Seeds that broke something, with what they broke, by seed.
    pub broken: Vec<(u64, Violation)>,
}

/// Runs the seeds `from..to`, each once; every tenth twice, since equal runs must have equal digests.
#[must_use]
pub fn run(from: u64, to: u64, threads: usize, config: fn(u64) -> Config) -> Outcome {
    let next = AtomicU64::new(from);
    let outcome = Mutex::new(Outcome::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= to {
                return;
            }
            let result = run_seed(seed, config);
            let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok(report) => outcome.counts.add(&report.counts),
                Err(violation) => outcome.broken.push((seed, violation)),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.broken.sort_by_key(|(seed, _)| *seed);
    outcome
}

/// Runs one seed.
///
/// # Errors
/// What it breaks.
pub fn run_seed(seed: u64, config: fn(u64) -> Config) -> Result<Report, Violation> {
    let report = Simulation::run(config(seed))?;
    if seed.is_multiple_of(10) {
        let again = Simulation::run(config(seed))?;
        if report != again {
            let (first, second) = (report.digest, again.digest);
            return Err(Violation::Undetermined {
                first: first.to_string(),
                second: second.to_string(),
            });
        }
    }
    Ok(report)
}

//! The highest rate with which a network keeps up.

use super::schedule::TRANSACTIONS_MAX;
use super::{Error, Offer, Outcome, run};
use crate::load::Targets;

/// A rate that holds and one that does not are this close in the end, in parts of a hundred.
const CLOSE_PERCENT: u64 = 5;

/// A rate does not hold when it failed so often in a row: the machine may do something else for a moment.
const FAILURES: usize = 2;

/// One rate that was offered.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What became of it.
    pub outcome: Outcome,
    /// Why the network did not keep up with it; nothing when it did.
    pub why_not: Option<String>,
}

/// Offers rates until two are close of which the lower one holds: doubles the first while it holds, or
/// halves it until it does, then bisects. Returns what became of the highest that held; nothing when none
/// did.
///
/// # Errors
/// As [`run`].
pub async fn highest(
    first: &Offer,
    targets: &Targets,
    mut on_trial: impl FnMut(&Trial),
) -> Result<Option<Outcome>, Error> {
    let most = u32::try_from(TRANSACTIONS_MAX / u64::from(first.seconds.max(1)));
    let mut search = Search::new(first.rate, most.unwrap_or(u32::MAX));
    let mut best = None;
    // Each with accounts of its own: the nonces of those before are used.
    for seed in first.seed.. {
        let Some(rate) = search.next() else {
            break;
        };
        let offer = Offer {
            seed,
            rate,
            ..*first
        };
        let outcome = run(&offer, targets).await?;
        let why_not = outcome.holds().err();
        search.note(rate, why_not.is_none());
        let trial = Trial { outcome, why_not };
        on_trial(&trial);
        if trial.why_not.is_none() {
            best = Some(trial.outcome);
        }
    }
    Ok(best)
}

/// Where the limit must be.
#[derive(Clone, Copy, Debug)]
struct Search {
    first: u32,
    /// As much as can be offered.
    most: u32,
    holds: Option<u32>,
    fails: Option<u32>,
    /// How often the rate that is tried has failed.
    failures: usize,
}

impl Search {
    fn new(first: u32, most: u32) -> Self {
        Self {
            first: first.clamp(1, most.max(1)),
            most,
            holds: None,
            fails: None,
            failures: 0,
        }
    }

    fn next(self) -> Option<u32> {
        let rate = match (self.holds, self.fails) {
            (None, None) => self.first,
            (Some(holds), None) => holds.saturating_mul(2).min(self.most),
            (None, Some(fails)) => fails / 2,
            (Some(holds), Some(fails)) => {
                let gap = u64::from(fails - holds);
                if gap * 100 <= u64::from(fails) * CLOSE_PERCENT {
                    return None;
                }
                holds.midpoint(fails)
            }
        };
        (rate > 0 && Some(rate) != self.holds).then_some(rate)
    }

    fn note(&mut self, rate: u32, holds: bool) {
        self.failures = if holds { 0 } else { self.failures + 1 };
        if holds {
            self.holds = Some(rate);
        } else if self.failures == FAILURES {
            self.fails = Some(rate);
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All rates that are tried against a network that takes so much, each once in a row.
    fn tried(first: u32, limit: u32) -> Vec<u32> {
        let (mut search, mut tried) = (Search::new(first, 50_000), Vec::new());
        while let Some(rate) = search.next() {
            search.note(rate, rate <= limit);
            tried.push(rate);
        }
        tried.dedup();
        tried
    }

    #[test]
    fn limit_is_found_from_below_and_from_above() {
        assert_eq!(
            tried(1_000, 5_000),
            [1_000, 2_000, 4_000, 8_000, 6_000, 5_000, 5_500, 5_250]
        );
        assert_eq!(
            tried(8_000, 3_000),
            [8_000, 4_000, 2_000, 3_000, 3_500, 3_250, 3_125]
        );
    }

    #[test]
    fn network_that_takes_nothing_ends_the_search() {
        assert_eq!(tried(4, 0), [4, 2, 1]);
    }

    #[test]
    fn no_more_is_offered_than_can_be() {
        assert_eq!(tried(30_000, 1_000_000), [30_000, 50_000]);
        assert_eq!(tried(70_000, 1_000_000), [50_000]);
    }

    #[test]
    fn rate_that_fails_once_is_tried_again() {
        let mut search = Search::new(1_000, 50_000);
        search.note(1_000, false);
        assert_eq!(search.next(), Some(1_000));
        search.note(1_000, true);
        search.note(2_000, false);
        assert_eq!(search.next(), Some(2_000));
        search.note(2_000, false);
        assert_eq!(search.next(), Some(1_500));
    }
}

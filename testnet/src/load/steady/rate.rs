//! The highest rate with which a network keeps up.

use super::{Error, Offer, Outcome, run};
use crate::load::Targets;

/// A rate that holds and one that does not are this close in the end, in parts of a hundred.
const CLOSE_PERCENT: u64 = 5;

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
    let (mut search, mut best) = (Search::new(first.rate), None);
    // Each with accounts of its own: the nonces of those before are used.
    for seed in first.seed.. {
        let Some(rate) = search.next() else {
            break;
        };
        let outcome = run(
            &Offer {
                seed,
                rate,
                ..*first
            },
            targets,
        )
        .await?;
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
    holds: Option<u32>,
    fails: Option<u32>,
}

impl Search {
    fn new(first: u32) -> Self {
        Self {
            first: first.max(1),
            holds: None,
            fails: None,
        }
    }

    fn next(self) -> Option<u32> {
        let rate = match (self.holds, self.fails) {
            (None, None) => self.first,
            (Some(holds), None) => holds.checked_mul(2)?,
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
        if holds {
            self.holds = Some(rate);
        } else {
            self.fails = Some(rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All rates that are tried against a network that takes so much.
    fn tried(first: u32, limit: u32) -> Vec<u32> {
        let (mut search, mut tried) = (Search::new(first), Vec::new());
        while let Some(rate) = search.next() {
            search.note(rate, rate <= limit);
            tried.push(rate);
        }
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
}

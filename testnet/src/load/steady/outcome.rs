//! What became of an offer.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::Offer;
use super::commits::Seen;
use super::schedule::{Due, Schedule};
use super::senders::Replies;
use super::times::{Latencies, Times};

/// In how many parts of the time it is told by itself: what drifts shows there.
const PARTS: usize = 10;

/// A network that takes longer than this at the end for half of what it is sent does not keep up, in
/// milliseconds: it has fallen behind by some blocks.
const BEHIND_MS: f64 = 1_000.0;

/// Nor does one that takes so many times as long at the end as it did in this tenth, if that is some blocks
/// later: it falls behind.
const SETTLED_TENTH: usize = 3;
const GROWTH: f64 = 1.5;
const GROWTH_MS: f64 = 400.0;

/// What became of an offer. Counts are of transactions, with those in bundles.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// What was offered.
    pub offer: Offer,
    /// How many that were.
    pub offered: usize,
    /// How many of them in bundles.
    pub in_bundles: usize,
    /// Taken in by a node.
    pub taken: usize,
    /// Refused, by reason.
    pub refused: BTreeMap<String, usize>,
    /// Neither taken in nor refused: a node did not answer.
    pub unanswered: usize,
    /// Taken in behind one of the same account that was not, so that perhaps no block may place them.
    pub stuck: usize,
    /// In blocks.
    pub committed: usize,
    /// Taken in, not stuck, and in no block. A node that dies may lose what it had only received.
    pub lost: usize,
    /// Times that a block held what one before had held, bundles counted as one.
    pub repeated: usize,
    /// Due → a node says that it has it.
    pub received: Times,
    /// Due → a client has the block with it; zero where all are in bundles.
    pub transactions: Times,
    /// The same, for bundles.
    pub bundles: Option<Times>,
    /// The same, for each rollup's transactions outside of bundles.
    pub rollups: Vec<RollupTimes>,
    /// The same, for all that was due in each tenth of the time.
    pub tenths: Vec<Part>,
    /// Processor time of this program for each transaction, in microseconds.
    pub own_us: f64,
}

/// How long a rollup's transactions took.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RollupTimes {
    /// The rollup.
    pub chain_id: u64,
    /// How many.
    pub committed: usize,
    /// How long.
    #[serde(flatten)]
    pub times: Times,
}

/// A part of the time.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// How many of what was due in it were committed.
    pub committed: usize,
    /// How long they took.
    #[serde(flatten)]
    pub times: Times,
}

/// When blocks held what was sent.
struct Committed<'a> {
    schedule: &'a Schedule,
    after: &'a [Option<Duration>],
}

impl Outcome {
    pub(super) fn new(
        offer: &Offer,
        schedule: &Schedule,
        replies: &Replies,
        seen: &Seen,
        (begin, used_s): (Instant, f64),
    ) -> Self {
        let since_due = |(position, at): (usize, &Option<Instant>)| {
            let due = begin + schedule.get(position).at;
            at.map(|at| at.saturating_duration_since(due))
        };
        let after: Vec<_> = seen.at.iter().enumerate().map(since_due).collect();
        let committed = Committed {
            schedule,
            after: &after,
        };
        let weigh = |position: usize| schedule.get(position).legs.len();
        let all = 0..schedule.len();
        let offered: usize = all.clone().map(weigh).sum();
        let is_taken = |position: &usize| replies.taken[*position].is_some();
        let taken: usize = all.clone().filter(is_taken).map(weigh).sum();
        let owed = replies.owed(schedule);
        let owed_count: usize = owed.iter().copied().map(weigh).sum();
        let lost = owed
            .into_iter()
            .filter(|position| after[*position].is_none());
        let bundles = committed.times(Due::is_bundle);
        let refused: usize = replies.refused.values().sum();
        Self {
            offer: *offer,
            offered,
            in_bundles: schedule.bundle_positions().map(weigh).sum(),
            taken,
            refused: replies.refused.clone(),
            unanswered: offered.saturating_sub(taken + refused),
            stuck: taken - owed_count,
            committed: all
                .filter(|position| after[*position].is_some())
                .map(weigh)
                .sum(),
            lost: lost.map(weigh).sum(),
            repeated: seen.again,
            received: replies
                .taken
                .iter()
                .flatten()
                .copied()
                .collect::<Latencies>()
                .times(),
            transactions: committed.times(|due| !due.is_bundle()).times(),
            bundles: (bundles.count() > 0).then(|| bundles.times()),
            rollups: committed.by_rollup(),
            tenths: committed.by_part(Duration::from_secs(offer.seconds.into())),
            own_us: used_s * 1e6 / number(offered),
        }
    }

    /// Whether the network keeps up with it.
    ///
    /// # Errors
    /// Why not.
    pub fn holds(&self) -> Result<(), String> {
        if self.lost > 0 {
            return Err(format!("{} were taken in and are in no block", self.lost));
        }
        if let Some((reason, count)) = self.refused.iter().max_by_key(|(_, count)| **count) {
            return Err(format!("{count} were refused with {reason}"));
        }
        if self.unanswered > 0 {
            return Err(format!("{} were not answered", self.unanswered));
        }
        if self.repeated > 0 {
            return Err(format!("{} are in more than one block", self.repeated));
        }
        let half = |part: Option<&Part>| part.map_or(0.0, |part| part.times.p50_ms);
        let (settled, last) = (
            half(self.tenths.get(SETTLED_TENTH - 1)),
            half(self.tenths.last()),
        );
        if last > BEHIND_MS || last > (GROWTH * settled).max(GROWTH_MS) {
            return Err(format!(
                "half of them took {settled:.0} ms or more at first, and {last:.0} ms at the end"
            ));
        }
        Ok(())
    }
}

impl Committed<'_> {
    /// How long those that count took.
    fn times(&self, counts: impl Fn(&Due) -> bool) -> Latencies {
        let all = self.after.iter().enumerate();
        let counted = all.filter(|(position, _)| counts(self.schedule.get(*position)));
        counted.filter_map(|(_, after)| *after).collect()
    }

    fn by_rollup(&self) -> Vec<RollupTimes> {
        let mut by_rollup: BTreeMap<u64, Vec<Duration>> = BTreeMap::new();
        for (due, after) in self.schedule.singles.iter().zip(self.after) {
            let of_rollup = by_rollup.entry(due.legs[0].key.0.0).or_default();
            of_rollup.extend(*after);
        }
        let told = by_rollup.into_iter().map(|(chain_id, times)| RollupTimes {
            chain_id,
            committed: times.len(),
            times: Latencies::new(times).times(),
        });
        told.collect()
    }

    fn by_part(&self, whole: Duration) -> Vec<Part> {
        let each_s = whole.as_secs_f64() / number(PARTS);
        let begins = (0..=PARTS).map(|part| Duration::from_secs_f64(each_s * number(part)));
        let begins: Vec<Duration> = begins.collect();
        let parts = begins.windows(2).map(|ends| {
            let of_part = self.times(|due| (ends[0]..ends[1]).contains(&due.at));
            Part {
                committed: of_part.count(),
                times: of_part.times(),
            }
        });
        parts.collect()
    }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::now;
    use super::*;

    const OFFER: Offer = Offer {
        seed: 1,
        rate: 205,
        seconds: 10,
        bundled_percent: 10,
        legs: 2,
    };

    /// Everything is taken in after 1 ms and in a block after 100, but for what a test changes.
    fn outcome(change: impl FnOnce(&mut Replies, &mut Vec<Option<Duration>>)) -> Outcome {
        let schedule = Schedule::sign(&OFFER, &[7, 8]).unwrap();
        let every = |milliseconds| vec![Some(Duration::from_millis(milliseconds)); schedule.len()];
        let (taken, mut after) = (every(1), every(100));
        let mut replies = Replies {
            taken,
            refused: BTreeMap::new(),
        };
        change(&mut replies, &mut after);
        let begin = now();
        let after = after.into_iter().enumerate();
        let at = after.map(|(position, after)| Some(begin + schedule.get(position).at + after?));
        let seen = Seen::of(at.collect());
        Outcome::new(&OFFER, &schedule, &replies, &seen, (begin, 1.0))
    }

    #[test]
    fn network_that_takes_all_in_and_places_it_holds() {
        let outcome = outcome(|_, _| {});
        assert_eq!(outcome.holds(), Ok(()));
        assert_eq!((outcome.offered, outcome.in_bundles), (2_050, 204));
        assert_eq!((outcome.taken, outcome.committed), (2_050, 2_050));
        assert_eq!(outcome.transactions.p99_ms, 100.0);
        assert_eq!(outcome.bundles.unwrap().max_ms, 100.0);
        assert_eq!(outcome.rollups.len(), 2);
        let parts: usize = outcome.tenths.iter().map(|part| part.committed).sum();
        assert_eq!(parts, 1_846 + 102, "a bundle is one");
    }

    #[test]
    fn what_is_behind_a_refused_one_is_stuck_and_not_lost() {
        let outcome = outcome(|replies, after| {
            replies.taken[0] = None;
            replies.refused.insert("poolFull".to_owned(), 1);
            (after[0], after[1_024]) = (None, None);
        });
        assert_eq!((outcome.stuck, outcome.lost, outcome.unanswered), (1, 0, 0));
        assert_eq!(outcome.holds().unwrap_err(), "1 were refused with poolFull");
    }

    #[test]
    fn refused_bundle_is_refused_with_all_its_transactions() {
        let outcome = outcome(|replies, after| {
            let last = after.len() - 1;
            (replies.taken[last], after[last]) = (None, None);
            replies.refused.insert("bundleExpired".to_owned(), 2);
        });
        assert_eq!((outcome.taken, outcome.unanswered), (2_048, 0));
    }

    #[test]
    fn what_was_taken_in_and_is_in_no_block_is_lost() {
        let outcome = outcome(|_, after| after[1_024] = None);
        assert_eq!((outcome.stuck, outcome.lost), (0, 1));
        assert!(outcome.holds().unwrap_err().contains("in no block"));
    }

    #[test]
    fn network_that_falls_behind_does_not_hold() {
        let outcome = outcome(|_, after| {
            let from = after.len() / 2;
            after[from..].fill(Some(Duration::from_secs(2)));
        });
        assert!(outcome.holds().unwrap_err().contains("2000 ms"));
        assert_eq!(outcome.tenths[0].times.p50_ms, 100.0);
    }

    #[test]
    fn network_that_begins_to_fall_behind_does_not_hold() {
        let slower = |milliseconds| {
            outcome(|_, after| {
                let from = after.len() / 2;
                after[from..].fill(Some(Duration::from_millis(milliseconds)));
            })
        };
        assert_eq!(slower(350).holds(), Ok(()), "by a block or two");
        assert!(slower(500).holds().unwrap_err().contains("500 ms"));
    }

    #[test]
    fn what_nobody_answered_is_told() {
        let outcome = outcome(|replies, _| replies.taken[1_023] = None);
        assert_eq!(outcome.unanswered, 1);
        assert_eq!(outcome.holds().unwrap_err(), "1 were not answered");
    }
}

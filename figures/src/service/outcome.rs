//! When things were committed, and when they came to those who wait for them.

use std::collections::BTreeMap;
use std::time::Duration;

use eyre::{Result, eyre};
use tokio::time::Instant;

use super::subscribers::Arrival;
use super::users::Answer;
use crate::latency::Latencies;

/// What became of a load.
pub(super) struct Outcome {
    /// From the time when a transaction was to be submitted to the answer that it is committed.
    pub(super) transactions: Latencies,
    /// The same for bundles.
    pub(super) bundles: Latencies,
    /// From then until all legs of a bundle have come to their rollups.
    pub(super) bundles_streamed: Latencies,
    /// From the first sign that a block is committed, an answer or a batch at whichever validator, until
    /// a rollup has its batch of it.
    pub(super) streamed: Latencies,
    /// Blocks with something in them.
    pub(super) blocks: usize,
    /// Their batches.
    pub(super) batches: usize,
}

impl Outcome {
    /// Puts answers and arrivals together: each transaction is in one of the batches.
    pub(super) fn new(answers: &[Answer], arrivals: &[Arrival]) -> Result<Self> {
        let mut of_transaction = BTreeMap::new();
        let mut committed: BTreeMap<u64, Instant> = BTreeMap::new();
        for arrival in arrivals {
            earlier(&mut committed, arrival.height, arrival.at);
            let keys = arrival.keys.iter();
            of_transaction.extend(keys.map(|key| (key, arrival)));
        }
        let (mut transactions, mut bundles) = (Vec::new(), Vec::new());
        let mut bundles_streamed = Vec::new();
        let mut timed_from = None;
        for answer in answers {
            let arrivals = answer
                .keys
                .iter()
                .map(|key| of_transaction.get(key).copied());
            let arrivals: Option<Vec<&Arrival>> = arrivals.collect();
            let arrivals = arrivals.ok_or_else(|| eyre!("a committed leg did not come"))?;
            let (first, last) = (arrivals.first(), arrivals.iter().map(|it| it.at).max());
            let (first, last) = first
                .zip(last)
                .ok_or_else(|| eyre!("nothing is no answer"))?;
            earlier(&mut committed, first.height, answer.answered);
            if !answer.is_timed {
                continue;
            }
            timed_from = timed_from.map_or(Some(first.height), |from| Some(first.height.min(from)));
            let latency = answer.answered.duration_since(answer.intended);
            if answer.keys.len() == 1 {
                transactions.push(latency);
            } else {
                bundles.push(latency);
                bundles_streamed.push(last.duration_since(answer.intended));
            }
        }
        let timed = arrivals.iter().filter(|it| Some(it.height) >= timed_from);
        let late = |arrival: &Arrival| arrival.at.duration_since(committed[&arrival.height]);
        let streamed: Vec<Duration> = timed.map(late).collect();
        Ok(Self {
            transactions: Latencies::new(transactions),
            bundles: Latencies::new(bundles),
            bundles_streamed: Latencies::new(bundles_streamed),
            streamed: Latencies::new(streamed),
            blocks: committed.len(),
            batches: arrivals.len(),
        })
    }
}

fn earlier(times: &mut BTreeMap<u64, Instant>, height: u64, at: Instant) {
    let time = times.entry(height).or_insert(at);
    *time = at.min(*time);
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::{B256, ChainId, TransactionKey};

    use super::*;

    fn key(chain: u64) -> TransactionKey {
        (ChainId(chain), B256::repeat_byte(1))
    }

    #[test]
    fn bundle_has_come_with_its_last_leg_and_a_block_is_committed_with_the_first_sign() {
        let begin = Instant::now();
        let after = |ms| begin + Duration::from_millis(ms);
        let answer = Answer {
            intended: begin,
            answered: after(20),
            is_timed: true,
            keys: vec![key(1), key(2)],
        };
        let arrival = |at, chain| Arrival {
            at: after(at),
            height: 7,
            keys: vec![key(chain)],
        };
        let outcome = Outcome::new(&[answer], &[arrival(25, 1), arrival(30, 2)]).unwrap();
        let most = |latencies: &Latencies| latencies.permille_ms(1_000);
        assert_eq!(most(&outcome.bundles), 20.0);
        assert_eq!(most(&outcome.bundles_streamed), 30.0);
        assert_eq!(most(&outcome.streamed), 10.0);
        assert_eq!((outcome.transactions.count(), outcome.blocks), (0, 1));
    }

    #[test]
    fn what_was_committed_and_did_not_come_is_an_error() {
        let now = Instant::now();
        let answer = Answer {
            intended: now,
            answered: now,
            is_timed: true,
            keys: vec![key(1)],
        };
        assert!(Outcome::new(&[answer], &[]).is_err());
    }
}

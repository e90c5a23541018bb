//! What is sent and when, signed before the first of it is due.
//!
//! Accounts take turns, so that a transaction is never due before the one with the nonce before it has had
//! time to arrive:
//!
//! ```text
//!   position   0    1    2  … 1023 │ 1024 1025 …         all of an account on one stream
//!   account    0    1    2  … 1023 │    0    1 …
//!   nonce      0    0    0  …    0 │    1    1 …         16 of them, then new accounts
//! ```

use std::num::NonZero;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use cloverleaf_types::B256;
use cloverleaf_types::limits::BUNDLE_LEGS_MAX;
use serde::Serialize;

use super::super::{Signed, Wallet};

/// Accounts that take turns.
const ACCOUNTS: usize = 1_024;

/// Nonces of an account: a pool takes 64 beyond the next.
const NONCES: usize = 16;

/// Transactions after which there are new accounts.
const GENERATION: usize = ACCOUNTS * NONCES;

/// Input of a transaction, in bytes: with its signature it is about 200 bytes long.
const INPUT_BYTES: usize = 80;

/// Whom a seed's accounts are for.
const SINGLES: usize = 40_000;
const BUNDLES: usize = 50_000;

/// Most that is offered at once: with its place in the outcome each takes about half a kilobyte.
pub(super) const TRANSACTIONS_MAX: u64 = 20_000_000;

/// What a network is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// Makes every account.
    pub seed: u64,
    /// Transactions in a second, those in bundles included.
    pub rate: u32,
    /// For how long, in seconds.
    pub seconds: u32,
    /// How many of a hundred transactions are in bundles.
    pub bundled_percent: u32,
    /// Rollups of a bundle, with a transaction on each.
    pub legs: u32,
}

/// Why nothing can be offered so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Nothing, or more than fits memory.
    #[error(
        "{transactions} transactions are offered: choose a rate and a time that make 1 to {TRANSACTIONS_MAX}"
    )]
    Count {
        /// How many.
        transactions: u64,
    },
    /// There are only so many parts of a hundred.
    #[error("{percent} of a hundred transactions cannot be in bundles: choose 0 to 100")]
    Percent {
        /// How many.
        percent: u32,
    },
    /// A bundle has a leg on each of so many rollups.
    #[error("bundles of {legs} legs do not suit: choose 2 to {most}, a rollup for each")]
    Legs {
        /// How many.
        legs: u32,
        /// As many as rollups take bundles, and as a bundle may have.
        most: usize,
    },
}

/// A transaction, or the transactions of a bundle.
#[derive(Clone, Debug)]
pub(super) struct Due {
    /// When, from the beginning.
    pub(super) at: Duration,
    /// One for each rollup.
    pub(super) legs: Vec<Signed>,
}

impl Due {
    pub(super) fn is_bundle(&self) -> bool {
        self.legs.len() > 1
    }

    /// The name by which it is found in a block: bundles are placed whole.
    pub(super) fn id(&self) -> B256 {
        self.legs[0].key.1
    }
}

/// All of it: first the transactions by themselves, then the bundles, each by time.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) singles: Vec<Due>,
    pub(super) bundles: Vec<Due>,
}

impl Schedule {
    /// Signs on all cores what is offered to these rollups.
    pub(super) fn sign(offer: &Offer, chain_ids: &[u64]) -> Result<Self, Unfit> {
        offer.check(chain_ids.len())?;
        let (singles, bundles) = offer.counts();
        let end = Duration::from_secs(offer.seconds.into());
        let single = |position: usize, signed| Due {
            at: spread(end, position, singles),
            legs: vec![signed],
        };
        let legs = usize::try_from(offer.legs).unwrap_or(usize::MAX);
        let bundle = |number: usize| {
            let wallet = Wallet::seeded(offer.seed, BUNDLES, wide(number));
            let chains = (number..number + legs).map(|turn| chain_ids[turn % chain_ids.len()]);
            Due {
                at: spread(end, number, bundles),
                legs: chains
                    .map(|chain_id| wallet.with_input(chain_id, 0, INPUT_BYTES))
                    .collect(),
            }
        };
        let generations = singles.div_ceil(GENERATION);
        let singles = on_all_cores(generations, |generation| {
            let first = generation * GENERATION;
            let count = GENERATION.min(singles - first);
            let signed = sign_generation(offer.seed, generation, count, chain_ids);
            let placed = signed.into_iter().enumerate();
            placed
                .map(|(place, signed)| single(first + place, signed))
                .collect()
        });
        let bundles = on_all_cores(bundles, |number| vec![bundle(number)]);
        Ok(Self { singles, bundles })
    }

    /// The place of what is at a position, in all of it.
    pub(super) fn get(&self, position: usize) -> &Due {
        let bundle = || &self.bundles[position - self.singles.len()];
        self.singles.get(position).unwrap_or_else(bundle)
    }

    /// The position of what its account sends right before it.
    pub(super) fn before(&self, position: usize) -> Option<usize> {
        let is_first = position % GENERATION < ACCOUNTS || position >= self.singles.len();
        (!is_first).then(|| position - ACCOUNTS)
    }

    pub(super) fn len(&self) -> usize {
        self.singles.len() + self.bundles.len()
    }

    /// The positions of what each of so many streams sends: all of an account on one.
    pub(super) fn by_stream(&self, streams: usize) -> Vec<Vec<usize>> {
        let mut positions = vec![Vec::new(); streams];
        for position in 0..self.singles.len() {
            positions[position % ACCOUNTS % streams].push(position);
        }
        positions
    }

    /// The positions of bundles.
    pub(super) fn bundle_positions(&self) -> Range<usize> {
        self.singles.len()..self.len()
    }
}

impl Offer {
    fn check(&self, rollups: usize) -> Result<(), Unfit> {
        let transactions = u64::from(self.rate) * u64::from(self.seconds);
        if !(1..=TRANSACTIONS_MAX).contains(&transactions) {
            return Err(Unfit::Count { transactions });
        }
        let percent = self.bundled_percent;
        if percent > 100 {
            return Err(Unfit::Percent { percent });
        }
        let (legs, most) = (self.legs, rollups.min(BUNDLE_LEGS_MAX));
        let suits = usize::try_from(legs).is_ok_and(|legs| (2..=most).contains(&legs));
        if percent > 0 && !suits {
            return Err(Unfit::Legs { legs, most });
        }
        Ok(())
    }

    /// How many transactions by themselves, and how many bundles.
    fn counts(&self) -> (usize, usize) {
        let all = u64::from(self.rate) * u64::from(self.seconds);
        let legs = u64::from(self.legs.max(1));
        let bundles = all * u64::from(self.bundled_percent) / 100 / legs;
        let fits = |count| usize::try_from(count).expect("it was checked");
        (fits(all - bundles * legs), fits(bundles))
    }
}

/// The transactions of [`ACCOUNTS`] new accounts, in the order in which they are due.
fn sign_generation(seed: u64, generation: usize, count: usize, chain_ids: &[u64]) -> Vec<Signed> {
    let accounts = (0..ACCOUNTS.min(count)).map(|account| {
        let number = generation * ACCOUNTS + account;
        let wallet = Wallet::seeded(seed, SINGLES, wide(number));
        (wallet, chain_ids[number % chain_ids.len()])
    });
    let accounts: Vec<(Wallet, u64)> = accounts.collect();
    let signed = (0..count).map(|place| {
        let (wallet, chain_id) = &accounts[place % ACCOUNTS];
        wallet.with_input(*chain_id, wide(place / ACCOUNTS), INPUT_BYTES)
    });
    signed.collect()
}

/// When the one at a position of so many is due, if they come evenly.
fn spread(end: Duration, position: usize, count: usize) -> Duration {
    let nanoseconds = end.as_nanos() * wide_128(position) / wide_128(count.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).expect("it is below the end"))
}

/// Makes parts on all cores, and puts them together in their order.
fn on_all_cores<T: Send>(parts: usize, make: impl Fn(usize) -> Vec<T> + Sync) -> Vec<T> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let each = parts.div_ceil(cores).max(1);
    thread::scope(|scope| {
        let starts = (0..parts).step_by(each);
        let threads = starts.map(|start| {
            let make = &make;
            scope.spawn(move || {
                let own = start..(start + each).min(parts);
                own.flat_map(make).collect::<Vec<T>>()
            })
        });
        let threads: Vec<_> = threads.collect();
        let made = threads.into_iter();
        made.flat_map(|thread| thread.join().expect("signing does not fail"))
            .collect()
    })
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).expect("a count fits 64 bits")
}

fn wide_128(number: usize) -> u128 {
    u128::from(wide(number))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const OFFER: Offer = Offer {
        seed: 1,
        rate: 200,
        seconds: 10,
        bundled_percent: 10,
        legs: 2,
    };

    #[test]
    fn singles_and_bundles_come_evenly_over_the_whole_time() {
        let schedule = Schedule::sign(&OFFER, &[7, 8, 9]).unwrap();
        assert_eq!(
            (schedule.singles.len(), schedule.bundles.len()),
            (1_800, 100)
        );
        for all in [&schedule.singles, &schedule.bundles] {
            assert!(all.is_sorted_by_key(|due| due.at));
            let early = all.iter().filter(|due| due.at < Duration::from_secs(5));
            assert_eq!(early.count(), all.len() / 2);
        }
        let ids = (0..schedule.len()).map(|position| schedule.get(position).id());
        assert_eq!(ids.collect::<BTreeSet<_>>().len(), schedule.len());
        for bundle in &schedule.bundles {
            assert_ne!(bundle.legs[0].key.0, bundle.legs[1].key.0);
        }
    }

    #[test]
    fn all_of_an_account_go_on_one_stream_in_their_order() {
        let schedule = Schedule::sign(&OFFER, &[7, 8, 9]).unwrap();
        let streams = schedule.by_stream(5);
        assert_eq!(streams.iter().map(Vec::len).sum::<usize>(), 1_800);
        for position in 0..1_800 - ACCOUNTS {
            let holds = |it: &&Vec<usize>| it.contains(&position);
            let stream = streams.iter().find(holds).unwrap();
            assert!(stream.contains(&(position + ACCOUNTS)));
            assert!(stream.is_sorted());
        }
    }

    #[test]
    fn the_same_seed_signs_the_same_and_another_one_nothing_of_it() {
        let ids = |seed: u64| {
            let schedule = Schedule::sign(&Offer { seed, ..OFFER }, &[7, 8]).unwrap();
            let all = (0..schedule.len()).map(|position| schedule.get(position).id());
            all.collect::<BTreeSet<_>>()
        };
        assert_eq!(ids(1), ids(1));
        assert!(ids(1).is_disjoint(&ids(2)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |offer: Offer| Schedule::sign(&offer, &[7, 8]).err();
        let transactions = 0;
        let nothing = Offer { rate: 0, ..OFFER };
        assert_eq!(refused(nothing), Some(Unfit::Count { transactions }));
        let (legs, most) = (3, 2);
        let long = Offer { legs, ..OFFER };
        assert_eq!(refused(long), Some(Unfit::Legs { legs, most }));
        let bundled_percent = 0;
        let alone = Offer {
            bundled_percent,
            ..long
        };
        assert_eq!(refused(alone), None);
        let percent = 101;
        let much = Offer {
            bundled_percent: percent,
            ..OFFER
        };
        assert_eq!(refused(much), Some(Unfit::Percent { percent }));
    }
}

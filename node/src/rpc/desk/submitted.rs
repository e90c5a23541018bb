//! The bundles that came here lately: a pool knows their states, this their legs.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloverleaf_mempool::PooledBundle;
use cloverleaf_types::{B256, ChainId, TransactionId};

use crate::rpc::limits::BUNDLES_REMEMBERED_MAX;

/// What a bundle's status says beyond its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Legs {
    /// The last block time that may place it, in milliseconds since 1970.
    pub(super) max_timestamp_ms: u64,
    /// Each leg's rollup and transactions, in listed order.
    pub(super) legs: Vec<(ChainId, Vec<TransactionId>)>,
}

/// The latest ones, by hash.
#[derive(Debug, Default)]
pub(super) struct Submitted {
    latest: Mutex<Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    legs: HashMap<B256, Arc<Legs>>,
    oldest_first: VecDeque<B256>,
}

impl Submitted {
    /// Remembers a bundle, and forgets the oldest when there are too many.
    pub(super) fn remember(&self, bundle: &PooledBundle) {
        self.insert(bundle.hash, Legs::of(bundle), BUNDLES_REMEMBERED_MAX);
    }

    /// What is remembered of a bundle.
    pub(super) fn get(&self, hash: B256) -> Option<Arc<Legs>> {
        self.lock().legs.get(&hash).cloned()
    }

    fn insert(&self, hash: B256, legs: Legs, count_max: usize) {
        let mut latest = self.lock();
        if latest.legs.insert(hash, Arc::new(legs)).is_some() {
            return;
        }
        latest.oldest_first.push_back(hash);
        if latest.oldest_first.len() > count_max
            && let Some(oldest) = latest.oldest_first.pop_front()
        {
            latest.legs.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Legs {
    fn of(bundle: &PooledBundle) -> Self {
        let legs = bundle.legs.iter().map(|leg| {
            let ids = leg.transactions.iter().map(|transaction| transaction.id);
            (leg.chain_id, ids.collect())
        });
        Self {
            max_timestamp_ms: bundle.terms.max_timestamp_ms,
            legs: legs.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_bundle_is_forgotten_first_and_a_repeated_one_counts_once() {
        let submitted = Submitted::default();
        let legs = || Legs {
            max_timestamp_ms: 1,
            legs: Vec::new(),
        };
        for byte in [1, 1, 2, 3] {
            submitted.insert(B256::repeat_byte(byte), legs(), 2);
        }
        let kept = [1, 2, 3].map(|byte| submitted.get(B256::repeat_byte(byte)).is_some());
        assert_eq!(kept, [false, true, true]);
    }
}

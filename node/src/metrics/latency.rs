//! How long items take from being taken in to each acknowledgement. One that waits for an earlier
//! nonce waits for its sender, for hours if need be: its time is not the network's, and not taken.

use std::collections::BTreeMap;

use cloverleaf_mempool::pool::{Name, State};
use cloverleaf_types::Bound;

use super::{MempoolMetrics, seconds};

/// Items that are timed at once: beyond it new ones are not, which a histogram does not mind.
const ITEMS_MAX: usize = 10_000;

/// When each item was taken in, until it ends.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    taken_in_ms: BTreeMap<Name, u64>,
}

impl Latencies {
    /// How many are timed, and at most.
    pub(crate) fn bound(&self) -> Bound {
        Bound::new("timed_items", self.taken_in_ms.len(), ITEMS_MAX)
    }

    /// An item is taken in, and is in this state.
    pub(crate) fn begin(&mut self, name: Name, state: &State, now_ms: u64) {
        if self.taken_in_ms.len() < ITEMS_MAX && !is_parked(state) {
            self.taken_in_ms.entry(name).or_insert(now_ms);
        }
    }

    /// An item came to another state.
    pub(crate) fn progress(
        &mut self,
        name: &Name,
        state: &State,
        now_ms: u64,
        metrics: &MempoolMetrics,
    ) {
        let taken_in_ms = if state.is_ended() || is_parked(state) {
            self.taken_in_ms.remove(name)
        } else {
            self.taken_in_ms.get(name).copied()
        };
        let Some(taken_in_ms) = taken_in_ms else {
            return;
        };
        let took = seconds(now_ms.saturating_sub(taken_in_ms));
        match state {
            State::Available { .. } => metrics.available_seconds.observe(took),
            State::Committed { .. } => metrics.committed_seconds.observe(took),
            _ => {}
        }
    }
}

fn is_parked(state: &State) -> bool {
    matches!(state, State::Parked { .. })
}

#[cfg(test)]
mod tests {
    use cloverleaf_mempool::pool::Gap;
    use cloverleaf_types::{Address, B256, ChainId, Epoch, Height, Slot};

    use super::*;
    use crate::metrics::Metrics;

    const SLOT: Slot = Slot {
        author: Address::ZERO,
        epoch: Epoch(0),
        seq: 0,
    };

    fn bundle(byte: u8) -> Name {
        Name::Bundle(B256::repeat_byte(byte))
    }

    fn has(metrics: &Metrics, line: &str) -> bool {
        metrics.metered.text().lines().any(|found| found == line)
    }

    #[test]
    fn item_is_timed_to_each_acknowledgement_and_forgotten_at_its_end() {
        let (metrics, mut latencies) = (Metrics::new(), Latencies::default());
        let mempool = &metrics.mempool;
        let available = State::Available { slot: SLOT };
        let committed = State::Committed { height: Height(3) };
        latencies.begin(bundle(1), &State::Pending, 1_000);
        latencies.begin(bundle(1), &State::Pending, 5_000);
        latencies.progress(&bundle(1), &State::Pending, 1_100, mempool);
        latencies.progress(&bundle(1), &available, 1_500, mempool);
        latencies.progress(&bundle(1), &committed, 3_000, mempool);
        latencies.progress(&bundle(1), &committed, 9_000, mempool);
        // Not taken in here.
        latencies.progress(&bundle(2), &committed, 9_000, mempool);
        assert!(has(
            &metrics,
            "cloverleaf_mempool_available_seconds_sum 0.5"
        ));
        assert!(has(
            &metrics,
            "cloverleaf_mempool_committed_seconds_sum 2.0"
        ));
        assert!(has(
            &metrics,
            "cloverleaf_mempool_committed_seconds_count 1"
        ));
        assert!(latencies.taken_in_ms.is_empty());
    }

    #[test]
    fn parked_items_take_no_place_and_no_time() {
        let (metrics, mut latencies) = (Metrics::new(), Latencies::default());
        let gap = Gap {
            chain_id: ChainId(901),
            sender: Address::ZERO,
            expected: 1,
        };
        let parked = State::Parked { gap };
        latencies.begin(bundle(1), &parked, 1_000);
        latencies.begin(bundle(2), &State::Pending, 1_000);
        latencies.progress(&bundle(2), &parked, 2_000, &metrics.mempool);
        assert!(latencies.taken_in_ms.is_empty());
    }

    #[test]
    fn no_more_items_are_timed_than_fit() {
        let mut latencies = Latencies::default();
        for index in 0..u64::try_from(ITEMS_MAX + 1).unwrap() {
            let hash = B256::left_padding_from(&index.to_be_bytes());
            latencies.begin(Name::Bundle(hash), &State::Pending, 0);
        }
        assert_eq!(latencies.taken_in_ms.len(), ITEMS_MAX);
    }
}

//! What is handed in and when, signed before the first of it is due.

use std::time::Duration;

use alloy_primitives::Bytes;
use cloverleaf_bench::Wallet;
use cloverleaf_types::ChainId;

use crate::capacity::DATA_BYTES;

/// How long it lasts.
pub(super) const RUN: Duration = Duration::from_secs(20);

/// What is due before that is not timed: connections are made, and memory is touched first.
pub(super) const WARM_UP: Duration = Duration::from_secs(3);

/// Bundles in a second, each with a transaction on two rollups. A number that no block time divides, so
/// that they come at every moment of one.
pub(super) const BUNDLES_PER_S: u32 = 13;

/// A transaction, or a bundle's transactions.
pub(super) struct Due {
    /// When, from the beginning.
    pub(super) at: Duration,
    /// One for each rollup.
    pub(super) legs: Vec<(ChainId, Bytes)>,
}

/// What is handed in, by time.
pub(super) struct Schedule(pub(super) Vec<Due>);

impl Schedule {
    /// So many transactions a second to these rollups in turn, and bundles between them.
    pub(super) fn new(chains: &[ChainId], transactions_per_s: u32) -> Self {
        let wallets = chains.iter().map(|chain| Wallet::new("user", *chain));
        let mut wallets: Vec<Wallet> = wallets.collect();
        let mut due = Vec::new();
        for (turn, at) in times(transactions_per_s).enumerate() {
            let wallet = &mut wallets[turn % chains.len()];
            let legs = vec![(wallet.chain_id, wallet.with_data(DATA_BYTES))];
            due.push(Due { at, legs });
        }
        for (turn, at) in times(BUNDLES_PER_S).enumerate() {
            let legs = [turn, turn + 1].map(|turn| chains[turn % chains.len()]);
            let legs = legs.map(|chain| leg(turn, chain)).to_vec();
            due.push(Due { at, legs });
        }
        due.sort_by_key(|it| it.at);
        Self(due)
    }

    /// Bytes of all transactions.
    pub(super) fn bytes(&self) -> usize {
        let legs = self.0.iter().flat_map(|due| &due.legs);
        legs.map(|(_, raw)| raw.len()).sum()
    }
}

/// A bundle's transaction, of an account that has no other.
fn leg(bundle: usize, chain: ChainId) -> (ChainId, Bytes) {
    let mut wallet = Wallet::new(&format!("searcher {bundle}"), chain);
    (chain, wallet.with_data(DATA_BYTES))
}

/// So many times a second, from the beginning to the end.
fn times(per_second: u32) -> impl Iterator<Item = Duration> {
    let interval = Duration::from_secs(1) / per_second;
    let times = (0..).map(move |turn| interval * turn);
    times.take_while(|at| *at < RUN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rollups_get_their_parts_and_bundles_stand_between_them() {
        let chains = [7, 8, 9].map(ChainId);
        let schedule = Schedule::new(&chains, 800);
        let (singles, bundles): (Vec<_>, Vec<_>) =
            schedule.0.iter().partition(|due| due.legs.len() == 1);
        assert_eq!(singles.len(), 16_000);
        assert_eq!(bundles.len(), 261);
        assert!(schedule.0.is_sorted_by_key(|due| due.at));
        for chain in chains {
            let of_chain = singles.iter().filter(|due| due.legs[0].0 == chain);
            assert!((5_333..=5_334).contains(&of_chain.count()));
        }
        let each = schedule.bytes() / (singles.len() + 2 * bundles.len());
        assert!((190..=210).contains(&each), "{each}");
    }
}

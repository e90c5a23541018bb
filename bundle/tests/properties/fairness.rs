//! O3: a full rollup's limit is shared max-min fairly, to within a transaction a lane.

use cloverleaf_types::{ChainId, DropReason};
use proptest::prelude::*;

use super::world::cases;
use crate::support::network::narrow;
use crate::support::{Network, names, sized};

/// Heaviest transaction that the lanes carry.
const HEAVIEST: u64 = 328;

/// The largest level at which every lane can have what it carries or the level, whatever is less.
fn level(limit: u64, carried: &[u64]) -> u64 {
    let needed = |level: u64| carried.iter().map(|it| level.min(*it)).sum::<u64>();
    (0..=limit)
        .rev()
        .find(|level| needed(*level) <= limit)
        .unwrap_or(0)
}

proptest! {
    #![proptest_config(cases(256))]

    // O3
    #[test]
    fn lanes_get_their_max_min_share_of_a_full_rollup_within_one_transaction(
        lanes in prop::collection::vec(prop::collection::vec(8_usize..=200, 0..12), 1..6),
        clocks in prop::collection::vec(0_u64..900, 60), limit in HEAVIEST..4_000,
    ) {
        let lane_count = u8::try_from(lanes.len()).unwrap();
        let mut network = Network::new(lane_count, vec![narrow(901, limit)]);
        let start_ms = network.state.timestamp_ms();
        let mut clocks = clocks.into_iter();
        let mut weights: Vec<Vec<u64>> = Vec::new();
        for (lane, lengths) in lanes.iter().enumerate() {
            for (number, length) in lengths.iter().enumerate() {
                let item = sized(901, (100 * lane + number) as u64, *length);
                let time_ms = start_ms + clocks.next().unwrap();
                network.seal_as(lane, network.state.height(), time_ms, vec![item]);
            }
            weights.push(lengths.iter().map(|length| *length as u64 + 128).collect());
        }
        let ordered = network.commit();
        let mut placed = vec![0; lanes.len()];
        for name in names(&ordered.block, 901).into_iter().map(|name| name as usize) {
            placed[name / 100] += weights[name / 100][name % 100];
        }
        let carried: Vec<u64> = weights.iter().map(|weights| weights.iter().sum()).collect();
        let level = level(limit, &carried);
        let total: u64 = placed.iter().sum();
        prop_assert!(total <= limit);
        let fits = carried.iter().sum::<u64>() <= limit;
        prop_assert_eq!(ordered.drops.is_empty(), fits);
        prop_assert!(ordered.drops.iter().all(|drop| drop.reason == DropReason::RollupFull));
        for (lane, (placed, carried)) in placed.iter().zip(&carried).enumerate() {
            // Nobody passes its share by a whole transaction; a unit is lost to rounding.
            prop_assert!(*placed <= (*carried).min(level + 1 + HEAVIEST));
            let author = network.lanes[lane].author;
            let batch = ordered.block.batch(ChainId(901));
            let closed = batch.is_some_and(|batch| batch.header().full.contains(&author));
            prop_assert_eq!(closed, placed < carried);
            // Nobody is refused but with its share used or the rollup full.
            prop_assert!(!closed || *placed >= level || total + HEAVIEST > limit);
        }
    }
}

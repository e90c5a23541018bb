//! W1, W2 over many heights: nothing is placed twice.

use std::collections::BTreeMap;

use cloverleaf_types::{Height, TransactionKey};
use proptest::prelude::*;

use super::world::cases;
use crate::support::items::{keys, tx};
use crate::support::{Network, bundle, genesis, rollup};

/// Blocks that every run has: beyond the 64 that a window holds at least.
const BLOCKS: usize = 140;
const WINDOW_MS: u64 = 1_000;
const LANES: usize = 3;

/// Which of two rollups, which name; with a partner name, a bundle over both.
type Wish = (u64, u64, Option<u64>);

fn wishes() -> impl Strategy<Value = Vec<(usize, Wish)>> {
    let wish = (
        901_u64..=902,
        0_u64..12,
        prop::option::weighted(0.3, 0_u64..12),
    );
    prop::collection::vec((0..LANES, wish), BLOCKS)
}

fn item((chain_id, name, partner): Wish) -> cloverleaf_types::Item {
    match partner {
        Some(partner) => bundle(&[(901, &[name]), (902, &[partner])]),
        None => tx(chain_id, name),
    }
}

fn network() -> Network {
    let mut genesis = genesis(LANES as u8, vec![rollup(901), rollup(902)]);
    genesis.parameters.replay_window_ms = WINDOW_MS;
    Network::of(&genesis)
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn no_author_can_have_an_id_placed_twice_within_the_window(
        wishes in wishes(), block_ms in prop::sample::select(vec![5_u64, 12, 500]),
    ) {
        let mut network = network();
        let mut placed: BTreeMap<TransactionKey, (u64, u64)> = BTreeMap::new();
        for (lane, wish) in wishes {
            // An author that keeps no index.
            network.seal(lane, vec![item(wish)]);
            let block = network.decide(&network.propose_some(block_ms, &[9; LANES])).block;
            let (height, now_ms) = (block.header.height.0, block.header.timestamp_ms);
            for key in cloverleaf_bundle::window::keys(&block) {
                if let Some((before, before_ms)) = placed.insert(key, (height, now_ms)) {
                    // The window is as of the parent.
                    prop_assert!(height - before > 64 && now_ms - block_ms - before_ms > WINDOW_MS);
                }
            }
        }
    }

    // W2
    #[test]
    fn author_that_seals_no_id_it_knows_never_has_one_placed_twice_however_late_it_is_cut(
        wishes in wishes(), cuts in prop::collection::vec((0_usize..40, 0..LANES), BLOCKS),
    ) {
        let mut network = network();
        let mut placed: BTreeMap<TransactionKey, Height> = BTreeMap::new();
        for ((lane, wish), (luck, cut_lane)) in wishes.into_iter().zip(cuts) {
            // W2: the author's index is complete up to the height that the parcel names.
            let item = item(wish);
            if !keys(&item).iter().any(|key| placed.contains_key(key)) {
                network.seal(lane, vec![item]);
            }
            // Lanes are cut rarely, one at a time: parcels grow as old as the window.
            let mut counts = [0; LANES];
            counts[cut_lane] = if luck == 0 { 99 } else { usize::from(luck > 30) };
            let block = network.decide(&network.propose_some(500, &counts)).block;
            for key in cloverleaf_bundle::window::keys(&block) {
                prop_assert_eq!(placed.insert(key, block.header.height), None);
            }
        }
    }
}

//! What holds for every block of every world.

use std::collections::BTreeSet;
use std::sync::Arc;

use cloverleaf_bundle::{LaneSlice, Prepared, State, Window, apply, order};
use cloverleaf_types::DropReason;
use proptest::prelude::*;

use super::world::{World, cases, step, world};
use crate::support::Network;

/// Runs a world; every block goes through the oracle: atomicity, conservation, reasons, apply.
fn run(world: &World) -> Network {
    let mut network = world.begin();
    for step in &world.steps {
        step.seal(&mut network);
        let proposal = step.propose(&network);
        network.decide(&proposal);
    }
    network
}

/// The same parcel as another machine holds it: decoded from its bytes and prepared anew.
fn arrived(slices: &[LaneSlice], backwards: bool) -> Vec<LaneSlice> {
    let prepare = |parcel: &Arc<Prepared>| Arc::new(Prepared::new(Arc::clone(&parcel.parcel)));
    let slice = |slice: &LaneSlice| {
        let mut prepared: LaneSlice = if backwards {
            slice.iter().rev().map(prepare).collect()
        } else {
            slice.iter().map(prepare).collect()
        };
        prepared.sort_by_key(|parcel| parcel.parcel.slot());
        prepared
    };
    slices.iter().map(slice).collect()
}

proptest! {
    #![proptest_config(cases(400))]

    // Astria#2190: a proposer put data of transactions into its block that it had not executed.
    // S2, S1
    #[test]
    fn every_block_is_atomic_complete_and_leads_followers_to_the_same_state(world in world()) {
        run(&world);
    }

    // Astria, audit of April 2024, 3.7: a duplicate in a proposal split proposer and validators.
    #[test]
    fn same_plan_gives_the_same_block_on_every_machine(world in world()) {
        let mut network = world.begin();
        let replay_window_ms = network.state.parameters().replay_window_ms;
        // Another machine: it started late, read the blocks, and keeps its own tables.
        let mut other = (network.state.clone(), Window::new(replay_window_ms));
        for (number, step) in world.steps.iter().enumerate() {
            step.seal(&mut network);
            let proposal = step.propose(&network);
            let slices = arrived(&proposal.slices, number % 2 == 0);
            let there = order(&other.0, &other.1, &proposal.plan, &slices);
            let here = network.decide(&proposal);
            prop_assert_eq!(&there.block, &here.block);
            prop_assert_eq!(&there.drops, &here.drops);
            prop_assert_eq!(there.block.hash(), here.block.hash());
            let state = apply(&other.0, &there.block).unwrap();
            other.0 = State::decode(&state.encode()).unwrap();
            let mut window = Window::new(replay_window_ms);
            std::mem::swap(&mut window, &mut other.1);
            window.push_block(&here.block);
            other.1 = window;
        }
    }

    // Base, June 2026: what an invalid transaction left behind stopped the builder.
    #[test]
    fn block_with_an_item_that_cannot_be_placed_is_the_block_without_it(
        world in world(), last in step(4, 10), chosen in any::<prop::sample::Index>(),
    ) {
        let parent = run(&world);
        let mut with = parent.clone();
        let slots = last.seal(&mut with);
        let ordered = with.order(&last.propose(&with));
        let crowded = ordered.drops.iter().any(|drop| drop.reason == DropReason::RollupFull);
        let dropped: Vec<(usize, usize)> = ordered.drops.iter().filter(|drop| match drop.reason {
            // O3: who finds no room is named in the batch. And which of two copies comes through may
            // depend on room.
            DropReason::RollupFull => false,
            DropReason::Duplicate => !crowded,
            _ => true,
        }).filter_map(|drop| {
            let sealing = slots.iter().position(|slot| *slot == drop.slot)?;
            Some((sealing, drop.item))
        }).collect();
        prop_assume!(!dropped.is_empty());
        let (sealing, item) = dropped[chosen.index(dropped.len())];
        let mut last = last.clone();
        last.sealings[sealing].items.remove(item);
        let mut without = parent;
        last.seal(&mut without);
        let ordered_without = without.order(&last.propose(&without));
        prop_assert_eq!(&ordered.block.batches, &ordered_without.block.batches);
        prop_assert_eq!(&ordered.block.manifests, &ordered_without.block.manifests);
        prop_assert_eq!(ordered.drops.len(), ordered_without.drops.len() + 1);
    }

    #[test]
    fn absent_power_stays_within_f_and_everybody_has_a_turn(
        validators in 1_u8..=10, rounds in prop::collection::vec(0_u32..12, 1..12),
    ) {
        let mut network = Network::new(validators, vec![]);
        for round in rounds {
            network.commit_in_round(round);
            let set = network.state.validators();
            let absent = network.state.absent();
            prop_assert!(set.power_of_all(absent.keys().copied()) <= set.fault_power());
            let order = network.state.proposers();
            let distinct: BTreeSet<_> = order.iter().collect();
            prop_assert_eq!(distinct.len(), set.len());
            let present = set.len() - absent.len();
            prop_assert!(order[..present].iter().all(|address| !absent.contains_key(address)));
        }
    }
}

#[test]
fn worlds_show_every_reason_but_stale() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut reasons = BTreeSet::from([DropReason::Stale]);
    let mut placed_bundles = 0;
    for _ in 0..40 {
        let world = world().new_tree(&mut runner).unwrap().current();
        let mut network = world.begin();
        for step in &world.steps {
            step.seal(&mut network);
            let ordered = network.decide(&step.propose(&network));
            reasons.extend(ordered.drops.iter().map(|drop| drop.reason));
            placed_bundles += ordered.block.manifests.len();
        }
    }
    assert_eq!(reasons, DropReason::ALL.iter().copied().collect());
    assert!(placed_bundles > 40);
}

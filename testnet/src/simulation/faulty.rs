//! Faulty ways to order, to see that the judge notices: every machine has the same one, so that all of
//! them agree.

use std::sync::Arc;

use cloverleaf_bundle::{LaneSlice, Ordered, Prepared, State, Window, order};
use cloverleaf_replica::Order;
use cloverleaf_types::Plan;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordering {
    /// What is in the replay window is placed again.
    WithoutWindow,
    /// A bundle is placed without its last leg.
    SplittingBundles,
    /// Lanes come in another order than the plan's.
    LanesReversed,
}

impl Ordering {
    pub(crate) fn function(self) -> Order {
        match self {
            Self::WithoutWindow => without_window,
            Self::SplittingBundles => splitting_bundles,
            Self::LanesReversed => lanes_reversed,
        }
    }
}

fn without_window(parent: &State, _: &Window, plan: &Plan, lanes: &[LaneSlice]) -> Ordered {
    order(parent, &Window::new(0), plan, lanes)
}

fn splitting_bundles(parent: &State, window: &Window, plan: &Plan, lanes: &[LaneSlice]) -> Ordered {
    let lanes: Vec<LaneSlice> = lanes
        .iter()
        .map(|slice| {
            slice
                .iter()
                .map(|prepared| without_last_legs(prepared))
                .collect()
        })
        .collect();
    order(parent, window, plan, &lanes)
}

fn without_last_legs(prepared: &Prepared) -> Arc<Prepared> {
    let mut prepared = prepared.clone();
    for item in &mut prepared.items {
        if item.legs.len() > 1 {
            item.legs.end -= 1;
        }
    }
    Arc::new(prepared)
}

/// Every lane's parcels from the last to the first.
fn lanes_reversed(parent: &State, window: &Window, plan: &Plan, lanes: &[LaneSlice]) -> Ordered {
    let reversed = lanes
        .iter()
        .map(|slice| slice.iter().rev().cloned().collect());
    let reversed: Vec<LaneSlice> = reversed.collect();
    order(parent, window, plan, &reversed)
}

//! The block's linear order (O1): one total order of all parcels of all lanes, and so of their items.

use std::sync::Arc;

use alloy_primitives::Address;
use cloverleaf_types::Plan;

use crate::plan::LaneSlice;
use crate::prepare::Prepared;
use crate::state::State;

/// A parcel in its place; its items follow one another.
#[derive(Clone, Copy, Debug)]
pub struct LinearParcel<'a> {
    /// The cut entry that brought it.
    pub lane: usize,
    /// Its lane's owner.
    pub author: Address,
    /// The parcel.
    pub prepared: &'a Arc<Prepared>,
}

/// Sorts the parcels by (key, rotated lane, seq).
///
/// A parcel's key is its time, held between the parent's and the block's and never below the parcel
/// before it: an author cannot reach back, and its own parcels stay in their order.
#[must_use]
pub fn linear_order<'a>(
    parent: &State,
    plan: &Plan,
    lanes: &'a [LaneSlice],
) -> Vec<LinearParcel<'a>> {
    let lane_count = u64::try_from(parent.validators().len()).expect("a set's size fits 64 bits");
    let mut keyed = Vec::new();
    for (lane, (entry, slice)) in plan.cut.iter().zip(lanes).enumerate() {
        let Some(author) = parent.author_of(entry) else {
            continue;
        };
        let rank = (u64::from(entry.lane) + plan.height.0 % lane_count) % lane_count;
        let mut key_ms = parent.timestamp_ms();
        for prepared in slice {
            let header = prepared.parcel.header();
            key_ms = key_ms.max(header.time_ms).min(plan.timestamp_ms);
            let parcel = LinearParcel {
                lane,
                author,
                prepared,
            };
            keyed.push(((key_ms, rank, header.seq), parcel));
        }
    }
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, parcel)| parcel).collect()
}

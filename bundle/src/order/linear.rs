//! The block's linear order (O1): one total order of all items of all lanes.

use std::sync::Arc;

use alloy_primitives::Address;
use cloverleaf_types::Plan;

use crate::plan::LaneSlice;
use crate::prepare::{Prepared, PreparedItem};
use crate::state::State;

/// An item in its place.
#[derive(Clone, Copy, Debug)]
pub struct LinearItem<'a> {
    /// The cut entry that brought it.
    pub lane: usize,
    /// Its lane's owner.
    pub author: Address,
    /// Its parcel.
    pub parcel: &'a Arc<Prepared>,
    /// Its position in the parcel.
    pub index: usize,
    /// The item.
    pub item: &'a PreparedItem,
}

struct Keyed<'a> {
    key_ms: u64,
    rank: u64,
    seq: u64,
    lane: usize,
    author: Address,
    parcel: &'a Arc<Prepared>,
}

/// Sorts the parcels by (key, rotated lane, seq) and yields their items in that order.
///
/// A parcel's key is its time, held between the parent's and the block's and never below the parcel
/// before it: an author cannot reach back, and its own parcels stay in their order.
pub fn linear_order<'a>(
    parent: &State,
    plan: &Plan,
    lanes: &'a [LaneSlice],
) -> impl Iterator<Item = LinearItem<'a>> + use<'a> {
    let lane_count = u64::try_from(parent.validators().len()).expect("a set's size fits 64 bits");
    let mut parcels = Vec::new();
    for (lane, (entry, slice)) in plan.cut.iter().zip(lanes).enumerate() {
        let Some(author) = parent.author_of(entry) else {
            continue;
        };
        let rank = (u64::from(entry.lane) + plan.height.0 % lane_count) % lane_count;
        let mut key_ms = parent.timestamp_ms();
        for parcel in slice {
            let header = parcel.parcel.header();
            key_ms = key_ms.max(header.time_ms).min(plan.timestamp_ms);
            parcels.push(Keyed {
                key_ms,
                rank,
                seq: header.seq,
                lane,
                author,
                parcel,
            });
        }
    }
    parcels.sort_by_key(|keyed| (keyed.key_ms, keyed.rank, keyed.seq));
    parcels.into_iter().flat_map(|keyed| {
        keyed
            .parcel
            .items
            .iter()
            .enumerate()
            .map(move |(index, item)| LinearItem {
                lane: keyed.lane,
                author: keyed.author,
                parcel: keyed.parcel,
                index,
                item,
            })
    })
}

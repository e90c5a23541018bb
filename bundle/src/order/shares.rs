//! How a rollup's limit is divided between lanes (O3): max-min fairly, by what each carries for it.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use cloverleaf_types::ChainId;

use crate::plan::LaneSlice;
use crate::state::State;

/// Room per rollup and lane, and who has run out of it.
#[derive(Debug)]
pub(super) struct Shares {
    rollups: BTreeMap<ChainId, Room>,
}

#[derive(Debug)]
struct Room {
    limit: u64,
    used: u64,
    /// Per cut entry: the share of the limit, and what of it is used.
    lanes: Vec<LaneRoom>,
}

#[derive(Clone, Debug, Default)]
struct LaneRoom {
    carried: u64,
    share: u64,
    used: u64,
    closed: bool,
}

impl Shares {
    /// Divides the limit of every rollup that the lanes carry something for.
    pub(super) fn new(parent: &State, authors: &[Address], lanes: &[LaneSlice]) -> Self {
        let mut rollups: BTreeMap<ChainId, Room> = BTreeMap::new();
        for (lane, slice) in lanes.iter().enumerate() {
            let legs = slice
                .iter()
                .flat_map(|parcel| &parcel.items)
                .flat_map(|item| &item.legs);
            for leg in legs {
                let Some(state) = parent.rollup(leg.chain_id) else {
                    continue;
                };
                let room = rollups.entry(leg.chain_id).or_insert_with(|| Room {
                    limit: parent.weight_limit(&state.rollup),
                    used: 0,
                    lanes: vec![LaneRoom::default(); authors.len()],
                });
                if let Some(lane) = room.lanes.get_mut(lane) {
                    lane.carried = lane.carried.saturating_add(leg.weight);
                }
            }
        }
        for room in rollups.values_mut() {
            room.divide();
        }
        Self { rollups }
    }

    /// True if the lane may place this weight in the rollup.
    pub(super) fn has_room(&self, chain_id: ChainId, lane: usize, weight: u64) -> bool {
        let Some(room) = self.rollups.get(&chain_id) else {
            return false;
        };
        let Some(lane) = room.lanes.get(lane) else {
            return false;
        };
        // An empty batch takes whatever fits it, so a closed lane always has a batch to say so.
        room.used == 0 || (lane.used < lane.share && room.used.saturating_add(weight) <= room.limit)
    }

    /// Takes the weight.
    pub(super) fn take(&mut self, chain_id: ChainId, lane: usize, weight: u64) {
        let Some(room) = self.rollups.get_mut(&chain_id) else {
            return;
        };
        room.used = room.used.saturating_add(weight);
        if let Some(lane) = room.lanes.get_mut(lane) {
            lane.used = lane.used.saturating_add(weight);
        }
    }

    /// True if the lane was closed for the rollup in this block.
    pub(super) fn is_closed(&self, chain_id: ChainId, lane: usize) -> bool {
        let room = self.rollups.get(&chain_id);
        room.and_then(|room| room.lanes.get(lane))
            .is_some_and(|lane| lane.closed)
    }

    /// Closes the lane for the rollup.
    pub(super) fn close(&mut self, chain_id: ChainId, lane: usize) {
        let room = self.rollups.get_mut(&chain_id);
        if let Some(lane) = room.and_then(|room| room.lanes.get_mut(lane)) {
            lane.closed = true;
        }
    }
}

impl Room {
    /// Max-min: lanes that carry less than an equal part get what they carry, the others share the
    /// rest equally.
    fn divide(&mut self) {
        let mut order: Vec<usize> = (0..self.lanes.len()).collect();
        order.sort_by_key(|lane| (self.lanes[*lane].carried, *lane));
        let mut rest = self.limit;
        let mut left = u64::try_from(order.len()).unwrap_or(u64::MAX);
        for lane in order {
            let lane = &mut self.lanes[lane];
            lane.share = lane.carried.min(rest / left.max(1));
            rest -= lane.share;
            left -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(limit: u64, carried: &[u64]) -> Vec<u64> {
        let lanes = carried.iter().map(|carried| LaneRoom {
            carried: *carried,
            ..Default::default()
        });
        let mut room = Room {
            limit,
            used: 0,
            lanes: lanes.collect(),
        };
        room.divide();
        room.lanes.iter().map(|lane| lane.share).collect()
    }

    #[test]
    fn what_fits_is_given_as_carried() {
        assert_eq!(shares(100, &[20, 30, 40]), [20, 30, 40]);
    }

    #[test]
    fn what_a_small_lane_leaves_goes_to_the_large_ones_in_equal_parts() {
        assert_eq!(shares(100, &[10, 500, 60]), [10, 45, 45]);
        assert_eq!(shares(100, &[90, 90]), [50, 50]);
        assert_eq!(shares(100, &[0, 500]), [0, 100]);
    }
}

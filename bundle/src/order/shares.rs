//! How a rollup's limit is divided between lanes (O3): max-min fairly, by what each carries for it.

use std::collections::BTreeMap;

use cloverleaf_types::ChainId;

use crate::state::State;

/// Room per rollup and lane, and who has run out of it.
#[derive(Debug)]
pub(super) struct Shares<'a> {
    parent: &'a State,
    lane_count: usize,
    /// False while it is found out what each lane carries.
    bounded: bool,
    rollups: BTreeMap<ChainId, Room>,
}

#[derive(Clone, Debug)]
struct Room {
    limit: u64,
    used: u64,
    /// Per cut entry: the share of the limit, and what of it is used.
    lanes: Vec<LaneRoom>,
}

#[derive(Clone, Debug)]
struct LaneRoom {
    share: u64,
    used: u64,
    closed: bool,
}

impl<'a> Shares<'a> {
    /// Room for everything.
    pub(super) fn unbounded(parent: &'a State, lane_count: usize) -> Self {
        Self {
            parent,
            lane_count,
            bounded: false,
            rollups: BTreeMap::new(),
        }
    }

    /// The limits divided by what was taken from unbounded room, or nothing if all of it fits.
    pub(super) fn divided(&self) -> Option<Self> {
        let rollups: BTreeMap<ChainId, Room> = self
            .rollups
            .iter()
            .filter(|(_, room)| room.used > room.limit)
            .map(|(chain_id, room)| (*chain_id, room.divided()))
            .collect();
        (!rollups.is_empty()).then_some(Self {
            bounded: true,
            rollups,
            ..*self
        })
    }

    /// True if the lane may place this weight, which fits an empty batch, in the rollup.
    pub(super) fn has_room(&self, chain_id: ChainId, lane: usize, weight: u64) -> bool {
        let room = self.rollups.get(&chain_id);
        !self.bounded || room.is_none_or(|room| room.has_room(lane, weight))
    }

    /// Takes the weight.
    pub(super) fn take(&mut self, chain_id: ChainId, lane: usize, weight: u64) {
        let (parent, lane_count) = (self.parent, self.lane_count);
        let room = self.rollups.entry(chain_id).or_insert_with(|| {
            let rollup = parent.rollup(chain_id);
            let limit = rollup.map_or(0, |state| parent.weight_limit(&state.rollup));
            Room::undivided(limit, lane_count)
        });
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
    /// All that the lanes carry fits: each may use what the others leave.
    fn undivided(limit: u64, lane_count: usize) -> Self {
        let lane = LaneRoom {
            share: limit,
            used: 0,
            closed: false,
        };
        Self {
            limit,
            used: 0,
            lanes: vec![lane; lane_count],
        }
    }

    /// Max-min: lanes that carry less than an equal part get what they carry, the others share the
    /// rest equally.
    fn divided(&self) -> Self {
        let mut divided = Self::undivided(self.limit, self.lanes.len());
        let mut order: Vec<usize> = (0..self.lanes.len()).collect();
        order.sort_by_key(|lane| (self.lanes[*lane].used, *lane));
        let mut rest = self.limit;
        let mut left = u64::try_from(order.len()).unwrap_or(u64::MAX);
        for lane in order {
            let share = self.lanes[lane].used.min(rest / left.max(1));
            divided.lanes[lane].share = share;
            rest -= share;
            left -= 1;
        }
        divided
    }

    fn has_room(&self, lane: usize, weight: u64) -> bool {
        // An empty batch takes whatever fits it, so a closed lane always has a batch to say so.
        let lane = self.lanes.get(lane);
        let in_share = lane.is_some_and(|lane| lane.used < lane.share);
        self.used == 0 || (in_share && self.used.saturating_add(weight) <= self.limit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shares(limit: u64, carried: &[u64]) -> Vec<u64> {
        let mut room = Room::undivided(limit, carried.len());
        for (lane, carried) in room.lanes.iter_mut().zip(carried) {
            lane.used = *carried;
        }
        let divided = room.divided();
        divided.lanes.iter().map(|lane| lane.share).collect()
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

    proptest! {
        #[test]
        fn no_lane_could_have_more_without_one_that_has_no_more_than_it_having_less(
            limit in 0_u64..2_000, carried in prop::collection::vec(0_u64..1_000, 1..9),
        ) {
            let shares = shares(limit, &carried);
            let total: u64 = carried.iter().sum();
            prop_assert_eq!(shares.iter().sum::<u64>(), total.min(limit));
            let largest = shares.iter().max().copied().unwrap_or_default();
            for (share, carried) in shares.iter().zip(&carried) {
                // Whoever gets less than it carries gets as much as anybody, up to one unit.
                prop_assert!(share == carried || (share < carried && share + 1 >= largest));
            }
        }
    }
}

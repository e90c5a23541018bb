//! The rollups that a block may have something for, each with the room it has left and its batch in
//! the making. A limit is divided between lanes max-min fairly, by what each carries for it (O3).

use alloy_primitives::B256;
use cloverleaf_types::{Address, Height, Plan, Span, TransactionId};

use crate::prepare::PreparedRollup;
use crate::state::{RollupState, State};

/// All rooms of a block.
#[derive(Debug)]
pub(super) struct Rooms<'a> {
    parent: &'a State,
    /// Whose lane each cut entry is of.
    authors: Vec<Option<Address>>,
    /// False while it is found out what each lane carries.
    bounded: bool,
    rooms: Vec<Room<'a>>,
    /// The room of each rollup of the registry that has one.
    positions: Vec<Option<usize>>,
}

/// A rollup in a block.
#[derive(Debug)]
pub(super) struct Room<'a> {
    /// What is known of it.
    pub(super) rollup: &'a RollupState,
    /// Most weight that a block gives it.
    pub(super) limit: u64,
    used: u64,
    /// One per cut entry.
    lanes: Vec<LaneRoom>,
    /// Its batch.
    pub(super) draft: Draft<'a>,
}

/// What a lane has of a room.
#[derive(Clone, Copy, Debug)]
struct LaneRoom {
    share: u64,
    used: u64,
    is_closed: bool,
    /// Since which block the lane is closed for the rollup.
    closed_at: Option<Height>,
}

/// A batch in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft<'a> {
    pub(super) transactions: Vec<&'a [u8]>,
    pub(super) ids: Vec<TransactionId>,
    pub(super) leaves: Vec<B256>,
    pub(super) spans: Vec<Span>,
    pub(super) full: Vec<Address>,
}

impl Draft<'_> {
    /// The bytes of its transactions.
    pub(super) fn bytes(&self) -> usize {
        self.transactions.iter().map(|raw| raw.len()).sum()
    }
}

impl<'a> Rooms<'a> {
    /// Room for everything.
    pub(super) fn unbounded(parent: &'a State, plan: &Plan) -> Self {
        Self {
            parent,
            authors: plan
                .cut
                .iter()
                .map(|entry| parent.author_of(entry))
                .collect(),
            bounded: false,
            rooms: Vec::new(),
            positions: vec![None; parent.rollups().len()],
        }
    }

    /// The rooms of a parcel's rollups, by their positions in it; nothing for one that is unknown.
    pub(super) fn of(&mut self, rollups: &[PreparedRollup]) -> Vec<Option<usize>> {
        let found = rollups.iter().map(|rollup| {
            let index = self.parent.rollup_index(rollup.chain_id)?;
            let position = match self.positions[index] {
                Some(position) => position,
                None => self.open(index),
            };
            self.rooms[position].draft.reserve(rollup.transactions);
            Some(position)
        });
        found.collect()
    }

    fn open(&mut self, index: usize) -> usize {
        let parent = self.parent;
        let rollup = &parent.rollups()[index];
        let chain_id = rollup.rollup.chain_id;
        let limit = parent.weight_limit(&rollup.rollup);
        let lane = |author: &Option<Address>| LaneRoom {
            share: limit,
            used: 0,
            is_closed: false,
            closed_at: author.and_then(|author| parent.closed_at(author, chain_id)),
        };
        let position = self.rooms.len();
        self.rooms.push(Room {
            rollup,
            limit,
            used: 0,
            lanes: self.authors.iter().map(lane).collect(),
            draft: Draft::default(),
        });
        self.positions[index] = Some(position);
        position
    }

    /// The limits divided by what was taken from unbounded room, or nothing if all of it fits.
    pub(super) fn divided(&self) -> Option<Self> {
        let is_too_full = |room: &Room<'_>| room.used > room.limit;
        self.rooms.iter().any(is_too_full).then(|| Self {
            parent: self.parent,
            authors: self.authors.clone(),
            bounded: true,
            rooms: self.rooms.iter().map(Room::divided).collect(),
            positions: self.positions.clone(),
        })
    }

    /// A room.
    pub(super) fn room(&self, position: usize) -> &Room<'a> {
        &self.rooms[position]
    }

    /// A room to place in.
    pub(super) fn room_mut(&mut self, position: usize) -> &mut Room<'a> {
        &mut self.rooms[position]
    }

    /// True if the lane may place this weight, which fits an empty batch.
    pub(super) fn has_room(&self, position: usize, lane: usize, weight: u64) -> bool {
        !self.bounded || self.rooms[position].has_room(lane, weight)
    }

    /// The batches that have something in them, by rising chain id.
    pub(super) fn into_drafts(self) -> Vec<(&'a RollupState, Draft<'a>)> {
        let rooms = self.rooms.into_iter();
        let drafts = rooms.map(|room| (room.rollup, room.draft));
        let mut drafts: Vec<_> = drafts
            .filter(|(_, it)| !it.transactions.is_empty())
            .collect();
        drafts.sort_unstable_by_key(|(rollup, _)| rollup.rollup.chain_id);
        drafts
    }
}

impl Room<'_> {
    /// Takes weight for a lane.
    pub(super) fn take(&mut self, lane: usize, weight: u64) {
        self.used = self.used.saturating_add(weight);
        let lane = &mut self.lanes[lane];
        lane.used = lane.used.saturating_add(weight);
    }

    /// True if the lane is closed: in this block, or since one that a parcel's author had not seen.
    pub(super) fn is_closed(&self, lane: usize, seen: Height) -> bool {
        let lane = &self.lanes[lane];
        lane.is_closed || lane.closed_at.is_some_and(|at| seen < at)
    }

    /// Closes the lane.
    pub(super) fn close(&mut self, lane: usize, author: Address) {
        self.lanes[lane].is_closed = true;
        self.draft.full.push(author);
    }

    fn has_room(&self, lane: usize, weight: u64) -> bool {
        // An empty batch takes whatever fits it, so a closed lane always has a batch to say so.
        let lane = &self.lanes[lane];
        let is_in_share = lane.used < lane.share;
        self.used == 0 || (is_in_share && self.used.saturating_add(weight) <= self.limit)
    }

    /// The same room, empty, with what each lane may take of it: all of it where all fits.
    fn divided(&self) -> Self {
        let shares = match self.used > self.limit {
            true => fair_shares(
                self.limit,
                &self.lanes.iter().map(|it| it.used).collect::<Vec<_>>(),
            ),
            false => vec![self.limit; self.lanes.len()],
        };
        let lanes = self.lanes.iter().zip(shares);
        Self {
            rollup: self.rollup,
            limit: self.limit,
            used: 0,
            lanes: lanes
                .map(|(lane, share)| LaneRoom {
                    share,
                    used: 0,
                    is_closed: false,
                    ..*lane
                })
                .collect(),
            draft: Draft::default(),
        }
    }
}

impl Draft<'_> {
    fn reserve(&mut self, transactions: usize) {
        self.transactions.reserve(transactions);
        self.ids.reserve(transactions);
        self.leaves.reserve(transactions);
    }
}

/// Max-min: lanes that carry less than an equal part get what they carry, the others share the rest
/// equally.
fn fair_shares(limit: u64, carried: &[u64]) -> Vec<u64> {
    let mut shares = vec![0; carried.len()];
    let mut order: Vec<usize> = (0..carried.len()).collect();
    order.sort_by_key(|lane| (carried[*lane], *lane));
    let mut rest = limit;
    let mut left = u64::try_from(order.len()).unwrap_or(u64::MAX);
    for lane in order {
        let share = carried[lane].min(rest / left.max(1));
        shares[lane] = share;
        rest -= share;
        left -= 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fits_is_given_as_carried() {
        assert_eq!(fair_shares(100, &[20, 30, 40]), [20, 30, 40]);
    }

    #[test]
    fn what_a_small_lane_leaves_goes_to_the_large_ones_in_equal_parts() {
        assert_eq!(fair_shares(100, &[10, 500, 60]), [10, 45, 45]);
        assert_eq!(fair_shares(100, &[90, 90]), [50, 50]);
        assert_eq!(fair_shares(100, &[0, 500]), [0, 100]);
    }

    proptest! {
        #[test]
        fn no_lane_could_have_more_without_one_that_has_no_more_than_it_having_less(
            limit in 0_u64..2_000, carried in prop::collection::vec(0_u64..1_000, 1..9),
        ) {
            let shares = fair_shares(limit, &carried);
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

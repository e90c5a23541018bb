//! What may give way in a full pool, rollup by rollup in the order in which it does.
//!
//! Most of it never has to, so nothing is looked for to take it out: what may not any more stays here until
//! it is the next, or most is such, or nothing of its rollup may give way.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use cloverleaf_types::ChainId;

use super::entries::{Entries, EntryId};
use super::entry::Part;

/// Few ranks of what may not give way any more are not worth looking for.
const STALE_MIN: usize = 8;

/// Room for so many ranks is kept when none are left: what a rollup had at most is not kept for ever.
const ROOM_KEPT: usize = 1_024;

/// In which order a rollup's entries give way: first what is parked, then by price, then the youngest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) pending: bool,
    /// In wei per gas.
    pub(super) price: u128,
    entry: Reverse<EntryId>,
}

/// The ranks of all rollups.
#[derive(Debug, Default)]
pub(super) struct Yielding {
    /// As many as registered rollups; they stay.
    rollups: BTreeMap<ChainId, Ranks>,
}

/// The ranks of a rollup, the next one first.
#[derive(Debug, Default)]
struct Ranks {
    /// Each before those in front of it: of equal prices the youngest gives way first, so most come here.
    falling: Vec<Rank>,
    others: BinaryHeap<Reverse<Rank>>,
    /// How many hold.
    holding: usize,
}

impl Rank {
    fn new(entry: EntryId, part: &Part, pending: bool) -> Self {
        Self {
            pending,
            price: part.price,
            entry: Reverse(entry),
        }
    }

    pub(super) fn entry(&self) -> EntryId {
        self.entry.0
    }

    /// Whether its entry may still give way as it says.
    fn holds(&self, entries: &Entries) -> bool {
        let entry = entries.get(self.entry());
        entry.is_some_and(|entry| entry.yields == Some(self.pending))
    }
}

impl Yielding {
    /// An entry may give way, as one that is parked or pending.
    pub(super) fn insert(
        &mut self,
        id: EntryId,
        parts: impl Iterator<Item = Part>,
        pending: bool,
        entries: &Entries,
    ) {
        for part in parts {
            let ranks = self.rollups.entry(part.chain_id).or_default();
            ranks.tidy(entries);
            ranks.push(Rank::new(id, &part, pending));
            ranks.holding += 1;
        }
    }

    /// An entry may not give way any more.
    pub(super) fn keep(&mut self, parts: impl Iterator<Item = Part>) {
        for part in parts {
            if let Some(ranks) = self.rollups.get_mut(&part.chain_id) {
                ranks.holding -= 1;
                if ranks.holding == 0 {
                    ranks.clear();
                }
            }
        }
    }

    /// Which of a rollup's entries gives way next, of those that do not stay in any case.
    pub(super) fn first(
        &mut self,
        chain_id: ChainId,
        entries: &Entries,
        stays: impl Fn(EntryId) -> bool,
    ) -> Option<Rank> {
        let ranks = self.rollups.get_mut(&chain_id)?;
        let mut passed = Vec::new();
        let mut first = None;
        while let Some(rank) = ranks.pop() {
            // What may give way again may be here twice, one behind the other.
            if !rank.holds(entries) || passed.last() == Some(&rank) {
                continue;
            }
            passed.push(rank);
            if !stays(rank.entry()) {
                first = Some(rank);
                break;
            }
        }
        // The highest first, so that all fall again.
        passed.into_iter().rev().for_each(|rank| ranks.push(rank));
        first
    }

    /// How often an entry's ranks are here, whether they hold or not.
    #[cfg(test)]
    pub(super) fn ranks_of(&self, id: EntryId) -> usize {
        let ranks = self.rollups.values().flat_map(Ranks::iter);
        ranks.filter(|rank| rank.entry() == id).count()
    }

    #[cfg(test)]
    pub(super) fn holding(&self, entries: &Entries) -> std::collections::BTreeSet<EntryId> {
        let ranks = self.rollups.values().flat_map(Ranks::iter);
        let holding = ranks.filter(|rank| rank.holds(entries));
        holding.map(|rank| rank.entry()).collect()
    }
}

impl Ranks {
    fn push(&mut self, rank: Rank) {
        if self.falling.last().is_none_or(|last| rank < *last) {
            self.falling.push(rank);
        } else {
            self.others.push(Reverse(rank));
        }
    }

    fn pop(&mut self) -> Option<Rank> {
        let falling = self.falling.last();
        let other = self.others.peek().map(|Reverse(rank)| rank);
        match (falling, other) {
            (Some(falling), Some(other)) if other < falling => self.others.pop().map(|it| it.0),
            (None, _) => self.others.pop().map(|it| it.0),
            (Some(_), _) => self.falling.pop(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Rank> {
        let others = self.others.iter().map(|Reverse(rank)| rank);
        self.falling.iter().chain(others)
    }

    fn tidy(&mut self, entries: &Entries) {
        if self.falling.len() + self.others.len() < STALE_MIN + 2 * self.holding {
            return;
        }
        let holding = self.iter().filter(|rank| rank.holds(entries));
        let mut holding: Vec<Rank> = holding.copied().collect();
        holding.sort_unstable_by_key(|rank| Reverse(*rank));
        // What may give way again is here twice, until now.
        holding.dedup();
        self.falling = holding;
        self.others = BinaryHeap::new();
    }

    fn clear(&mut self) {
        self.falling.clear();
        self.falling.shrink_to(ROOM_KEPT);
        self.others = BinaryHeap::new();
    }
}

//! An ordered set of what is mostly added behind the last and taken from the first.
//!
//! What rises stands in one piece of memory; what is removed from between leaves a gap there, until it is
//! the first or most are gaps. What comes late, below the last, is kept in a tree beside.

use std::collections::{BTreeSet, VecDeque};

/// Few gaps are not worth closing.
const GAPS_MIN: usize = 64;

/// Room for so many values is kept when none are left: what a row had at most is not kept for ever.
const ROOM_KEPT: usize = 1_024;

/// Values in their order, each once.
#[derive(Clone, Debug)]
pub(super) struct Rising<K> {
    row: VecDeque<Cell<K>>,
    gaps: usize,
    late: BTreeSet<K>,
}

#[derive(Clone, Copy, Debug)]
struct Cell<K> {
    key: K,
    is_gap: bool,
}

impl<K> Default for Rising<K> {
    fn default() -> Self {
        Self {
            row: VecDeque::new(),
            gaps: 0,
            late: BTreeSet::new(),
        }
    }
}

impl<K: Copy + Ord> Rising<K> {
    pub(super) fn len(&self) -> usize {
        self.row.len() - self.gaps + self.late.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a value; returns false if it was here.
    pub(super) fn insert(&mut self, key: K) -> bool {
        let is_above_row = self.row.back().is_none_or(|last| last.key < key);
        if is_above_row && self.late.last().is_none_or(|last| *last < key) {
            self.row.push_back(Cell { key, is_gap: false });
            return true;
        }
        match self.find(&key) {
            Some(at) if self.row[at].is_gap => {
                self.row[at].is_gap = false;
                self.gaps -= 1;
                true
            }
            Some(_) => false,
            None => self.late.insert(key),
        }
    }

    /// Takes a value out; returns false if it was not here.
    pub(super) fn remove(&mut self, key: &K) -> bool {
        match self.find(key) {
            Some(at) if self.row[at].is_gap => false,
            Some(at) => {
                self.row[at].is_gap = true;
                self.gaps += 1;
                self.close_gaps();
                true
            }
            None => self.late.remove(key),
        }
    }

    pub(super) fn first(&self) -> Option<K> {
        // No gap is ever the first.
        let row = self.row.front().map(|cell| cell.key);
        let late = self.late.first().copied();
        row.into_iter().chain(late).min()
    }

    pub(super) fn pop_first(&mut self) -> Option<K> {
        let first = self.first()?;
        self.remove(&first);
        Some(first)
    }

    /// All of them; those that came late are last.
    pub(super) fn iter(&self) -> impl Iterator<Item = K> {
        let standing = self.row.iter().filter(|cell| !cell.is_gap);
        let standing = standing.map(|cell| cell.key);
        standing.chain(self.late.iter().copied())
    }

    fn find(&self, key: &K) -> Option<usize> {
        if self.row.front().is_some_and(|first| first.key == *key) {
            return Some(0);
        }
        let found = self.row.binary_search_by(|cell| cell.key.cmp(key));
        found.ok()
    }

    fn close_gaps(&mut self) {
        while self.row.front().is_some_and(|first| first.is_gap) {
            self.row.pop_front();
            self.gaps -= 1;
        }
        if self.gaps > GAPS_MIN && 2 * self.gaps > self.row.len() {
            self.row.retain(|cell| !cell.is_gap);
            self.gaps = 0;
        }
        if self.row.is_empty() {
            self.row.shrink_to(ROOM_KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Values to add or to remove; most rise. Of few, a set is often empty; of many, it has many gaps.
    fn steps() -> impl Strategy<Value = Vec<(u16, bool)>> {
        let values = prop_oneof![Just(12_u16), Just(600)];
        values.prop_flat_map(|values| {
            let step = (0..values, prop::bool::weighted(0.6), any::<bool>());
            prop::collection::vec(step, 0..600).prop_map(move |steps| {
                let steps = steps.into_iter().zip(0..);
                let value = |any, rises, now| if rises { now % values } else { any };
                let step = |((any, rises, added), now)| (value(any, rises, now), added);
                steps.map(step).collect()
            })
        })
    }

    #[test]
    fn what_came_late_is_here_once_although_all_that_rose_is_gone() {
        let mut rising = Rising::default();
        assert!(rising.insert(10) && rising.insert(5) && rising.remove(&10));
        assert!(!rising.insert(5));
        assert_eq!(
            (rising.len(), rising.pop_first(), rising.len()),
            (1, Some(5), 0)
        );
    }

    #[test]
    fn room_of_many_is_given_back_when_none_is_left() {
        let mut rising = Rising::default();
        for value in 0..100_000 {
            rising.insert(value);
        }
        while rising.pop_first().is_some() {}
        assert!(rising.row.capacity() < 2 * ROOM_KEPT);
    }

    proptest! {
        #[test]
        fn set_holds_what_a_tree_holds_and_few_gaps(steps in steps()) {
            let (mut rising, mut tree) = (Rising::default(), BTreeSet::new());
            for (key, added) in steps {
                if added {
                    prop_assert_eq!(rising.insert(key), tree.insert(key));
                } else {
                    prop_assert_eq!(rising.remove(&key), tree.remove(&key));
                }
                prop_assert_eq!(rising.first(), tree.first().copied());
                prop_assert_eq!((rising.len(), rising.is_empty()), (tree.len(), tree.is_empty()));
                prop_assert!(rising.gaps <= GAPS_MIN.max(rising.row.len() / 2));
            }
            prop_assert_eq!(rising.iter().collect::<BTreeSet<_>>(), tree.clone());
            let taken: Vec<u16> = core::iter::from_fn(|| rising.pop_first()).collect();
            prop_assert_eq!(taken, tree.into_iter().collect::<Vec<_>>());
        }
    }
}

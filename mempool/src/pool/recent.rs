//! A map that forgets its oldest entries.

use std::collections::VecDeque;
use std::hash::Hash;

use super::Map;

/// Values by key, at most `entries_max` of them; the one written longest ago goes first.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    values: Map<K, (V, u64)>,
    /// Keys in the order of their writes, with the number of the write; older writes are stale.
    order: VecDeque<(K, u64)>,
    writes: u64,
    entries_max: usize,
}

impl<K: Copy + Eq + Hash, V: Copy> Recent<K, V> {
    pub(super) fn new(entries_max: usize) -> Self {
        Self {
            values: Map::default(),
            order: VecDeque::new(),
            writes: 0,
            entries_max,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.values.get(key).map(|(value, _)| *value)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.writes += 1;
        self.values.insert(key, (value, self.writes));
        self.order.push_back((key, self.writes));
        // Twice as many writes as entries bound the queue even if one key is written for ever.
        while self.values.len() > self.entries_max || self.order.len() > 2 * self.entries_max {
            let Some((oldest, write)) = self.order.pop_front() else {
                return;
            };
            if self
                .values
                .get(&oldest)
                .is_some_and(|(_, latest)| *latest == write)
            {
                self.values.remove(&oldest);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.values.remove(key).map(|(value, _)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_entry_is_forgotten_first_and_writing_again_makes_it_young() {
        let mut recent = Recent::new(2);
        recent.insert('a', 1);
        recent.insert('b', 2);
        recent.insert('a', 3);
        recent.insert('c', 4);
        assert_eq!(
            (recent.get(&'a'), recent.get(&'b'), recent.get(&'c')),
            (Some(3), None, Some(4))
        );
    }

    #[test]
    fn writing_one_key_for_ever_takes_no_more_memory() {
        let mut recent = Recent::new(2);
        for value in 0..1_000 {
            recent.insert('a', value);
        }
        assert_eq!(recent.get(&'a'), Some(999));
        assert!(recent.order.len() <= 4);
    }
}

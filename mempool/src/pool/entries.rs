//! All entries, each at a place that its id names.

use core::ops::Index;

use cloverleaf_types::TransactionKey;
use slab::Slab;

use super::entry::Entry;
use super::places::{Places, to_index, to_place};

/// Names an entry; rises with every admission, so it is also the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId {
    pub(super) arrival: u64,
    /// Where it is kept.
    place: u32,
}

/// Entries by their ids, and by the transactions that they hold. A place that became free is taken again.
#[derive(Debug, Default)]
pub(super) struct Entries {
    entries: Slab<Entry>,
    by_transaction: Places,
    arrivals: u64,
}

impl Entries {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn insert(&mut self, mut entry: Entry) -> EntryId {
        let place = to_place(self.entries.vacant_key());
        for key in entry.keys() {
            self.by_transaction.insert(&key, place);
        }
        let id = self.arrived(place);
        entry.arrival = id.arrival;
        self.entries.insert(entry);
        id
    }

    /// The id of something that arrived and is not kept.
    pub(super) fn nothing(&mut self) -> EntryId {
        self.arrived(u32::MAX)
    }

    pub(super) fn get(&self, id: EntryId) -> Option<&Entry> {
        let entry = self.entries.get(to_index(id.place))?;
        (entry.arrival == id.arrival).then_some(entry)
    }

    pub(super) fn get_mut(&mut self, id: EntryId) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(to_index(id.place))?;
        (entry.arrival == id.arrival).then_some(entry)
    }

    /// Which entry holds a transaction; a transaction is in the pool once.
    pub(super) fn holder_of(&self, key: &TransactionKey) -> Option<EntryId> {
        let at = |place| &self.entries[to_index(place)];
        let is_at = |place| at(place).keys().any(|held| held == *key);
        let place = self.by_transaction.find(key, is_at)?;
        let arrival = at(place).arrival;
        Some(EntryId { arrival, place })
    }

    pub(super) fn remove(&mut self, id: EntryId) -> Option<Entry> {
        self.get(id)?;
        let entry = self.entries.remove(to_index(id.place));
        for key in entry.keys() {
            self.by_transaction.remove(&key, id.place);
        }
        Some(entry)
    }

    /// All entries, in the order of their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (EntryId, &Entry)> {
        let id = |(key, entry): (usize, &Entry)| EntryId {
            arrival: entry.arrival,
            place: to_place(key),
        };
        self.entries.iter().map(move |found| (id(found), found.1))
    }

    /// The ids of those that meet a condition, in the order of their arrival.
    pub(super) fn ids_of(&self, meets: impl Fn(&Entry) -> bool) -> Vec<EntryId> {
        let met = self.iter().filter(|(_, entry)| meets(entry));
        let mut ids: Vec<EntryId> = met.map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids
    }

    fn arrived(&mut self, place: u32) -> EntryId {
        self.arrivals += 1;
        EntryId {
            arrival: self.arrivals,
            place,
        }
    }
}

impl Index<EntryId> for Entries {
    type Output = Entry;

    fn index(&self, id: EntryId) -> &Entry {
        self.get(id).expect("what is named here is in the pool")
    }
}

#[cfg(test)]
impl EntryId {
    /// An id without an entry, for tests of what only compares them.
    pub(super) fn of(arrival: u64) -> Self {
        Self { arrival, place: 0 }
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::ChainId;

    use super::*;
    use crate::pool::{PooledTransaction, Submission};

    fn entry(name: &'static str) -> Entry {
        let transaction = PooledTransaction::opaque(ChainId(1), name.into(), 100, 0);
        Entry::new(&Submission::Transaction(transaction.unwrap()))
    }

    #[test]
    fn id_of_what_was_removed_names_nothing_although_its_place_is_taken_again() {
        let mut entries = Entries::default();
        let first = entries.insert(entry("first"));
        assert!(entries.remove(first).is_some() && entries.is_empty());
        let second = entries.insert(entry("second"));
        assert_eq!((second.place, entries.entries.len()), (first.place, 1));
        assert!(second > first && entries.get(second).is_some());
        assert!(entries.get(first).is_none() && entries.remove(first).is_none());
        let nothing = entries.nothing();
        assert!(nothing > second && entries.get(nothing).is_none());
        assert_eq!(entries.ids_of(|_| true), [second]);
        let held = entries[second].keys().next().unwrap();
        assert_eq!(entries.holder_of(&held), Some(second));
        assert_eq!(entries.by_transaction.len(), 1);
    }
}

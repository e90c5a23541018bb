//! All entries, each at a place that its id names.

use core::ops::Index;

use super::entry::Entry;

/// Names an entry; rises with every admission, so it is also the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId {
    pub(super) arrival: u64,
    /// Where it is kept.
    place: u32,
}

/// Entries by their ids. A place that became free is taken again.
#[derive(Debug, Default)]
pub(super) struct Entries {
    places: Vec<Option<(EntryId, Box<Entry>)>>,
    free: Vec<u32>,
    arrivals: u64,
}

impl Entries {
    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.places.len()
    }

    pub(super) fn insert(&mut self, entry: Entry) -> EntryId {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            u32::try_from(self.places.len() - 1).expect("a pool has less than four billion entries")
        });
        let id = self.arrived(place);
        self.places[index(place)] = Some((id, Box::new(entry)));
        id
    }

    /// The id of something that arrived and is not kept.
    pub(super) fn nothing(&mut self) -> EntryId {
        self.arrived(u32::MAX)
    }

    pub(super) fn get(&self, id: EntryId) -> Option<&Entry> {
        let (found, entry) = self.places.get(index(id.place))?.as_ref()?;
        (*found == id).then_some(entry)
    }

    pub(super) fn get_mut(&mut self, id: EntryId) -> Option<&mut Entry> {
        let (found, entry) = self.places.get_mut(index(id.place))?.as_mut()?;
        (*found == id).then_some(entry)
    }

    pub(super) fn remove(&mut self, id: EntryId) -> Option<Entry> {
        let place = self.places.get_mut(index(id.place))?;
        let (_, entry) = place.take_if(|(found, _)| *found == id)?;
        self.free.push(id.place);
        Some(*entry)
    }

    /// All entries, in the order of their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (EntryId, &Entry)> {
        let taken = self.places.iter().flatten();
        taken.map(|(id, entry)| (*id, &**entry))
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

fn index(place: u32) -> usize {
    usize::try_from(place).expect("an address has 32 bits at least")
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
        assert_eq!((second.place, entries.places.len()), (first.place, 1));
        assert!(second > first && entries.get(second).is_some());
        assert!(entries.get(first).is_none() && entries.remove(first).is_none());
        let nothing = entries.nothing();
        assert!(nothing > second && entries.get(nothing).is_none());
        assert_eq!(entries.ids_of(|_| true), [second]);
    }
}

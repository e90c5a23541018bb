//! Where something is kept, by its key; the key is kept there and not here.

use core::hash::{BuildHasher as _, Hasher as _};

use cloverleaf_types::{Address, ChainId, TransactionKey, hash_words};
use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Places by keys: 8 bytes for each, so that the table of a large pool fits a processor's cache. A secret
/// of the process decides where: whoever chooses keys cannot choose that they are all in one place.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    secret: RandomState,
    table: HashTable<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    /// Of the key, so that a table grows without looking at keys.
    hash: KeyHash,
    place: u32,
}

/// Of a key, under the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KeyHash(u32);

/// What is looked up here.
pub(super) trait Key {
    fn words(&self) -> [u64; 3];
}

impl Key for TransactionKey {
    fn words(&self) -> [u64; 3] {
        hash_words(self.0, &self.1.0)
    }
}

impl Key for (ChainId, Address) {
    fn words(&self) -> [u64; 3] {
        hash_words(self.0, &self.1.0.0)
    }
}

impl KeyHash {
    /// As a table takes it: places by its lower bits, tags by its upper ones.
    fn spread(self) -> u64 {
        u64::from(self.0) << 32 | u64::from(self.0)
    }
}

impl Places {
    /// The place of a key; `is_at` tells whether it is the key of what is kept at a place.
    pub(super) fn find(&self, key: &impl Key, is_at: impl Fn(u32) -> bool) -> Option<u32> {
        let hash = self.hash(key);
        let is_it = |found: &Place| found.hash == hash && is_at(found.place);
        self.table
            .find(hash.spread(), is_it)
            .map(|found| found.place)
    }

    /// Adds a key that is not here.
    pub(super) fn insert(&mut self, key: &impl Key, place: u32) {
        let hash = self.hash(key);
        let hash_of = |place: &Place| place.hash.spread();
        self.table
            .insert_unique(hash.spread(), Place { hash, place }, hash_of);
    }

    /// Takes a key out that is at a place.
    pub(super) fn remove(&mut self, key: &impl Key, place: u32) {
        let hash = self.hash(key);
        let is_it = |found: &Place| found.hash == hash && found.place == place;
        if let Ok(found) = self.table.find_entry(hash.spread(), is_it) {
            found.remove();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    fn hash(&self, key: &impl Key) -> KeyHash {
        let mut hasher = self.secret.build_hasher();
        for word in key.words() {
            hasher.write_u64(word);
        }
        KeyHash(u32::try_from(hasher.finish() >> 32).expect("the upper half"))
    }
}

/// Of a slab's key.
pub(super) fn to_place(key: usize) -> u32 {
    u32::try_from(key).expect("a pool holds less than four billion things")
}

/// Of a place, to a slab.
pub(super) fn to_index(place: u32) -> usize {
    usize::try_from(place).expect("an address has 32 bits at least")
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::B256;

    use super::*;

    #[test]
    fn keys_of_one_hash_have_a_place_each() {
        let mut kept: Vec<TransactionKey> = Vec::new();
        let mut places = Places::default();
        for end in 0..100 {
            let mut id = B256::repeat_byte(7);
            id[31] = end;
            let key = (ChainId(1), id);
            let is_at = |place| kept[to_index(place)] == key;
            assert_eq!(places.find(&key, is_at), None);
            places.insert(&key, to_place(kept.len()));
            kept.push(key);
        }
        for (at, key) in kept.iter().enumerate() {
            let is_at = |place| kept[to_index(place)] == *key;
            assert_eq!(places.find(key, is_at), Some(to_place(at)));
            places.remove(key, to_place(at));
            assert_eq!(places.find(key, is_at), None);
        }
        assert_eq!(places.len(), 0);
    }
}

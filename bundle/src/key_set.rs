//! Sets of transactions that are asked by a hash, computed once for all that is asked of them.

use core::hash::BuildHasher;

use cloverleaf_types::TransactionKey;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Where a transaction is kept. It depends on a secret of this process: whoever chooses ids cannot choose
/// that they are all kept in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyHash(u64);

/// A set of transactions.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeySet {
    secret: RandomState,
    keys: HashTable<TransactionKey>,
}

impl KeySet {
    /// An empty list whose hashes are this set's, with room for so many.
    pub(crate) fn list_beside(&self, capacity: usize) -> KeyList {
        KeyList {
            secret: self.secret.clone(),
            keys: Vec::with_capacity(capacity),
            positions: HashTable::with_capacity(capacity),
        }
    }

    /// The hash of a transaction here, and in the sets beside this one.
    pub(crate) fn hash(&self, key: &TransactionKey) -> KeyHash {
        KeyHash(self.secret.hash_one(key))
    }

    /// True if the transaction with this hash is in the set.
    pub(crate) fn contains(&self, hash: KeyHash, key: &TransactionKey) -> bool {
        self.keys.find(hash.0, |found| found == key).is_some()
    }

    /// Adds the transaction with this hash; false if it was there.
    pub(crate) fn insert(&mut self, hash: KeyHash, key: TransactionKey) -> bool {
        let secret = &self.secret;
        let is_it = |found: &TransactionKey| *found == key;
        match self.keys.entry(hash.0, is_it, |key| secret.hash_one(key)) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(key);
                true
            }
        }
    }

    /// Removes the transaction with this hash, if it is there.
    pub(crate) fn remove(&mut self, hash: KeyHash, key: &TransactionKey) {
        if let Ok(found) = self.keys.find_entry(hash.0, |found| found == key) {
            let _removed = found.remove();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// Transactions in the order in which they were added, each once. Its table holds positions alone, so
/// that a block's fits a core's own cache.
#[derive(Clone, Debug)]
pub(crate) struct KeyList {
    secret: RandomState,
    keys: Vec<TransactionKey>,
    positions: HashTable<u32>,
}

impl KeyList {
    /// True if the transaction with this hash is in the list.
    pub(crate) fn contains(&self, hash: KeyHash, key: &TransactionKey) -> bool {
        let is_it = |position: &u32| at(&self.keys, *position) == key;
        self.positions.find(hash.0, is_it).is_some()
    }

    /// Adds the transaction with this hash at the end; false if it was there.
    pub(crate) fn insert(&mut self, hash: KeyHash, key: TransactionKey) -> bool {
        let is_it = |position: &u32| *at(&self.keys, *position) == key;
        let hash_of = |position: &u32| self.secret.hash_one(at(&self.keys, *position));
        let Entry::Vacant(place) = self.positions.entry(hash.0, is_it, hash_of) else {
            return false;
        };
        place.insert(u32::try_from(self.keys.len()).expect("a block's weight bounds its count"));
        self.keys.push(key);
        true
    }
}

fn at(keys: &[TransactionKey], position: u32) -> &TransactionKey {
    &keys[usize::try_from(position).expect("an address has 32 bits at least")]
}

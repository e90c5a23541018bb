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
    /// An empty set whose hashes are those of another, with room for so many.
    pub(crate) fn beside(other: &Self, capacity: usize) -> Self {
        Self {
            secret: other.secret.clone(),
            keys: HashTable::with_capacity(capacity),
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

//! Transactions in the order in which they were added, which can be asked for.
//!
//! ```text
//! hash ─► slots: tag, number │ tag, number │ …     16 to 32 bytes a transaction, one line of cache a look-up
//!                     └─► keys: a queue            numbers rise by one, the oldest leaves first
//! ```
//! Slots are probed one after the other; of a slot's tag its home follows, so that growing and removing
//! look at no key. Where many are asked for at once, the slots of all are read before any is looked at:
//! then they wait for memory side by side.

use core::hash::{BuildHasher as _, Hasher as _};
use core::hint::black_box;
use std::collections::VecDeque;

use cloverleaf_types::{TransactionKey, hash_words};
use foldhash::fast::RandomState;

/// Fewest slots.
const SLOTS_MIN: usize = 16;

/// How many wait for memory side by side: their lines fit a core's smallest cache beside all else.
const SIDE_BY_SIDE: usize = 128;

/// Set in every tag, so that no slot that is taken is zero.
const TAKEN: u32 = 1 << 31;

/// Where a transaction is kept. It depends on a secret of this process: whoever chooses ids cannot choose
/// that they are all kept in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyHash(u32);

/// A queue of transactions. One that is added twice is in it twice.
#[derive(Clone, Debug)]
pub(crate) struct KeySet {
    secret: RandomState,
    /// A power of two, at least half of them empty.
    slots: Vec<Slot>,
    keys: VecDeque<TransactionKey>,
    /// The number of the oldest; numbers begin again behind the last of 32 bits.
    oldest: u32,
}

/// A tag in the upper half, a number in the lower one; or zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot(u64);

impl Slot {
    const EMPTY: Self = Self(0);

    fn new(KeyHash(tag): KeyHash, number: u32) -> Self {
        Self(u64::from(tag) << 32 | u64::from(number))
    }

    fn hash(self) -> KeyHash {
        KeyHash(u32::try_from(self.0 >> 32).expect("the upper half"))
    }

    fn number(self) -> u32 {
        u32::try_from(self.0 & u64::from(u32::MAX)).expect("the lower half")
    }
}

impl Default for KeySet {
    fn default() -> Self {
        Self::with_secret(RandomState::default(), 0)
    }
}

impl KeySet {
    /// An empty set whose hashes are this set's, with room for so many.
    pub(crate) fn beside(&self, capacity: usize) -> Self {
        Self::with_secret(self.secret.clone(), capacity)
    }

    fn with_secret(secret: RandomState, capacity: usize) -> Self {
        let slots = capacity.saturating_mul(2).next_power_of_two();
        Self {
            secret,
            slots: vec![Slot::EMPTY; slots.max(SLOTS_MIN)],
            keys: VecDeque::with_capacity(capacity),
            oldest: 0,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The hash of a transaction here, and in the sets beside this one.
    pub(crate) fn hash(&self, key: &TransactionKey) -> KeyHash {
        let mut hasher = self.secret.build_hasher();
        for word in hash_words(key.0, &key.1.0) {
            hasher.write_u64(word);
        }
        let upper = hasher.finish() >> 32;
        KeyHash(u32::try_from(upper).expect("the upper half") | TAKEN)
    }

    /// True if the transaction with this hash is here.
    pub(crate) fn contains(&self, hash: KeyHash, key: &TransactionKey) -> bool {
        let is_it = |slot: Slot| slot.hash() == hash && self.key(slot.number()) == key;
        self.find(hash, is_it).is_some()
    }

    /// Of many transactions the hashes, and whether they are here.
    pub(crate) fn look_up(
        &self,
        keys: impl Iterator<Item = TransactionKey> + Clone,
    ) -> Vec<(KeyHash, bool)> {
        let mut found: Vec<_> = keys.clone().map(|key| (self.hash(&key), false)).collect();
        let mut keys = keys;
        for part in found.chunks_mut(SIDE_BY_SIDE) {
            self.fetch(part.iter().map(|(hash, _)| *hash));
            for ((hash, is_here), key) in part.iter_mut().zip(&mut keys) {
                *is_here = self.contains(*hash, &key);
            }
        }
        found
    }

    /// Adds the transaction with this hash.
    pub(crate) fn push(&mut self, hash: KeyHash, key: TransactionKey) {
        if self.slots.len() < 2 * (self.keys.len() + 1) {
            self.grow();
        }
        let number = self.number_at(self.keys.len());
        self.keys.push_back(key);
        self.put(Slot::new(hash, number));
    }

    /// Adds many.
    pub(crate) fn push_all(&mut self, keys: &[TransactionKey]) {
        for keys in keys.chunks(SIDE_BY_SIDE) {
            let hashes: Vec<KeyHash> = keys.iter().map(|key| self.hash(key)).collect();
            self.fetch(hashes.iter().copied());
            for (hash, key) in hashes.into_iter().zip(keys) {
                self.push(hash, *key);
            }
        }
    }

    /// Removes so many of the oldest.
    pub(crate) fn remove_oldest(&mut self, count: usize) {
        let mut left = count.min(self.keys.len());
        while left > 0 {
            let part = left.min(SIDE_BY_SIDE);
            let hashes: Vec<KeyHash> = self.keys.range(..part).map(|it| self.hash(it)).collect();
            self.fetch(hashes.iter().copied());
            for hash in hashes {
                let oldest = Slot::new(hash, self.oldest);
                let at = self.find(hash, |slot| slot == oldest);
                self.clear(at.expect("what is in the queue has a slot"));
                self.keys.pop_front();
                self.oldest = self.oldest.wrapping_add(1);
            }
            left -= part;
        }
    }

    /// The first slot, from a hash's home on, that is what is looked for.
    fn find(&self, hash: KeyHash, is_it: impl Fn(Slot) -> bool) -> Option<usize> {
        let mut at = self.home(hash);
        loop {
            match self.slots[at] {
                Slot::EMPTY => return None,
                slot if is_it(slot) => return Some(at),
                _ => at = self.after(at),
            }
        }
    }

    /// Reads the homes of hashes, so that they are near when they are looked at.
    fn fetch(&self, hashes: impl Iterator<Item = KeyHash>) {
        let slots = hashes.map(|hash| self.slots[self.home(hash)].0);
        black_box(slots.fold(0, |all, slot| all | slot));
    }

    fn put(&mut self, slot: Slot) {
        let mut at = self.home(slot.hash());
        while self.slots[at] != Slot::EMPTY {
            at = self.after(at);
        }
        self.slots[at] = slot;
    }

    /// Empties a slot; those behind it that it had kept from their homes come nearer to them.
    fn clear(&mut self, mut empty: usize) {
        let mut at = self.after(empty);
        while self.slots[at] != Slot::EMPTY {
            let home = self.home(self.slots[at].hash());
            if self.distance(home, at) >= self.distance(empty, at) {
                self.slots[empty] = self.slots[at];
                empty = at;
            }
            at = self.after(at);
        }
        self.slots[empty] = Slot::EMPTY;
    }

    fn grow(&mut self) {
        let larger = vec![Slot::EMPTY; 2 * self.slots.len()];
        for slot in core::mem::replace(&mut self.slots, larger) {
            if slot != Slot::EMPTY {
                self.put(slot);
            }
        }
    }

    fn home(&self, KeyHash(tag): KeyHash) -> usize {
        usize::try_from(tag).expect("an address has 32 bits at least") & (self.slots.len() - 1)
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.slots.len() - 1)
    }

    /// How far it is from one slot on to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.slots.len() - 1)
    }

    fn number_at(&self, index: usize) -> u32 {
        let index = u32::try_from(index).expect("a window has less than four billion ids");
        self.oldest.wrapping_add(index)
    }

    fn key(&self, number: u32) -> &TransactionKey {
        let index = number.wrapping_sub(self.oldest);
        &self.keys[usize::try_from(index).expect("an address has 32 bits at least")]
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::{B256, ChainId};
    use proptest::prelude::*;

    use super::*;

    /// One of fifty has the half that is hashed of many others.
    fn key(name: u16) -> TransactionKey {
        let id = match name % 50 {
            0 => B256::left_padding_from(&name.to_be_bytes()),
            _ => B256::right_padding_from(&name.to_be_bytes()),
        };
        (ChainId(u64::from(name % 3)), id)
    }

    proptest! {
        #[test]
        fn set_holds_what_a_queue_holds(
            steps in prop::collection::vec((prop::collection::vec(0..2_000_u16, 0..300), 0..300_usize), 1..20),
            before_the_last_number in 0..600_u32,
        ) {
            let oldest = u32::MAX - before_the_last_number;
            let mut set = KeySet { oldest, ..KeySet::default() };
            let mut queue = VecDeque::new();
            for (added, removed) in steps {
                let added: Vec<TransactionKey> = added.into_iter().map(key).collect();
                set.push_all(&added);
                queue.extend(added);
                set.remove_oldest(removed);
                queue.drain(..removed.min(queue.len()));
                prop_assert_eq!(set.len(), queue.len());
                let found = set.look_up((0..2_000).map(key));
                for (name, (hash, is_here)) in (0..2_000).zip(found) {
                    prop_assert_eq!(is_here, queue.contains(&key(name)));
                    prop_assert_eq!(hash, set.hash(&key(name)));
                }
            }
        }
    }
}

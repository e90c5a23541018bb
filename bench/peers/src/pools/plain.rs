//! A pool as people write it: a hash table of accounts, in each a tree of transactions by nonce, and a
//! tree of those that are next, highest fee first, then first come.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::{PARCEL_BYTES, Transaction};

/// Who sends, and on which rollup.
type Sender = (u64, [u8; 20]);

/// Where a transaction stands among those that are next.
type Place = (Reverse<u128>, u64);

/// Why a transaction is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is there.
    Known,
    /// Its nonce was used.
    Stale,
    /// One with its nonce is there that pays as much.
    Underpriced,
    /// There is no room.
    Full,
}

/// A nonce-aware pool.
#[derive(Debug)]
pub struct PlainPool {
    known: HashSet<[u8; 32]>,
    accounts: HashMap<Sender, Account>,
    ready: BTreeMap<Place, Sender>,
    transactions_max: usize,
    arrivals: u64,
}

#[derive(Debug, Default)]
struct Account {
    next: u64,
    /// Where its next transaction is ready, if it is there.
    place: Option<Place>,
    waiting: BTreeMap<u64, Transaction>,
}

impl PlainPool {
    /// An empty one that holds at most so many.
    #[must_use]
    pub fn new(transactions_max: usize) -> Self {
        Self {
            known: HashSet::new(),
            accounts: HashMap::new(),
            ready: BTreeMap::new(),
            transactions_max,
            arrivals: 0,
        }
    }

    /// Takes a transaction in.
    ///
    /// # Errors
    /// It is not to be had, and why.
    pub fn insert(&mut self, transaction: Transaction) -> Result<(), Refused> {
        if self.known.contains(&transaction.id) {
            return Err(Refused::Known);
        }
        let sender = (transaction.chain_id, transaction.sender);
        let nonce = transaction.nonce;
        let is_full = self.known.len() >= self.transactions_max;
        let account = self.accounts.entry(sender).or_default();
        if nonce < account.next {
            return Err(Refused::Stale);
        }
        match account.waiting.get(&nonce) {
            Some(old) if old.max_fee_per_gas >= transaction.max_fee_per_gas => {
                return Err(Refused::Underpriced);
            }
            Some(old) => {
                self.known.remove(&old.id);
            }
            None if is_full => return Err(Refused::Full),
            None => {}
        }
        self.known.insert(transaction.id);
        self.arrivals += 1;
        if nonce == account.next {
            let place = (Reverse(transaction.max_fee_per_gas), self.arrivals);
            if let Some(old) = account.place.replace(place) {
                self.ready.remove(&old);
            }
            self.ready.insert(place, sender);
        }
        account.waiting.insert(nonce, transaction);
        Ok(())
    }

    /// Takes out what fills a parcel, in order; nothing when nothing is left.
    pub fn take(&mut self) -> Vec<Transaction> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while bytes < PARCEL_BYTES {
            let Some((_, sender)) = self.ready.pop_first() else {
                break;
            };
            let account = self
                .accounts
                .get_mut(&sender)
                .expect("who is ready is here");
            let transaction = account.waiting.remove(&account.next);
            let transaction = transaction.expect("what is ready is here");
            account.next += 1;
            account.place = account.waiting.get(&account.next).map(|next| {
                self.arrivals += 1;
                (Reverse(next.max_fee_per_gas), self.arrivals)
            });
            if let Some(place) = account.place {
                self.ready.insert(place, sender);
            }
            self.known.remove(&transaction.id);
            bytes += transaction.raw.len();
            taken.push(transaction);
        }
        taken
    }

    /// Hands all in and takes parcel after parcel, until nothing is left; how many came out.
    ///
    /// # Panics
    /// One is refused.
    pub fn insert_and_take(&mut self, transactions: &[Transaction]) -> usize {
        for transaction in transactions {
            let inserted = self.insert(transaction.clone());
            assert_eq!(inserted, Ok(()));
        }
        let parcels = std::iter::repeat_with(|| self.take().len());
        parcels.take_while(|taken| *taken > 0).sum()
    }

    /// Forgets which nonces were used, and keeps its memory.
    ///
    /// # Panics
    /// Something is in it.
    pub fn forget(&mut self) {
        assert!(self.known.is_empty(), "it holds what was not taken out");
        self.accounts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pools::transactions;

    /// A transaction of one account.
    fn transaction(name: u8, nonce: u64, fee: u128) -> Transaction {
        Transaction {
            id: [name; 32],
            nonce,
            max_fee_per_gas: fee,
            ..transactions(1).remove(0)
        }
    }

    #[test]
    fn an_account_comes_out_in_the_order_of_its_nonces() {
        let mut pool = PlainPool::new(10);
        for (name, nonce, fee) in [(1, 1, 30), (2, 0, 10), (3, 2, 20)] {
            assert_eq!(pool.insert(transaction(name, nonce, fee)), Ok(()));
        }
        let nonces = pool.take().into_iter().map(|it| it.nonce);
        assert_eq!(nonces.collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(pool.insert(transaction(4, 2, 40)), Err(Refused::Stale));
        assert_eq!(pool.take(), []);
    }

    #[test]
    fn only_a_higher_fee_takes_a_place() {
        let mut pool = PlainPool::new(1);
        assert_eq!(pool.insert(transaction(1, 0, 10)), Ok(()));
        assert_eq!(pool.insert(transaction(1, 0, 10)), Err(Refused::Known));
        assert_eq!(
            pool.insert(transaction(2, 0, 10)),
            Err(Refused::Underpriced)
        );
        assert_eq!(pool.insert(transaction(3, 1, 10)), Err(Refused::Full));
        assert_eq!(pool.insert(transaction(4, 0, 11)), Ok(()));
        assert_eq!(pool.take(), [transaction(4, 0, 11)]);
    }
}

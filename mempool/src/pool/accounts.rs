//! The senders that have something in the pool, each with its queue at a place that entries know.

use core::ops::{Index, IndexMut};

use slab::Slab;

use super::entry::SenderKey;
use super::places::{Places, to_index, to_place};
use super::queue::Queue;

/// Names a sender's account as long as something of the sender is in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AccountId(u32);

impl AccountId {
    /// Before there is one.
    pub(super) const NONE: Self = Self(u32::MAX);
}

/// A sender on a rollup.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) sender: SenderKey,
    pub(super) queue: Queue,
    /// Something of it waits behind a gap.
    pub(super) is_gapped: bool,
}

/// Accounts by their ids, and by their senders.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    accounts: Slab<Account>,
    by_sender: Places,
}

impl Accounts {
    pub(super) fn find(&self, sender: &SenderKey) -> Option<AccountId> {
        let is_at = |place| self.accounts[to_index(place)].sender == *sender;
        self.by_sender.find(sender, is_at).map(AccountId)
    }

    /// The queue of a sender that has something here.
    pub(super) fn queue_of(&self, sender: &SenderKey) -> Option<&Queue> {
        self.find(sender).map(|found| &self[found].queue)
    }

    /// An account for a sender that has none.
    pub(super) fn open(&mut self, sender: SenderKey, queue: Queue) -> AccountId {
        let account = Account {
            sender,
            queue,
            is_gapped: false,
        };
        let place = to_place(self.accounts.insert(account));
        self.by_sender.insert(&sender, place);
        AccountId(place)
    }

    /// Nothing of the sender is here any more.
    pub(super) fn close(&mut self, AccountId(place): AccountId) {
        let closed = self.accounts.remove(to_index(place));
        self.by_sender.remove(&closed.sender, place);
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter().map(|(_, account)| account)
    }
}

impl Index<AccountId> for Accounts {
    type Output = Account;

    fn index(&self, AccountId(place): AccountId) -> &Account {
        &self.accounts[to_index(place)]
    }
}

impl IndexMut<AccountId> for Accounts {
    fn index_mut(&mut self, AccountId(place): AccountId) -> &mut Account {
        &mut self.accounts[to_index(place)]
    }
}

//! The pool: what rollups and users forwarded, until a block holds it.
//!
//! ```text
//!  raw ─ decode ─ recover ─► admit ─► queues per (rollup, sender) ─► ready lines per rollup ─ take ─► lane
//!                                          ▲                                                  │
//!                                          └───── stale, rollupFull ── on_decided ◄── block ◄──┘
//! ```
//! An entry is a transaction alone or a bundle. It takes its senders' nonces; while an earlier one is
//! missing it is parked (B9), whole. What may be sealed stands in its rollup's line, in the order of
//! the rollup's policy; a bundle in that of its heaviest leg. Lines are served by their shares. An
//! entry may be sealed when
//! * alone: its nonce is its sender's lowest here, every sealed one is lower, and no bundle of the
//!   sender is undecided (O4);
//! * a bundle: its window is open at the head, and none of its senders has an earlier nonce pooled or
//!   anything undecided (O4).
//!
//! So nonces leave in order, also when a block drops some of them and they come back. A rollup that
//! was full for this lane waits until all that was sealed before is decided, then gets what was
//! placed for it (O3).
//!
//! A full pool makes room for what pays more, rollup by rollup as their shares are; whoever finds no
//! room is told when to come back, from how fast the pool drains.
//!
//! [`lifecycle`] is the table of states. A pool is memory only: what is `available` lives in the lane
//! log and comes back with [`Pool::restore`].

mod accounts;
mod admit;
mod control;
mod decide;
mod decode;
mod draft;
mod drain;
mod entries;
mod entry;
mod gas;
mod nonces;
mod places;
mod queue;
mod ready;
mod recent;
mod removal;
mod rising;
mod room;
mod rules;
mod schedule;
mod take;
mod throttle;
mod transaction;
mod yielding;

pub mod lifecycle;
pub mod limits;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Included};

use bytes::Bytes;
use cloverleaf_types::{Address, B256, Bound, ChainId, Height, Slot, TransactionKey};

use smallvec::SmallVec;

use accounts::{AccountId, Accounts};
use entries::{Entries, EntryId};
use entry::{Entry, SenderKey};
use queue::Queue;
use ready::Ready;
use recent::Recent;
use room::Room;
use schedule::Schedule;
use throttle::Throttle;
use yielding::Yielding;

pub use admit::Admission;
pub use control::verified_control;
pub use decide::Decision;
pub use decode::Envelope;
pub(crate) use decode::evm_signer;
pub use draft::{BundleDraft, UnrecoveredBundle, active, is_checked, submissions_of};
pub use drain::{RETRY_MAX_MS, RETRY_UNKNOWN_MS};
pub use lifecycle::{Event, Gap, Name, State};
pub use limits::Limits;
pub use rules::Rules;
pub use transaction::{PooledBundle, PooledLeg, PooledTransaction, Submission};

/// Asked often, and never gone through.
type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// A transaction or bundle that came to another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub name: Name,
    /// Its state from now on.
    pub state: State,
}

/// The pool of one author.
#[derive(Debug)]
pub struct Pool {
    limits: Limits,
    height: Height,
    time_ms: u64,
    entries: Entries,
    bundles: Map<B256, EntryId>,
    accounts: Accounts,
    /// The senders that wait behind a gap.
    gapped: BTreeSet<SenderKey>,
    /// The next nonce of senders without an account.
    idle: Recent<SenderKey, u64>,
    ready: Ready,
    /// When windows open, for bundles that wait for it.
    opening: Schedule,
    /// When entries expire, unless they are sealed then.
    closing: Schedule,
    /// The entries of each undecided own parcel, in the order of its items.
    sealed: BTreeMap<Slot, Vec<EntryId>>,
    throttle: Throttle,
    /// What the registry says, of every rollup that it names.
    rules: BTreeMap<ChainId, Rules>,
    room: Room,
    yielding: Yielding,
    ended: Recent<Name, State>,
}

impl Pool {
    /// An empty pool at a decided block: its height, and its time in milliseconds.
    #[must_use]
    pub fn new(limits: Limits, height: Height, time_ms: u64) -> Self {
        Self {
            height,
            time_ms,
            entries: Entries::default(),
            bundles: Map::default(),
            accounts: Accounts::default(),
            gapped: BTreeSet::new(),
            idle: Recent::new(limits.senders_max),
            ready: Ready::default(),
            opening: Schedule::default(),
            closing: Schedule::default(),
            sealed: BTreeMap::new(),
            throttle: Throttle::default(),
            rules: BTreeMap::new(),
            room: Room::default(),
            yielding: Yielding::default(),
            ended: Recent::new(limits.ended_max),
            limits,
        }
    }

    /// The transactions in the pool, sealed ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.room.count()
    }

    /// True when nothing is in the pool.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The raw bytes in the pool.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.room.bytes()
    }

    /// What grows in it with what users send. What a lane log brings back is taken in whatever the
    /// limits are now, so `restored` of it, transactions and their bytes, are no fault.
    #[must_use]
    pub fn bounds(&self, restored: (usize, usize)) -> [Bound; 4] {
        let Limits {
            transactions_max,
            bytes_max,
            ended_max,
            senders_max,
            ..
        } = self.limits;
        let (count_max, bytes_max) = (transactions_max.max(restored.0), bytes_max.max(restored.1));
        [
            Bound::new("pool_transactions", self.len(), count_max),
            Bound::new("pool_bytes", self.bytes(), bytes_max),
            Bound::new("ended_items", self.ended.len(), ended_max),
            Bound::new("idle_senders", self.idle.len(), senders_max),
        ]
    }

    /// Until the next block takes something, in milliseconds, as far as the latest ones tell.
    #[must_use]
    pub fn block_wait_ms(&self, now_ms: u64) -> u64 {
        self.room.drain().block_wait_ms(now_ms)
    }

    /// The weight (W4) of what may be sealed now. Of each sender only the next nonce counts, so more
    /// may come out of a [`Pool::take`]; what that refused for a full rollup (O3) does not count.
    #[must_use]
    pub fn ready_weight(&self) -> u64 {
        self.ready.weight()
    }

    /// How many transactions and bundles of each rollup may be sealed now, by rising chain id. A bundle
    /// counts for the rollup in whose line it stands.
    pub fn ready(&self) -> impl Iterator<Item = (ChainId, usize)> {
        self.ready.lengths()
    }

    /// Where a transaction or bundle is in its life; a transaction in a bundle shares the bundle's
    /// state. Ended ones are known until [`Limits::ended_max`] others ended.
    #[must_use]
    pub fn state(&self, name: &Name) -> Option<State> {
        let entry = match name {
            Name::Transaction(key) => self.entries.holder_of(key),
            Name::Bundle(hash) => self.bundles.get(hash).copied(),
        };
        let held = entry.and_then(|entry| self.entries.get(entry));
        let state = held.map(|entry| match (entry.state, self.gap_of(entry)) {
            // What is missing first may have come meanwhile, and something behind it not.
            (State::Parked { .. }, Some(gap)) => State::Parked { gap },
            (state, _) => state,
        });
        state.or_else(|| self.ended.get(name))
    }

    /// The bytes of a transaction that is in the pool, alone or in a bundle.
    #[must_use]
    pub fn raw(&self, key: &TransactionKey) -> Option<Bytes> {
        let entry = &self.entries[self.entries.holder_of(key)?];
        let mut transactions = entry.transactions();
        let held = transactions.find(|found| found.key() == *key)?;
        Some(held.raw.clone())
    }

    /// True when the sender's next nonce is known, so that nobody needs to ask the rollup.
    #[must_use]
    pub fn knows_sender(&self, chain_id: ChainId, sender: Address) -> bool {
        let key = (chain_id, sender);
        self.accounts
            .queue_of(&key)
            .is_some_and(|queue| !queue.is_guessed())
            || self.idle.get(&key).is_some()
    }

    /// The first nonce of a sender that nothing here takes: `eth_getTransactionCount("pending")`.
    #[must_use]
    pub fn pending_nonce(&self, chain_id: ChainId, sender: Address) -> Option<u64> {
        let key = (chain_id, sender);
        self.accounts
            .queue_of(&key)
            .map(Queue::first_gap)
            .or_else(|| self.idle.get(&key))
    }

    /// The senders that wait behind a gap on a rollup, at most `count_max` of them: its answer may
    /// help. They are those after a sender, and then from the first on: whoever passes the last of
    /// one list for the next comes to all.
    #[must_use]
    pub fn gaps(&self, chain_id: ChainId, after: Option<Address>, count_max: usize) -> Vec<Gap> {
        let gap = |sender: &SenderKey| {
            let queue = self.accounts.queue_of(sender)?;
            Some(Gap {
                chain_id: sender.0,
                sender: sender.1,
                expected: queue.first_gap(),
            })
        };
        let [first, last] = [0x00, 0xff].map(|byte| (chain_id, Address::repeat_byte(byte)));
        let after = after.map(|sender| (chain_id, sender));
        let from = after.map_or(Included(first), Excluded);
        let behind = self.gapped.range((from, Included(last)));
        let again = after.map(|after| self.gapped.range(first..=after));
        let senders = behind.chain(again.into_iter().flatten());
        senders.take(count_max).filter_map(gap).collect()
    }

    /// Looks again at what a change at a sender may mean something for, and says what that is;
    /// `gap_before` is the first nonce that nobody took before. Closes an account of which nothing is
    /// left, but remembers its next nonce.
    fn review_account(&mut self, id: AccountId, gap_before: u64) -> SmallVec<[EntryId; 4]> {
        let account = &mut self.accounts[id];
        let (sender, queue) = (account.sender, &account.queue);
        let is_gapped = queue.has_gap();
        if core::mem::replace(&mut account.is_gapped, is_gapped) != is_gapped {
            if is_gapped {
                self.gapped.insert(sender);
            } else {
                self.gapped.remove(&sender);
            }
        }
        if queue.is_empty() {
            if !queue.is_guessed() {
                self.idle.insert(sender, queue.expected());
            }
            self.accounts.close(id);
            return SmallVec::new();
        }
        let touched = queue.touched(gap_before);
        for entry in &touched {
            self.review(*entry);
        }
        touched
    }

    /// Parks, unparks, and puts in line or takes out of it what is not sealed.
    fn review(&mut self, id: EntryId) {
        let Some(entry) = self.entries.get(id) else {
            return;
        };
        let event = self.gap_of(entry).map_or(Event::Admit, Event::Park);
        self.advance(id, event);
        self.review_line(id);
        self.review_room(id);
    }

    /// Whether it stands in line.
    fn review_line(&mut self, id: EntryId) {
        let entry = &self.entries[id];
        let now = self.may_be_sealed(id, entry);
        if entry.in_line == now {
            return;
        }
        let ticket = entry.ticket(id);
        if now {
            self.ready.insert(ticket);
        } else {
            self.ready.remove(ticket);
        }
        self.entry_mut(id).in_line = now;
    }

    /// Whether it may give way in a full pool.
    fn review_room(&mut self, id: EntryId) {
        let entry = &self.entries[id];
        let is_rest = |claims: &[entry::Claim]| {
            let queue = &self.accounts[claims[0].account].queue;
            queue.is_rest(claims[0].nonce, id)
        };
        let yields = !entry.promised && !entry.state.is_sealed() && entry.by_sender().all(is_rest);
        let now = yields.then_some(entry.state == State::Pending);
        if entry.yields == now {
            return;
        }
        if entry.yields.is_some() {
            self.yielding.keep(entry.parts());
        }
        if let Some(now) = now {
            self.yielding.insert(id, entry.parts(), now, &self.entries);
        }
        self.entry_mut(id).yields = now;
    }

    fn gap_of(&self, entry: &Entry) -> Option<Gap> {
        entry.claims.iter().find_map(|claim| {
            let queue = &self.accounts[claim.account].queue;
            Some(Gap {
                chain_id: claim.sender.0,
                sender: claim.sender.1,
                expected: queue.gap_before(claim.nonce)?,
            })
        })
    }

    /// O4.
    fn may_be_sealed(&self, id: EntryId, entry: &Entry) -> bool {
        if entry.state != State::Pending {
            return false;
        }
        let open = entry.terms().is_none_or(|terms| {
            self.time_ms >= terms.min_timestamp_ms && self.height.next() >= terms.min_height
        });
        open && entry.by_sender().all(|claims| {
            let queue = &self.accounts[claims[0].account].queue;
            if entry.is_bundle() {
                queue.is_clear_for(id, claims.len())
            } else {
                queue.is_next(claims[0].nonce)
            }
        })
    }

    fn entry_mut(&mut self, id: EntryId) -> &mut Entry {
        let entry = self.entries.get_mut(id);
        entry.expect("only entries here change")
    }

    fn advance(&mut self, id: EntryId, event: Event) {
        let entry = self.entry_mut(id);
        entry.state = entry
            .state
            .after(event)
            .expect("the pool follows the table of states");
    }

    /// When an entry expires: after which height and at which block time (B11).
    fn expiry(&self, entry: &Entry) -> (Height, u64) {
        match entry.terms() {
            Some(terms) => (terms.max_height, terms.max_timestamp_ms),
            None => {
                let end_ms = entry
                    .received_ms()
                    .saturating_add(self.limits.transaction_lifetime_ms);
                (Height(u64::MAX), end_ms)
            }
        }
    }
}

//! The pool: what rollups and users forwarded, until a block holds it.
//!
//! ```text
//!  raw ─ decode ─ recover ─► admit ─► queues per (rollup, sender) ─► ready lines per rollup ─ take ─► lane
//!                                          ▲                                                  │
//!                                          └───── stale, rollupFull ── on_decided ◄── block ◄──┘
//! ```
//! An entry is a transaction alone or a bundle. It takes its senders' nonces; while an earlier one is
//! missing it is parked (B9), whole. What may be sealed stands in its rollup's line; lines are served
//! by weight, each first in, first out. An entry may be sealed when
//! * alone: its nonce is its sender's lowest here, every sealed one is lower, and no bundle of the
//!   sender is undecided (O4);
//! * a bundle: its window is open at the head, and none of its senders has an earlier nonce pooled or
//!   anything undecided (O4).
//!
//! So nonces leave in order, also when a block drops some of them and they come back. A rollup that
//! was full for this lane waits until all that was sealed before is decided, then gets what was
//! placed for it (O3).
//!
//! [`lifecycle`] is the table of states. A pool is memory only: what is `available` lives in the lane
//! log and comes back with [`Pool::restore`].

mod admit;
mod control;
mod decide;
mod decode;
mod draft;
mod entry;
mod gas;
mod queue;
mod ready;
mod recent;
mod schedule;
mod take;
mod throttle;
mod transaction;

pub mod lifecycle;
pub mod limits;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use cloverleaf_types::{Address, B256, ChainId, Height, Slot, TransactionKey};

use entry::{Entry, EntryId, SenderKey};
use queue::Queue;
use ready::Ready;
use recent::Recent;
use schedule::Schedule;
use throttle::Throttle;

pub use admit::Admission;
pub use control::verified_control;
pub use decide::Decision;
pub use decode::Envelope;
pub use draft::{BundleDraft, UnrecoveredBundle, active, is_checked, submissions_of};
pub use lifecycle::{Event, Gap, Name, State};
pub use limits::Limits;
pub use transaction::{PooledBundle, PooledLeg, PooledTransaction, Submission};

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
    next_entry: u64,
    entries: BTreeMap<EntryId, Entry>,
    /// Which entry holds a transaction; a transaction is in the pool once.
    holders: HashMap<TransactionKey, EntryId>,
    bundles: HashMap<B256, EntryId>,
    queues: BTreeMap<SenderKey, Queue>,
    /// The next nonce of senders without a queue.
    idle: Recent<SenderKey, u64>,
    ready: Ready,
    /// When windows open, for bundles that wait for it.
    opening: Schedule,
    /// When entries expire, unless they are sealed then.
    closing: Schedule,
    /// The entries of each undecided own parcel, in the order of its items.
    sealed: BTreeMap<Slot, Vec<EntryId>>,
    throttle: Throttle,
    ended: Recent<Name, State>,
    bytes: usize,
}

impl Pool {
    /// An empty pool at a decided block: its height, and its time in milliseconds.
    #[must_use]
    pub fn new(limits: Limits, height: Height, time_ms: u64) -> Self {
        Self {
            height,
            time_ms,
            next_entry: 0,
            entries: BTreeMap::new(),
            holders: HashMap::new(),
            bundles: HashMap::new(),
            queues: BTreeMap::new(),
            idle: Recent::new(limits.senders_max),
            ready: Ready::default(),
            opening: Schedule::default(),
            closing: Schedule::default(),
            sealed: BTreeMap::new(),
            throttle: Throttle::default(),
            ended: Recent::new(limits.ended_max),
            bytes: 0,
            limits,
        }
    }

    /// The transactions in the pool, sealed ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.holders.len()
    }

    /// True when nothing is in the pool.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The raw bytes in the pool.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The weight (W4) of what may be sealed now. Of each sender only the next nonce counts, so more
    /// may come out of a [`Pool::take`].
    #[must_use]
    pub fn ready_weight(&self) -> u64 {
        self.ready.weight()
    }

    /// Where a transaction or bundle is in its life; a transaction in a bundle shares the bundle's
    /// state. Ended ones are known until [`Limits::ended_max`] others ended.
    #[must_use]
    pub fn state(&self, name: &Name) -> Option<State> {
        let entry = match name {
            Name::Transaction(key) => self.holders.get(key),
            Name::Bundle(hash) => self.bundles.get(hash),
        };
        let held = entry
            .and_then(|entry| self.entries.get(entry))
            .map(|entry| entry.state);
        held.or_else(|| self.ended.get(name))
    }

    /// True when the sender's next nonce is known, so that nobody needs to ask the rollup.
    #[must_use]
    pub fn knows_sender(&self, chain_id: ChainId, sender: Address) -> bool {
        let key = (chain_id, sender);
        self.queues
            .get(&key)
            .is_some_and(|queue| !queue.is_guessed())
            || self.idle.get(&key).is_some()
    }

    /// The first nonce of a sender that nothing here takes: `eth_getTransactionCount("pending")`.
    #[must_use]
    pub fn pending_nonce(&self, chain_id: ChainId, sender: Address) -> Option<u64> {
        let key = (chain_id, sender);
        self.queues
            .get(&key)
            .map(Queue::first_gap)
            .or_else(|| self.idle.get(&key))
    }

    /// The senders that wait behind a gap, at most `count_max` of them: the rollup's answer may help.
    #[must_use]
    pub fn gaps(&self, count_max: usize) -> Vec<Gap> {
        let gaps = self.queues.iter().filter(|(_, queue)| queue.has_gap());
        let gap = |((chain_id, sender), queue): (&SenderKey, &Queue)| Gap {
            chain_id: *chain_id,
            sender: *sender,
            expected: queue.first_gap(),
        };
        gaps.map(gap).take(count_max).collect()
    }

    fn next_id(&mut self) -> EntryId {
        self.next_entry += 1;
        EntryId(self.next_entry)
    }

    /// Looks again at the next pooled entry of a sender and at those from a nonce on: what was missing
    /// may be here, what was next may not be. Forgets queues that ended, but not their next nonce.
    fn review_sender(&mut self, sender: SenderKey, nonce: u64) {
        let Some(queue) = self.queues.get(&sender) else {
            return;
        };
        if queue.is_empty() {
            if !queue.is_guessed() {
                self.idle.insert(sender, queue.expected());
            }
            self.queues.remove(&sender);
            return;
        }
        for entry in queue.front_and_from(nonce) {
            self.review(entry);
        }
    }

    /// Parks, unparks, and puts in line or takes out of it what is not sealed.
    fn review(&mut self, id: EntryId) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let event = self.gap_of(entry).map_or(Event::Admit, Event::Park);
        self.advance(id, event);
        let entry = &self.entries[&id];
        let (line, weight) = (entry.line(), entry.weight);
        if self.may_be_sealed(id, entry) {
            self.ready.insert(line, id, weight);
        } else {
            self.ready.remove(line, id);
        }
    }

    fn gap_of(&self, entry: &Entry) -> Option<Gap> {
        entry.nonces.iter().find_map(|(sender, nonce)| {
            let expected = self.queues.get(sender)?.gap_before(*nonce)?;
            Some(Gap {
                chain_id: sender.0,
                sender: sender.1,
                expected,
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
        open && entry
            .nonces
            .chunk_by(|left, right| left.0 == right.0)
            .all(|nonces| {
                let queue = &self.queues[&nonces[0].0];
                if entry.is_bundle() {
                    queue.is_clear_for(id, nonces.len())
                } else {
                    queue.is_next(nonces[0].1)
                }
            })
    }

    fn advance(&mut self, id: EntryId, event: Event) {
        let entry = self
            .entries
            .get_mut(&id)
            .expect("only entries here come to another state");
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
                    .received_ms
                    .saturating_add(self.limits.transaction_lifetime_ms);
                (Height(u64::MAX), end_ms)
            }
        }
    }
}

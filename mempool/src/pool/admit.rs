//! Admission: idempotent, whole or not at all.

use cloverleaf_types::limits::BUNDLE_LIFETIME_MAX_MS;
use cloverleaf_types::{Address, ChainId, Height, Item, TransactionKey};

use super::entry::{Entry, EntryId, SenderKey};
use super::lifecycle::{Event, Name, State};
use super::limits::REPLACEMENT_PERCENT;
use super::queue::{NonceRefusal, Occupant, Queue};
use super::{Change, Pool, Submission};
use crate::error::Refusal;

/// What became of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is in the pool, pending or parked.
    New {
        /// Its state.
        state: State,
        /// The transaction that it replaced ended (B8).
        replaced: Option<Change>,
    },
    /// It was here before, or is in a block: the answer is the same as then.
    AlreadyKnown {
        /// Its state.
        state: State,
    },
}

impl Pool {
    /// Admits a submission, or answers where it already is. `placed` tells in which block a
    /// transaction is (W2): the node's transaction index.
    ///
    /// # Errors
    /// Why it is refused; the pool is unchanged.
    pub fn admit(
        &mut self,
        submission: &Submission,
        placed: impl Fn(&TransactionKey) -> Option<Height>,
    ) -> Result<Admission, Refusal> {
        if let Some(state) = self.known(submission, &placed) {
            return Ok(Admission::AlreadyKnown { state });
        }
        if let Submission::Bundle(_) = submission {
            self.check_bundle(submission, &placed)?;
        }
        let entry = Entry::new(submission);
        let replaced = self.check_nonces(&entry)?;
        self.check_room(&entry, replaced)?;
        let mut changes = Vec::new();
        if let Some(replaced) = replaced {
            let by = entry.keys.first().map(|(_, id)| *id);
            self.end(replaced, Event::Replace(by), &mut changes);
        }
        let id = self.insert(entry);
        let state = self.entries[&id].state;
        Ok(Admission::New {
            state,
            replaced: changes.pop(),
        })
    }

    /// The rollup's answer: the nonce that it expects next of a sender. What is pooled below it is
    /// replaced by what the rollup executed, and ends.
    pub fn expect(&mut self, chain_id: ChainId, sender: Address, nonce: u64) -> Vec<Change> {
        let key = (chain_id, sender);
        let mut changes = Vec::new();
        let Some(queue) = self.queues.get_mut(&key) else {
            let known = self.idle.get(&key).unwrap_or(0);
            self.idle.insert(key, known.max(nonce));
            return changes;
        };
        queue.tell(nonce);
        for outdated in queue.outdated() {
            self.end(outdated, Event::Replace(None), &mut changes);
        }
        self.review_sender(key, 0);
        changes
    }

    /// Takes in an entry that passed all checks.
    pub(super) fn insert(&mut self, entry: Entry) -> EntryId {
        let id = self.next_id();
        self.holders.extend(entry.keys.iter().map(|key| (*key, id)));
        self.bytes += entry.bytes;
        if let Name::Bundle(hash) = entry.name {
            self.bundles.insert(hash, id);
        }
        let (last_height, last_ms) = self.expiry(&entry);
        self.closing.insert(last_height, last_ms, id);
        if let Some(terms) = entry.terms() {
            // Sealed for the next height, once its window is open at the head.
            self.opening
                .insert(terms.min_height.back(1), terms.min_timestamp_ms, id);
        }
        let mut reviews = Vec::new();
        for (sender, nonce) in &entry.nonces {
            if !self.queues.contains_key(sender) {
                let queue = self.new_queue(*sender, *nonce);
                self.queues.insert(*sender, queue);
                self.idle.remove(sender);
            }
            let queue = self
                .queues
                .get_mut(sender)
                .expect("it was inserted just now");
            reviews.push((*sender, queue.first_gap().min(*nonce)));
            queue.insert(*nonce, id);
        }
        self.entries.insert(id, entry);
        for (sender, nonce) in reviews {
            self.review_sender(sender, nonce);
        }
        self.review(id);
        id
    }

    /// The state of what is here, or committed: then a submission changes nothing. What ended
    /// otherwise may come again.
    fn known(
        &self,
        submission: &Submission,
        placed: &impl Fn(&TransactionKey) -> Option<Height>,
    ) -> Option<State> {
        let alive = |state: &State| !state.is_ended() || matches!(state, State::Committed { .. });
        let here = self.state(&submission.name()).filter(alive);
        here.or_else(|| match submission {
            Submission::Transaction(transaction) => {
                placed(&transaction.key()).map(|height| State::Committed { height })
            }
            Submission::Bundle(_) => None,
        })
    }

    fn check_bundle(
        &self,
        submission: &Submission,
        placed: &impl Fn(&TransactionKey) -> Option<Height>,
    ) -> Result<(), Refusal> {
        if let Item::Bundle(bundle) = submission.to_item() {
            bundle.check()?; // B1
            let max_timestamp_ms = bundle.terms.max_timestamp_ms;
            if self.time_ms >= max_timestamp_ms || self.height >= bundle.terms.max_height {
                return Err(Refusal::Expired); // B11
            }
            let limit_ms = submission
                .received_ms()
                .saturating_add(BUNDLE_LIFETIME_MAX_MS);
            if max_timestamp_ms > limit_ms {
                return Err(Refusal::WindowTooFar {
                    max_timestamp_ms,
                    limit_ms,
                }); // W1
            }
        }
        for transaction in submission.transactions() {
            let key = transaction.key();
            if self.holders.contains_key(&key) || placed(&key).is_some() {
                return Err(Refusal::DuplicateTransaction { id: key.1 }); // B7, W2
            }
        }
        Ok(())
    }

    /// Checks every nonce; returns the entry that a transaction alone replaces (B8).
    fn check_nonces(&self, entry: &Entry) -> Result<Option<EntryId>, Refusal> {
        let mut replaced = None;
        for nonces in entry.nonces.chunk_by(|left, right| left.0 == right.0) {
            let (sender, lowest) = nonces[0];
            let fresh;
            let queue = match self.queues.get(&sender) {
                Some(queue) => queue,
                None => {
                    fresh = self.new_queue(sender, lowest);
                    &fresh
                }
            };
            for (position, (_, nonce)) in nonces.iter().enumerate() {
                if nonces[..position]
                    .iter()
                    .any(|(_, earlier)| earlier == nonce)
                {
                    // Two transactions of a bundle for one nonce: only one could ever be executed.
                    return Err(Refusal::NonceTooLow {
                        nonce: *nonce,
                        expected: nonce + 1,
                    });
                }
                self.check_nonce(queue, sender, *nonce)?;
                if let Some(occupant) = queue.occupant(*nonce) {
                    replaced = Some(self.check_replacement(entry, *nonce, occupant)?);
                }
            }
        }
        Ok(replaced)
    }

    fn check_nonce(&self, queue: &Queue, sender: SenderKey, nonce: u64) -> Result<(), Refusal> {
        let limit = self.limits.sender_transactions_max;
        queue.check(nonce, limit).map_err(|refusal| match refusal {
            NonceRefusal::TooLow { expected } => Refusal::NonceTooLow { nonce, expected },
            NonceRefusal::TooHigh { expected } => Refusal::SenderFull {
                sender: sender.1,
                expected,
                limit,
            },
        })
    }

    /// B8, for transactions alone: both fees at least 10 % higher.
    fn check_replacement(
        &self,
        entry: &Entry,
        nonce: u64,
        occupant: Occupant,
    ) -> Result<EntryId, Refusal> {
        let Occupant::Pooled(id) = occupant else {
            return Err(Refusal::NonceTooLow {
                nonce,
                expected: nonce.saturating_add(1),
            });
        };
        let old = &self.entries[&id];
        let enough = |new: u128, old: u128| {
            new >= old.saturating_add(old.saturating_mul(REPLACEMENT_PERCENT).div_ceil(100))
        };
        let pays = enough(entry.fees.0, old.fees.0) && enough(entry.fees.1, old.fees.1);
        if entry.is_bundle() || old.is_bundle() || !pays {
            return Err(Refusal::ReplacementUnderpriced {
                pooled: old.keys[0].1,
            });
        }
        Ok(id)
    }

    fn check_room(&self, entry: &Entry, replaced: Option<EntryId>) -> Result<(), Refusal> {
        let freed = replaced.and_then(|id| self.entries.get(&id));
        let (freed_count, freed_bytes) = freed.map_or((0, 0), |old| (old.keys.len(), old.bytes));
        let count = self.len() + entry.keys.len() - freed_count;
        let bytes = self.bytes + entry.bytes - freed_bytes;
        if count > self.limits.transactions_max || bytes > self.limits.bytes_max {
            return Err(Refusal::PoolFull);
        }
        Ok(())
    }

    fn new_queue(&self, sender: SenderKey, first_seen: u64) -> Queue {
        match self.idle.get(&sender) {
            Some(expected) => Queue::known(expected),
            None => Queue::guessed(first_seen),
        }
    }
}

//! Admission: idempotent, whole or not at all. What it displaces, by replacement or in a full pool,
//! ends only once everything was checked.

use cloverleaf_types::limits::BUNDLE_LIFETIME_MAX_MS;
use cloverleaf_types::{Address, ChainId, Height, Item, TransactionId, TransactionKey};
use smallvec::SmallVec;

use super::accounts::AccountId;
use super::drain::RETRY_MAX_MS;
use super::entries::EntryId;
use super::entry::{Claim, Entry, SenderKey};
use super::lifecycle::{Event, Name, State};
use super::limits::REPLACEMENT_PERCENT;
use super::queue::{NonceRefusal, Occupant, Queue};
use super::transaction::PooledTransaction;
use super::{Change, Pool, Submission};
use crate::error::Refusal;

/// What became of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is in the pool, pending or parked.
    New {
        /// Its state.
        state: State,
        /// What ended for it: transactions and bundles whose nonces it takes (B8), and what gave way
        /// to it in a full pool.
        displaced: Vec<Change>,
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
        self.take_in(submission, placed, false)
    }

    /// Takes in again what a block may have put off before a restart. It may have been available, so
    /// it never gives way, and neither the pool's size nor its sender's nonces keep it out: it was in
    /// the pool before. Tell what is committed first, with [`Pool::expect`], and nothing waits for that.
    ///
    /// # Errors
    /// As of [`Pool::admit`].
    pub fn put_back(
        &mut self,
        submission: &Submission,
        placed: impl Fn(&TransactionKey) -> Option<Height>,
    ) -> Result<Admission, Refusal> {
        self.take_in(submission, placed, true)
    }

    fn take_in(
        &mut self,
        submission: &Submission,
        placed: impl Fn(&TransactionKey) -> Option<Height>,
        promised: bool,
    ) -> Result<Admission, Refusal> {
        if let Some(state) = self.known(submission, &placed) {
            return Ok(Admission::AlreadyKnown { state });
        }
        if let Submission::Bundle(_) = submission {
            self.check_bundle(submission, &placed)?;
        }
        let mut entry = Entry::new(submission);
        entry.promised = promised;
        self.mark(&mut entry);
        let replaced = self.check_nonces(&entry)?;
        let old: Vec<EntryId> = replaced.iter().map(|(old, _)| *old).collect();
        let evicted = if promised {
            Vec::new()
        } else {
            self.check_weight(&entry)?;
            self.make_room(&entry, &old)?
        };
        let mut displaced = Vec::new();
        for (old, by) in replaced {
            self.end(old, Event::Replace(Some(by)), &mut displaced);
        }
        for old in evicted {
            self.end(old, Event::Evict, &mut displaced);
        }
        let id = self.insert(entry);
        let state = self.entries[id].state;
        Ok(Admission::New { state, displaced })
    }

    /// The nonce that is expected next of a sender: the rollup's answer, or after a restart one more
    /// than the highest that a block holds. What is pooled below it is replaced by what was executed,
    /// and ends. It never lowers what is known. A later nonce in a block replaces nothing: what the
    /// block put off before it is here, and is still to be sealed.
    pub fn expect(&mut self, chain_id: ChainId, sender: Address, nonce: u64) -> Vec<Change> {
        let key = (chain_id, sender);
        let mut changes = Vec::new();
        let Some(account) = self.accounts.find(&key) else {
            let known = self.idle.get(&key).unwrap_or(0);
            self.idle.insert(key, known.max(nonce));
            return changes;
        };
        let queue = &mut self.accounts[account].queue;
        let gap_before = queue.first_gap();
        queue.tell(nonce);
        for outdated in queue.below(nonce) {
            self.end(outdated, Event::Replace(None), &mut changes);
        }
        // The last of it may have ended.
        if let Some(account) = self.accounts.find(&key) {
            self.review_account(account, gap_before);
        }
        changes
    }

    /// Takes in an entry that passed all checks.
    pub(super) fn insert(&mut self, entry: Entry) -> EntryId {
        let id = self.entries.insert(entry);
        let accounts = self.take_nonces(id);
        let entry = &self.entries[id];
        self.room.add(entry.parts());
        if let Name::Bundle(hash) = entry.name() {
            self.bundles.insert(hash, id);
        }
        let (last_height, last_ms) = self.expiry(entry);
        self.closing.insert(last_height, last_ms, id);
        if let Some(terms) = entry.terms() {
            // Sealed for the next height, once its window is open at the head.
            self.opening
                .insert(terms.min_height.back(1), terms.min_timestamp_ms, id);
        }
        let mut is_reviewed = false;
        for (account, gap_before) in accounts {
            is_reviewed |= self.review_account(account, gap_before).contains(&id);
        }
        if !is_reviewed {
            self.review(id);
        }
        id
    }

    /// Takes the nonces of an entry at its senders' accounts; returns those, each with the first nonce
    /// that nobody took before.
    fn take_nonces(&mut self, id: EntryId) -> SmallVec<[(AccountId, u64); 1]> {
        let mut claims = core::mem::take(&mut self.entry_mut(id).claims);
        let mut accounts = SmallVec::new();
        for claims in claims.chunk_by_mut(|left, right| left.sender == right.sender) {
            let account = self.account_of(&claims[0]);
            let queue = &mut self.accounts[account].queue;
            accounts.push((account, queue.first_gap()));
            for claim in claims {
                claim.account = account;
                queue.insert(claim.nonce, id);
            }
        }
        self.entry_mut(id).claims = claims;
        accounts
    }

    fn account_of(&mut self, claim: &Claim) -> AccountId {
        let sender = claim.sender;
        if let Some(account) = self.accounts.find(&sender) {
            return account;
        }
        let queue = self.new_queue(sender, claim.nonce);
        self.idle.remove(&sender);
        self.accounts.open(sender, queue)
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
            if self.entries.holder_of(&key).is_some() || placed(&key).is_some() {
                return Err(Refusal::DuplicateTransaction { id: key.1 }); // B7, W2
            }
        }
        Ok(())
    }

    /// An item that no block could hold is not held here either.
    fn check_weight(&self, entry: &Entry) -> Result<(), Refusal> {
        for part in entry.parts() {
            let limit = self.rules_of(part.chain_id).weight_limit;
            if part.weight > limit {
                let (chain_id, weight) = (part.chain_id, part.weight);
                return Err(Refusal::TooHeavy {
                    chain_id,
                    weight,
                    limit,
                });
            }
        }
        Ok(())
    }

    /// Checks every nonce; returns the entries that it replaces, each with the transaction that takes
    /// its nonce (B8).
    fn check_nonces(&self, entry: &Entry) -> Result<Vec<(EntryId, TransactionId)>, Refusal> {
        let mut replaced: Vec<(EntryId, TransactionId)> = Vec::new();
        for claims in entry.by_sender() {
            let sender = claims[0].sender;
            let fresh;
            let queue = match self.accounts.queue_of(&sender) {
                Some(queue) => queue,
                None => {
                    fresh = self.new_queue(sender, claims[0].nonce);
                    &fresh
                }
            };
            for (position, claim) in claims.iter().enumerate() {
                if claims[..position].last().map(|earlier| earlier.nonce) == Some(claim.nonce) {
                    // Two transactions of a bundle for one nonce: only one could ever be executed.
                    return Err(Refusal::NonceTooLow {
                        nonce: claim.nonce,
                        expected: claim.nonce + 1,
                    });
                }
                self.check_nonce(queue, claim, entry)?;
                if let Some(occupant) = queue.occupant(claim.nonce) {
                    let new = entry.transaction_of(claim);
                    let old = self.check_replacement(claim, new, occupant)?;
                    if replaced.iter().all(|(known, _)| *known != old) {
                        replaced.push((old, new.id));
                    }
                }
            }
        }
        Ok(replaced)
    }

    fn check_nonce(&self, queue: &Queue, claim: &Claim, entry: &Entry) -> Result<(), Refusal> {
        let (nonce, limit) = (claim.nonce, self.limits.sender_transactions_max);
        // What was promised had its place; what another lane carried of the sender since then takes
        // nothing from it (B8).
        if entry.promised {
            return Ok(());
        }
        queue.check(nonce, limit).map_err(|refusal| match refusal {
            NonceRefusal::TooLow { expected } => Refusal::NonceTooLow { nonce, expected },
            NonceRefusal::TooHigh { expected } => Refusal::SenderFull {
                sender: claim.sender.1,
                expected,
                limit,
                retry_after_ms: if queue.first_gap() == expected {
                    RETRY_MAX_MS // nothing leaves before its sender sends it
                } else {
                    let drain = self.room.drain();
                    drain.wait_ms(self.len(), entry.received_ms())
                },
            },
        })
    }

    /// B8: both fees at least 10 % higher, whether the nonce is a bundle's or not. A bundle that loses
    /// one nonce ends whole.
    fn check_replacement(
        &self,
        claim: &Claim,
        new: &PooledTransaction,
        occupant: Occupant,
    ) -> Result<EntryId, Refusal> {
        let nonce = claim.nonce;
        let used = Refusal::NonceTooLow {
            nonce,
            expected: nonce.saturating_add(1),
        };
        let Occupant::Pooled(id) = occupant else {
            return Err(used);
        };
        let Some(old) = self.entries[id].taker(claim.sender, nonce) else {
            return Err(used);
        };
        // More in any case: what costs nothing is not replaced for nothing.
        let enough = |new: u128, old: u128| {
            let more = old.saturating_mul(REPLACEMENT_PERCENT).div_ceil(100).max(1);
            new >= old.saturating_add(more)
        };
        let cap = enough(new.max_fee_per_gas, old.max_fee_per_gas);
        let tip = enough(new.max_priority_fee_per_gas, old.max_priority_fee_per_gas);
        if cap && tip {
            Ok(id)
        } else {
            Err(Refusal::ReplacementUnderpriced { pooled: old.id })
        }
    }

    pub(super) fn new_queue(&self, sender: SenderKey, first_seen: u64) -> Queue {
        match self.idle.get(&sender) {
            Some(expected) => Queue::known(expected),
            None => Queue::guessed(first_seen),
        }
    }
}

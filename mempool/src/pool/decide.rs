//! What a decided block means for the pool.

use std::collections::{BTreeMap, HashSet};

use cloverleaf_bundle::{Dropped, LastCut};
use cloverleaf_types::{ChainId, DropReason, Height, Slot, TransactionKey};
use smallvec::SmallVec;

use super::accounts::AccountId;
use super::entries::EntryId;
use super::entry::Entry;
use super::lifecycle::{Event, Name, State};
use super::{Change, Pool};

/// A decided block, as far as a pool is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// The block's height.
    pub height: Height,
    /// The block's time in milliseconds.
    pub time_ms: u64,
    /// Every transaction that the block placed, of all lanes.
    pub placed: &'a [TransactionKey],
    /// How far this author's lane is cut after the block.
    pub own_cut: Option<&'a LastCut>,
    /// What the block left out; nothing when the block was synced and not computed here.
    pub drops: Option<&'a [Dropped]>,
    /// The rollups whose batches in this block name this author in `full` (O3).
    pub full: &'a [ChainId],
}

impl Pool {
    /// Follows a decided block: placed transactions end `committed`, whoever carried them; of the own
    /// parcels that it took, what was dropped as `stale` or `rollupFull` is pooled again, the rest ends;
    /// windows open and close. Returns everything that ended or came back.
    pub fn on_decided(&mut self, decision: &Decision<'_>) -> Vec<Change> {
        let mut changes = Vec::new();
        let placed = self.decide_own(decision, &mut changes);
        for key in decision.placed {
            self.end_placed(key, decision.height, &mut changes);
        }
        let last_sealed = self.sealed.last_key_value().map(|(slot, _)| *slot);
        for chain_id in decision.full {
            let placed = placed.get(chain_id).copied().unwrap_or(0);
            self.throttle.hold(*chain_id, placed, last_sealed);
        }
        self.resume();
        self.height = decision.height;
        self.time_ms = decision.time_ms;
        for expired in self.closing.take_due(self.height, self.time_ms) {
            let waits = self
                .entries
                .get(expired)
                .is_some_and(|entry| !entry.state.is_sealed());
            if waits {
                self.end(expired, Event::Expire, &mut changes); // B11
            }
        }
        for opened in self.opening.take_due(self.height, self.time_ms) {
            let waits = self
                .entries
                .get(opened)
                .is_some_and(|entry| !entry.state.is_sealed());
            if waits {
                self.review(opened);
            }
        }
        self.room.block(decision.time_ms);
        changes
    }

    /// W2: a placed transaction leaves the pool. A bundle that waits with it can only be dropped.
    fn end_placed(&mut self, key: &TransactionKey, height: Height, changes: &mut Vec<Change>) {
        let Some(id) = self.entries.holder_of(key) else {
            return self.correct_ended(key, height, changes);
        };
        let entry = self.entries.get_mut(id).expect("a holder is an entry");
        if !entry.is_bundle() {
            return self.end(id, Event::Commit(height), changes);
        }
        entry.carried_elsewhere(*key, height);
        if !entry.state.is_sealed() {
            let (leg, transaction) = entry.leg_of(key);
            let reason = DropReason::Duplicate; // B7
            self.end(
                id,
                Event::Drop {
                    reason,
                    leg,
                    transaction,
                },
                changes,
            );
        }
    }

    /// What ended here may have been carried by another lane.
    fn correct_ended(&mut self, key: &TransactionKey, height: Height, changes: &mut Vec<Change>) {
        let name = Name::Transaction(*key);
        let ended = self.ended.get(&name);
        if let Some(state) = ended.and_then(|state| state.after(Event::Commit(height))) {
            self.ended.insert(name, state);
            changes.push(Change { name, state });
        }
    }

    /// Decides the own parcels that the block took; returns what it placed of them per rollup.
    fn decide_own(
        &mut self,
        decision: &Decision<'_>,
        changes: &mut Vec<Change>,
    ) -> BTreeMap<ChainId, u64> {
        let mut weights = BTreeMap::new();
        let Some(cut) = decision.own_cut else {
            return weights;
        };
        let fates = Fates::new(decision);
        let is_decided = |slot: &Slot| (slot.epoch, slot.seq) <= (cut.epoch, cut.seq);
        while let Some((slot, ids)) = self.sealed.pop_first() {
            if !is_decided(&slot) {
                self.sealed.insert(slot, ids);
                break;
            }
            self.throttle.release(slot);
            for (index, id) in ids.into_iter().enumerate() {
                let Some(entry) = self.entries.get(id) else {
                    continue; // another lane carried it
                };
                // L2: a cut of a later epoch leaves out what is left of the one before.
                let left_out = slot.epoch < cut.epoch;
                let event = if left_out {
                    Event::Retry
                } else {
                    fates.of(entry, slot, index)
                };
                if let Event::Commit(_) = event {
                    count_placed(entry, &mut weights);
                }
                self.decide(id, event, changes);
            }
        }
        weights
    }

    pub(super) fn decide(&mut self, id: EntryId, event: Event, changes: &mut Vec<Change>) {
        if event != Event::Retry {
            return self.end(id, event, changes);
        }
        self.advance(id, event);
        let entry = &self.entries[id];
        let (last_height, last_ms) = self.expiry(entry);
        self.closing.insert(last_height, last_ms, id);
        let mut accounts: SmallVec<[(AccountId, u64); 1]> = SmallVec::new();
        for claims in entry.by_sender() {
            let queue = &mut self.accounts[claims[0].account].queue;
            accounts.push((claims[0].account, queue.first_gap()));
            claims.iter().for_each(|claim| queue.retry(claim.nonce));
        }
        self.mark_again(id);
        for (account, gap_before) in accounts {
            self.review_account(account, gap_before);
        }
        self.review(id);
        changes.extend(self.entries[id].changes());
    }

    /// Ends an entry: it leaves the pool, and its end is remembered.
    pub(super) fn end(&mut self, id: EntryId, event: Event, changes: &mut Vec<Change>) {
        let Some(mut entry) = self.entries.remove(id) else {
            return;
        };
        entry.state = entry
            .state
            .after(event)
            .expect("the pool follows the table of states");
        if entry.in_line {
            self.ready.remove(entry.ticket(id));
        }
        if entry.yields.is_some() {
            self.yielding.keep(entry.parts());
        }
        let (last_height, last_ms) = self.expiry(&entry);
        self.closing.remove(last_height, last_ms, id);
        if let Some(terms) = entry.terms() {
            self.opening
                .remove(terms.min_height.back(1), terms.min_timestamp_ms, id);
        }
        if let Name::Bundle(hash) = entry.name() {
            self.bundles.remove(&hash);
        }
        let made_room = matches!(event, Event::Replace(_) | Event::Cancel | Event::Evict);
        self.room.remove(entry.parts(), !made_room);
        let committed = matches!(entry.state, State::Committed { .. });
        let mut accounts: SmallVec<[(AccountId, u64); 1]> = SmallVec::new();
        for claims in entry.by_sender() {
            let queue = &mut self.accounts[claims[0].account].queue;
            accounts.push((claims[0].account, queue.first_gap()));
            claims
                .iter()
                .for_each(|claim| queue.end(claim.nonce, committed));
        }
        let mut ended = entry.changes();
        for (key, height) in entry.elsewhere() {
            let carried = ended
                .iter_mut()
                .find(|change| change.name == Name::Transaction(*key));
            if let Some(change) = carried {
                change.state = State::Committed { height: *height };
            }
        }
        for Change { name, state } in &ended {
            self.ended.insert(*name, *state);
        }
        changes.extend(ended);
        for (account, gap_before) in accounts {
            self.review_account(account, gap_before);
        }
    }
}

/// What a block did to the items of the own parcels.
struct Fates<'a> {
    height: Height,
    drops: Option<BTreeMap<(Slot, usize), &'a Dropped>>,
    placed: HashSet<TransactionKey>,
}

impl<'a> Fates<'a> {
    fn new(decision: &Decision<'a>) -> Self {
        let drops = decision.drops.map(|drops| {
            drops
                .iter()
                .map(|dropped| ((dropped.slot, dropped.item), dropped))
                .collect()
        });
        let placed = match decision.drops {
            Some(_) => HashSet::new(),
            None => decision.placed.iter().copied().collect(),
        };
        Self {
            height: decision.height,
            drops,
            placed,
        }
    }

    fn of(&self, entry: &Entry, slot: Slot, index: usize) -> Event {
        let Some(drops) = &self.drops else {
            // A synced block does not say why it left something out: seal it again, and see.
            let all = entry.keys().all(|key| self.placed.contains(&key));
            return if all {
                Event::Commit(self.height)
            } else {
                Event::Retry
            };
        };
        match drops.get(&(slot, index)) {
            None => Event::Commit(self.height),
            Some(dropped) if dropped.reason.is_retried() => Event::Retry,
            Some(dropped) => {
                let place = dropped.place;
                let transaction = place
                    .leg
                    .zip(place.transaction)
                    .and_then(|(leg, transaction)| entry.id_at(leg, transaction));
                Event::Drop {
                    reason: dropped.reason,
                    leg: place.leg,
                    transaction,
                }
            }
        }
    }
}

fn count_placed(entry: &Entry, weights: &mut BTreeMap<ChainId, u64>) {
    for part in entry.parts() {
        *weights.entry(part.chain_id).or_default() += part.weight;
    }
}

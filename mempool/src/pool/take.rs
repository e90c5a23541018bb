//! Handing entries to the sealer (A2): fair between rollups, a sender's nonces in order.

use cloverleaf_types::{ChainId, Item, Slot};

use super::entry::{Entry, EntryId};
use super::lifecycle::Event;
use super::{Change, Pool, Submission};

/// Whether an entry goes into the parcel in the making.
enum Fit {
    /// It does.
    Yes,
    /// It and what stands behind it in its line wait for another parcel.
    LineWaits,
    /// It waits alone, for another rollup than its line's.
    EntryWaits,
}

impl Pool {
    /// Takes items for the parcel of a slot, at most `weight_max` together. They are sealed from now
    /// on, so the parcel must be made; nothing is sealed when nothing is returned.
    #[must_use]
    pub fn take(&mut self, weight_max: u64, slot: Slot) -> Vec<Item> {
        let mut left = weight_max;
        let mut taken = Vec::new();
        let mut items = Vec::new();
        while let Some((line, id)) = self.ready.first() {
            let entry = &self.entries[&id];
            let weight = entry.weight;
            match self.fit(entry, line, left) {
                Fit::Yes => {
                    items.push(entry.item.clone());
                    left -= weight;
                    self.seal(id, slot);
                    taken.push(id);
                }
                Fit::LineWaits => self.ready.skip_line(line),
                Fit::EntryWaits => self.ready.skip_entry(line, id, weight),
            }
        }
        self.ready.end_parcel();
        if !taken.is_empty() {
            self.sealed.insert(slot, taken);
        }
        items
    }

    /// Power f + 1 holds the parcel of a slot durably: its entries are available.
    pub fn on_available(&mut self, slot: Slot) -> Vec<Change> {
        let mut changes = Vec::new();
        for id in self.sealed.get(&slot).cloned().unwrap_or_default() {
            let held = self
                .entries
                .get(&id)
                .and_then(|entry| entry.state.after(Event::Hold));
            if held.is_some() {
                self.advance(id, Event::Hold);
                changes.extend(self.entries[&id].changes());
            }
        }
        changes
    }

    /// Takes in an own undecided parcel after a restart: its items are sealed, and known if they come
    /// back. Call it for every parcel in the lane's order, before anything is admitted.
    pub fn restore(&mut self, slot: Slot, submissions: &[Submission]) {
        let mut restored = Vec::with_capacity(submissions.len());
        for submission in submissions {
            let entry = Entry::new(submission);
            let known = entry.keys.iter().any(|key| self.holders.contains_key(key));
            let id = if known {
                self.next_id()
            } else {
                self.insert(entry)
            };
            if !known {
                // Admitted at its time, whatever is missing before it now.
                self.advance(id, Event::Admit);
                self.seal(id, slot);
            }
            restored.push(id);
        }
        self.sealed.insert(slot, restored);
    }

    fn fit(&self, entry: &Entry, line: ChainId, left: u64) -> Fit {
        if entry.weight > left {
            return Fit::LineWaits;
        }
        let undecided = self.sealed.first_key_value().map(|(slot, _)| *slot);
        let weights = entry.weights();
        let refused = |(chain_id, weight): &&(ChainId, u64)| {
            self.throttle.refuses(*chain_id, *weight, undecided)
        };
        match weights.iter().find(refused) {
            None => Fit::Yes,
            Some((chain_id, _)) if *chain_id == line => Fit::LineWaits,
            Some(_) => Fit::EntryWaits,
        }
    }

    fn seal(&mut self, id: EntryId, slot: Slot) {
        self.advance(id, Event::Seal(slot));
        let entry = &self.entries[&id];
        let (leg, line) = (entry.is_bundle(), entry.line());
        self.ready.serve(line, id);
        for (chain_id, weight) in entry.weights() {
            self.ready.charge(chain_id, weight);
            self.throttle.charge(chain_id, weight);
        }
        let nonces = entry.nonces.clone();
        for (sender, nonce) in &nonces {
            if let Some(queue) = self.queues.get_mut(sender) {
                queue.seal(*nonce, leg);
            }
        }
        for (sender, _) in nonces {
            if let Some(front) = self.queues.get(&sender).and_then(|queue| queue.front()) {
                self.review(front);
            }
        }
    }
}

impl Entry {
    /// What its present state means for its name and, in a bundle, for its transactions.
    pub(super) fn changes(&self) -> Vec<Change> {
        let state = self.state;
        let own = Change {
            name: self.name,
            state,
        };
        let legs = self.is_bundle().then_some(&self.keys).into_iter().flatten();
        let in_legs = legs.map(|key| Change {
            name: super::Name::Transaction(*key),
            state,
        });
        core::iter::once(own).chain(in_legs).collect()
    }
}

//! Handing entries to the sealer (A2): rollups by their shares, each in the order of its policy, a
//! sender's nonces in order.

use cloverleaf_types::{ChainId, Item, Slot};

use super::entries::EntryId;
use super::entry::{Entry, Part};
use super::lifecycle::Event;
use super::{Change, Pool, Submission};

/// Whether an entry goes into the parcel in the making.
enum Fit {
    /// It does.
    Yes,
    /// The parcel has no room for it. It ends there: whose turn it is opens the next one, or a line of
    /// small items would be given what is another's.
    Full,
    /// It and what stands behind it in its line wait until their rollup may have room.
    LineWaits,
    /// It waits alone, for another rollup than its line's.
    EntryWaits(ChainId),
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
            let entry = &self.entries[id];
            let weight = entry.weight;
            match self.fit(entry, line, left) {
                Fit::Yes => {
                    items.push(entry.to_item());
                    left -= weight;
                    self.seal(id, slot);
                    taken.push(id);
                }
                Fit::Full => break,
                Fit::LineWaits => self.ready.pause_line(line),
                Fit::EntryWaits(full) => self.ready.pause_entry(entry.ticket(id), full),
            }
        }
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
                .get(id)
                .and_then(|entry| entry.state.after(Event::Hold));
            if held.is_some() {
                self.advance(id, Event::Hold);
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.promised = true;
                }
                changes.extend(self.entries[id].changes());
            }
        }
        changes
    }

    /// Takes in an own undecided parcel after a restart: its items are sealed, and known if they come
    /// back. Call it for every parcel in the lane's order, before anything is admitted.
    pub fn restore(&mut self, slot: Slot, submissions: &[Submission]) {
        let mut restored = Vec::with_capacity(submissions.len());
        for submission in submissions {
            let mut entry = Entry::new(submission);
            // It may have been available before the restart.
            entry.promised = true;
            self.leave_taken(&mut entry);
            let holder = |key| self.entries.holder_of(&key);
            let known = entry.keys().any(|key| holder(key).is_some());
            let id = if known {
                self.entries.nothing()
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

    /// What an earlier parcel holds has a nonce; of two for one, which the sender of what another lane had
    /// carried may have sent, the second waits for its fate without it.
    fn leave_taken(&self, entry: &mut Entry) {
        entry.claims.retain(|claim| {
            let queue = self.accounts.queue_of(&claim.sender);
            queue.is_none_or(|queue| queue.occupant(claim.nonce).is_none())
        });
    }

    /// O3, after a restart: a block found the rollup full for this lane, and the parcels up to `drain`
    /// were sealed without knowing. What they carry for it comes back, so nothing may overtake it.
    pub fn hold(&mut self, chain_id: ChainId, drain: Slot) {
        self.throttle.hold(chain_id, 0, Some(drain));
    }

    /// O3: puts in line again what waits for rollups that may have room, after a block.
    pub(super) fn resume(&mut self) {
        let undecided = self.undecided();
        let throttle = &self.throttle;
        self.ready
            .resume(|chain_id| throttle.is_shut(chain_id, undecided));
    }

    /// The first own parcel that no block has decided.
    pub(super) fn undecided(&self) -> Option<Slot> {
        self.sealed.first_key_value().map(|(slot, _)| *slot)
    }

    fn fit(&self, entry: &Entry, line: ChainId, left: u64) -> Fit {
        let undecided = self.undecided();
        let refused = |part: &Part| self.throttle.refuses(part.chain_id, part.weight, undecided);
        match entry.parts().find(refused) {
            None if entry.weight > left => Fit::Full,
            None => Fit::Yes,
            Some(part) if part.chain_id == line => Fit::LineWaits,
            Some(part) => Fit::EntryWaits(part.chain_id),
        }
    }

    fn seal(&mut self, id: EntryId, slot: Slot) {
        self.advance(id, Event::Seal(slot));
        self.entry_mut(id).in_line = false;
        let entry = &self.entries[id];
        let weight = entry.parts().map(|part| part.weight).sum();
        self.ready.serve(entry.ticket(id), weight);
        for part in entry.parts() {
            self.throttle.charge(part.chain_id, part.weight);
        }
        for claim in &entry.claims {
            let queue = &mut self.accounts[claim.account].queue;
            queue.seal(claim.nonce, entry.is_bundle());
        }
        let accounts = entry.accounts();
        self.review_room(id);
        for account in accounts {
            if let Some(front) = self.accounts[account].queue.front() {
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
            name: self.name(),
            state,
        };
        let legs = self.is_bundle().then(|| self.keys()).into_iter().flatten();
        let in_legs = legs.map(|key| Change {
            name: super::Name::Transaction(key),
            state,
        });
        core::iter::once(own).chain(in_legs).collect()
    }
}

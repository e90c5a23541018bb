//! Whose turn it is: one line per rollup, first in first out, lines served by weight.
//!
//! Every line has a turn, the weight it was given so far; the line with the lowest turn is served
//! next. A line that was empty starts where the others are, so it cannot save up turns.

use std::collections::{BTreeMap, BTreeSet};

use cloverleaf_types::ChainId;

use super::entry::EntryId;

/// The entries that may be sealed now.
#[derive(Debug, Default)]
pub(super) struct Ready {
    lines: BTreeMap<ChainId, Line>,
    /// The lines that have something to give, by turn.
    turns: BTreeSet<(u64, ChainId)>,
    /// The turn of the line that was served last.
    clock: u64,
    weight: u64,
    /// What does not fit the parcel in the making.
    lines_aside: Vec<ChainId>,
    entries_aside: Vec<(ChainId, EntryId, u64)>,
}

/// One rollup's entries; lines are as many as registered rollups, and stay.
#[derive(Debug, Default)]
struct Line {
    turn: u64,
    entries: BTreeMap<EntryId, u64>,
    aside: bool,
}

impl Ready {
    /// The weight of all entries.
    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    pub(super) fn insert(&mut self, chain_id: ChainId, entry: EntryId, weight: u64) {
        let line = self.lines.entry(chain_id).or_default();
        if line.entries.insert(entry, weight).is_some() {
            return;
        }
        self.weight += weight;
        if line.entries.len() == 1 && !line.aside {
            line.turn = line.turn.max(self.clock);
            self.turns.insert((line.turn, chain_id));
        }
    }

    pub(super) fn remove(&mut self, chain_id: ChainId, entry: EntryId) {
        let Some(line) = self.lines.get_mut(&chain_id) else {
            return;
        };
        let Some(weight) = line.entries.remove(&entry) else {
            return;
        };
        self.weight -= weight;
        if line.entries.is_empty() {
            self.turns.remove(&(line.turn, chain_id));
        }
    }

    /// The next entry, and the line that it waits in.
    pub(super) fn first(&self) -> Option<(ChainId, EntryId)> {
        let (_, chain_id) = self.turns.first()?;
        let line = self.lines.get(chain_id)?;
        line.entries
            .first_key_value()
            .map(|(entry, _)| (*chain_id, *entry))
    }

    /// Counts weight that a rollup is given; called once for every leg of what is taken.
    pub(super) fn charge(&mut self, chain_id: ChainId, weight: u64) {
        let line = self.lines.entry(chain_id).or_default();
        let waiting = self.turns.remove(&(line.turn, chain_id));
        line.turn = line.turn.max(self.clock) + weight;
        if waiting {
            self.turns.insert((line.turn, chain_id));
        }
    }

    /// Takes an entry out of its line: it is sealed.
    pub(super) fn serve(&mut self, chain_id: ChainId, entry: EntryId) {
        if let Some(line) = self.lines.get(&chain_id) {
            self.clock = self.clock.max(line.turn);
        }
        self.remove(chain_id, entry);
    }

    /// Skips a line until [`Self::end_parcel`].
    pub(super) fn skip_line(&mut self, chain_id: ChainId) {
        if let Some(line) = self.lines.get_mut(&chain_id) {
            self.turns.remove(&(line.turn, chain_id));
            line.aside = true;
            self.lines_aside.push(chain_id);
        }
    }

    /// Skips an entry until [`Self::end_parcel`].
    pub(super) fn skip_entry(&mut self, chain_id: ChainId, entry: EntryId, weight: u64) {
        self.remove(chain_id, entry);
        self.entries_aside.push((chain_id, entry, weight));
    }

    /// Puts back what was skipped.
    pub(super) fn end_parcel(&mut self) {
        for chain_id in core::mem::take(&mut self.lines_aside) {
            if let Some(line) = self.lines.get_mut(&chain_id) {
                line.aside = false;
                if !line.entries.is_empty() {
                    self.turns.insert((line.turn, chain_id));
                }
            }
        }
        for (chain_id, entry, weight) in core::mem::take(&mut self.entries_aside) {
            self.insert(chain_id, entry, weight);
        }
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> Vec<EntryId> {
        self.lines
            .values()
            .flat_map(|line| line.entries.keys().copied())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_served_by_weight_and_each_in_order_of_arrival() {
        let (big, small) = (ChainId(1), ChainId(2));
        let mut ready = Ready::default();
        for entry in 0..3 {
            ready.insert(big, EntryId(entry), 300);
        }
        for entry in 10..20 {
            ready.insert(small, EntryId(entry), 100);
        }
        let mut served = Vec::new();
        while let Some((chain_id, entry)) = ready.first() {
            let weight = if chain_id == big { 300 } else { 100 };
            ready.serve(chain_id, entry);
            ready.charge(chain_id, weight);
            served.push(entry.0);
        }
        assert_eq!(served, [0, 10, 11, 12, 1, 13, 14, 15, 2, 16, 17, 18, 19]);
        assert_eq!(ready.weight(), 0);
    }

    #[test]
    fn line_of_one_sender_after_the_other_does_not_jump_the_queue() {
        let (chained, other) = (ChainId(1), ChainId(2));
        let mut ready = Ready::default();
        ready.insert(other, EntryId(100), 10);
        ready.insert(other, EntryId(101), 10);
        ready.insert(chained, EntryId(0), 10);
        let mut served = Vec::new();
        while let Some((chain_id, entry)) = ready.first() {
            ready.serve(chain_id, entry);
            ready.charge(chain_id, 10);
            if chain_id == chained && entry.0 < 5 {
                ready.insert(chained, EntryId(entry.0 + 1), 10);
            }
            served.push(entry.0);
        }
        assert_eq!(served, [0, 100, 1, 101, 2, 3, 4, 5]);
    }
}

//! Whose turn it is: one line per rollup in the order of its policy, lines served by their shares.
//!
//! Every line has a turn, the weight it was given so far for each unit of its share; the line with the
//! lowest turn is served next. So of two lines that always have something to give, neither is ever
//! ahead of its share by more than the last thing it gave. A line that was empty starts where the
//! others are, so it cannot save up turns, and what it leaves unused the others have.

use std::collections::{BTreeMap, BTreeSet};

use cloverleaf_types::ChainId;
use cloverleaf_types::rollup::Policy;

use super::entry::EntryId;

/// The turn that one unit of weight costs a line of share 1. Larger shares pay a part of it, so this
/// is far above any share that means something.
const TURN_OF_WEIGHT: u128 = 1 << 64;

/// An entry that may be sealed, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) line: ChainId,
    pub(super) entry: EntryId,
    /// What it pays per gas, in wei.
    pub(super) price: u128,
    /// Its weight (W4) in a parcel.
    pub(super) weight: u64,
}

/// The entries that may be sealed now.
#[derive(Debug, Default)]
pub(super) struct Ready {
    lines: BTreeMap<ChainId, Line>,
    /// The lines that have something to give, by turn.
    turns: BTreeSet<(u128, ChainId)>,
    /// The turn of the line that was served last.
    clock: u128,
    weight: u64,
    /// What waits for another parcel than the one in the making.
    lines_aside: Vec<ChainId>,
    entries_aside: Vec<Ticket>,
}

/// One rollup's entries; lines are as many as registered rollups, and stay.
#[derive(Debug)]
struct Line {
    turn: u128,
    policy: Policy,
    share: u64,
    /// By rank, which the policy gives, then by arrival.
    tickets: BTreeMap<(u128, EntryId), Ticket>,
    aside: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            turn: 0,
            policy: Policy::Fifo,
            share: 1,
            tickets: BTreeMap::new(),
            aside: false,
        }
    }
}

impl Line {
    /// A2: among equal ranks, and everywhere under `fifo`, the first to come is the first to go.
    fn place_of(&self, ticket: &Ticket) -> (u128, EntryId) {
        let rank = match self.policy {
            Policy::Fifo => 0,
            Policy::Priority => u128::MAX - ticket.price,
        };
        (rank, ticket.entry)
    }
}

impl Ready {
    /// The weight of all entries.
    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    /// How many entries stand in each line.
    pub(super) fn lengths(&self) -> impl Iterator<Item = (ChainId, usize)> {
        let lines = self.lines.iter();
        lines.map(|(chain_id, line)| (*chain_id, line.tickets.len()))
    }

    /// Serves a rollup by another policy or share from now on; what stands in its line stays in it.
    pub(super) fn set_rules(&mut self, chain_id: ChainId, policy: Policy, share: u64) {
        let line = self.lines.entry(chain_id).or_default();
        line.share = share.max(1);
        if line.policy == policy {
            return;
        }
        line.policy = policy;
        for ticket in core::mem::take(&mut line.tickets).into_values() {
            line.tickets.insert(line.place_of(&ticket), ticket);
        }
    }

    pub(super) fn insert(&mut self, ticket: Ticket) {
        let line = self.lines.entry(ticket.line).or_default();
        if line
            .tickets
            .insert(line.place_of(&ticket), ticket)
            .is_some()
        {
            return;
        }
        self.weight += ticket.weight;
        if line.tickets.len() == 1 && !line.aside {
            line.turn = line.turn.max(self.clock);
            self.turns.insert((line.turn, ticket.line));
        }
    }

    pub(super) fn remove(&mut self, ticket: Ticket) {
        let Some(line) = self.lines.get_mut(&ticket.line) else {
            return;
        };
        let Some(removed) = line.tickets.remove(&line.place_of(&ticket)) else {
            return;
        };
        self.weight -= removed.weight;
        if line.tickets.is_empty() {
            self.turns.remove(&(line.turn, ticket.line));
        }
    }

    /// The next entry, and the line that it waits in.
    pub(super) fn first(&self) -> Option<(ChainId, EntryId)> {
        let (_, chain_id) = self.turns.first()?;
        let line = self.lines.get(chain_id)?;
        line.tickets
            .first_key_value()
            .map(|((_, entry), _)| (*chain_id, *entry))
    }

    /// Counts weight that a rollup is given; called once for every leg of what is taken.
    pub(super) fn charge(&mut self, chain_id: ChainId, weight: u64) {
        let line = self.lines.entry(chain_id).or_default();
        let waiting = self.turns.remove(&(line.turn, chain_id));
        let turn = (u128::from(weight) * TURN_OF_WEIGHT).div_ceil(u128::from(line.share));
        line.turn = line.turn.max(self.clock) + turn;
        if waiting {
            self.turns.insert((line.turn, chain_id));
        }
    }

    /// Takes an entry out of its line: it is sealed.
    pub(super) fn serve(&mut self, ticket: Ticket) {
        if let Some(line) = self.lines.get(&ticket.line) {
            self.clock = self.clock.max(line.turn);
        }
        self.remove(ticket);
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
    pub(super) fn skip_entry(&mut self, ticket: Ticket) {
        self.remove(ticket);
        self.entries_aside.push(ticket);
    }

    /// Puts back what was skipped.
    pub(super) fn end_parcel(&mut self) {
        for chain_id in core::mem::take(&mut self.lines_aside) {
            if let Some(line) = self.lines.get_mut(&chain_id) {
                line.aside = false;
                if !line.tickets.is_empty() {
                    self.turns.insert((line.turn, chain_id));
                }
            }
        }
        for ticket in core::mem::take(&mut self.entries_aside) {
            self.insert(ticket);
        }
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> Vec<EntryId> {
        self.lines
            .values()
            .flat_map(|line| line.tickets.keys().map(|(_, entry)| *entry))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(line: ChainId, entry: u64, price: u128, weight: u64) -> Ticket {
        Ticket {
            line,
            entry: EntryId(entry),
            price,
            weight,
        }
    }

    /// Serves everything in its turn.
    fn serve_all(ready: &mut Ready, tickets: &[Ticket]) -> Vec<u64> {
        for ticket in tickets.iter() {
            ready.insert(*ticket);
        }
        let mut served = Vec::new();
        while let Some((_, entry)) = ready.first() {
            let found = tickets.iter().find(|it| it.entry == entry).copied();
            let ticket = found.expect("it was given");
            ready.serve(ticket);
            ready.charge(ticket.line, ticket.weight);
            served.push(entry.0);
        }
        served
    }

    #[test]
    fn lines_are_served_by_weight_and_each_in_order_of_arrival() {
        let (big, small) = (ChainId(1), ChainId(2));
        let mut ready = Ready::default();
        let big = (0..3).map(|entry| ticket(big, entry, 0, 300));
        let small = (10..20).map(|entry| ticket(small, entry, 0, 100));
        let served = serve_all(&mut ready, &big.chain(small).collect::<Vec<_>>());
        assert_eq!(served, [0, 10, 11, 12, 1, 13, 14, 15, 2, 16, 17, 18, 19]);
        assert_eq!(ready.weight(), 0);
    }

    #[test]
    fn line_of_three_shares_gives_three_for_one() {
        let (one, three) = (ChainId(1), ChainId(2));
        let mut ready = Ready::default();
        ready.set_rules(three, Policy::Fifo, 3);
        let tickets = (0..2).map(|entry| ticket(one, entry, 0, 100));
        let others = (10..16).map(|entry| ticket(three, entry, 0, 100));
        let served = serve_all(&mut ready, &tickets.chain(others).collect::<Vec<_>>());
        assert_eq!(served, [0, 10, 11, 12, 1, 13, 14, 15]);
    }

    #[test]
    fn line_by_priority_gives_the_dearest_first_and_equals_as_they_came() {
        let line = ChainId(1);
        let mut ready = Ready::default();
        ready.set_rules(line, Policy::Priority, 1);
        let prices = [5, 9, u128::MAX, 9, 0];
        let tickets = (0..)
            .zip(prices)
            .map(|(entry, price)| ticket(line, entry, price, 100));
        let served = serve_all(&mut ready, &tickets.collect::<Vec<_>>());
        assert_eq!(served, [2, 1, 3, 0, 4]);
    }

    #[test]
    fn another_policy_reorders_what_stands_in_line_already() {
        let line = ChainId(1);
        let mut ready = Ready::default();
        for (entry, price) in [(0, 1), (1, 2)] {
            ready.insert(ticket(line, entry, price, 100));
        }
        assert_eq!(ready.first(), Some((line, EntryId(0))));
        ready.set_rules(line, Policy::Priority, 1);
        assert_eq!(ready.first(), Some((line, EntryId(1))));
        ready.remove(ticket(line, 1, 2, 100));
        ready.set_rules(line, Policy::Fifo, 1);
        assert_eq!(ready.first(), Some((line, EntryId(0))));
        assert_eq!(ready.weight(), 100);
    }

    #[test]
    fn line_of_one_sender_after_the_other_does_not_jump_the_queue() {
        let (chained, other) = (ChainId(1), ChainId(2));
        let mut ready = Ready::default();
        ready.insert(ticket(other, 100, 0, 10));
        ready.insert(ticket(other, 101, 0, 10));
        ready.insert(ticket(chained, 0, 0, 10));
        let mut served = Vec::new();
        while let Some((line, entry)) = ready.first() {
            ready.serve(ticket(line, entry.0, 0, 10));
            ready.charge(line, 10);
            if line == chained && entry.0 < 5 {
                ready.insert(ticket(chained, entry.0 + 1, 0, 10));
            }
            served.push(entry.0);
        }
        assert_eq!(served, [0, 100, 1, 101, 2, 3, 4, 5]);
    }
}

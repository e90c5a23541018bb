//! Whose turn it is: one line per rollup in the order of its policy, lines served by their shares.
//!
//! Every line has a turn, the weight it was given so far for each unit of its share; the line with the
//! lowest turn is served next. So of two lines that always have something to give, neither is ever
//! ahead of its share by more than the last thing it gave. A bundle counts whole for the line that it
//! stands in, so what it brings to other rollups takes nothing of theirs. A line that was empty starts
//! where the others are, so it cannot save up turns, and what it leaves unused the others have.
//!
//! What a full rollup refuses waits aside until a block may have changed that: it has no weight, and
//! nobody looks at it.

use std::collections::{BTreeMap, BTreeSet};

use cloverleaf_types::ChainId;
use cloverleaf_types::rollup::Policy;

use super::entries::EntryId;
use super::rising::Rising;

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
    /// The weight of what stands in lines that do not wait.
    weight: u64,
}

/// One rollup's entries; lines are as many as registered rollups, and stay.
#[derive(Debug)]
struct Line {
    turn: u128,
    policy: Policy,
    share: u64,
    /// By rank, which the policy gives, then by arrival.
    standing: Rising<(u128, EntryId)>,
    /// Their weight.
    weight: u64,
    /// Its rollup is full, so the whole line waits.
    waits: bool,
    /// What waits alone for another rollup that is full, and for which.
    aside: BTreeMap<EntryId, (ChainId, Ticket)>,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            turn: 0,
            policy: Policy::Fifo,
            share: 1,
            standing: Rising::default(),
            weight: 0,
            waits: false,
            aside: BTreeMap::new(),
        }
    }
}

impl Line {
    /// A2: among equal ranks, and everywhere under `fifo`, the first to come is the first to go.
    fn place_of(&self, entry: EntryId, price: u128) -> (u128, EntryId) {
        let rank = match self.policy {
            Policy::Fifo => 0,
            Policy::Priority => u128::MAX - price,
        };
        (rank, entry)
    }
}

impl Ready {
    /// The weight of all entries that do not wait for a full rollup.
    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    /// How many entries stand in each line, those included that wait for a full rollup.
    pub(super) fn lengths(&self) -> impl Iterator<Item = (ChainId, usize)> {
        let lines = self.lines.iter();
        lines.map(|(chain_id, line)| (*chain_id, line.standing.len() + line.aside.len()))
    }

    /// Serves a rollup by another policy or share from now on; what stands in its line stays in it, at
    /// its price.
    pub(super) fn set_rules(
        &mut self,
        chain_id: ChainId,
        policy: Policy,
        share: u64,
        price_of: impl Fn(EntryId) -> u128,
    ) {
        let line = self.lines.entry(chain_id).or_default();
        line.share = share.max(1);
        if line.policy == policy {
            return;
        }
        line.policy = policy;
        let mut entries: Vec<EntryId> = line.standing.iter().map(|(_, entry)| entry).collect();
        entries.sort_unstable();
        line.standing = Rising::default();
        for entry in entries {
            line.standing.insert(line.place_of(entry, price_of(entry)));
        }
    }

    /// Puts an entry in line, unless it stands there.
    pub(super) fn insert(&mut self, ticket: Ticket) {
        let line = self.lines.entry(ticket.line).or_default();
        let place = line.place_of(ticket.entry, ticket.price);
        if line.aside.contains_key(&ticket.entry) || !line.standing.insert(place) {
            return;
        }
        line.weight += ticket.weight;
        if line.waits {
            return;
        }
        self.weight += ticket.weight;
        if line.standing.len() == 1 {
            line.turn = line.turn.max(self.clock);
            self.turns.insert((line.turn, ticket.line));
        }
    }

    /// Takes an entry out of its line, by the ticket with which it came.
    pub(super) fn remove(&mut self, ticket: Ticket) {
        let Some(line) = self.lines.get_mut(&ticket.line) else {
            return;
        };
        line.aside.remove(&ticket.entry);
        let place = line.place_of(ticket.entry, ticket.price);
        if !line.standing.remove(&place) {
            return;
        }
        line.weight -= ticket.weight;
        if line.waits {
            return;
        }
        self.weight -= ticket.weight;
        if line.standing.is_empty() {
            self.turns.remove(&(line.turn, ticket.line));
        }
    }

    /// The next entry, and the line that it waits in.
    pub(super) fn first(&self) -> Option<(ChainId, EntryId)> {
        let (_, chain_id) = self.turns.first()?;
        let line = self.lines.get(chain_id)?;
        line.standing.first().map(|(_, entry)| (*chain_id, entry))
    }

    /// Takes an entry out of its line: it is sealed. Its line pays for `weight`, that of all its legs.
    pub(super) fn serve(&mut self, ticket: Ticket, weight: u64) {
        let line = self.lines.entry(ticket.line).or_default();
        self.clock = self.clock.max(line.turn);
        let waiting = self.turns.remove(&(line.turn, ticket.line));
        let turn = (u128::from(weight) * TURN_OF_WEIGHT).div_ceil(u128::from(line.share));
        line.turn = line.turn.max(self.clock) + turn;
        if waiting {
            self.turns.insert((line.turn, ticket.line));
        }
        self.remove(ticket);
    }

    /// The rollup of a line is full: the line waits for [`Self::resume`].
    pub(super) fn pause_line(&mut self, chain_id: ChainId) {
        if let Some(line) = self.lines.get_mut(&chain_id)
            && !line.waits
        {
            line.waits = true;
            self.weight -= line.weight;
            self.turns.remove(&(line.turn, chain_id));
        }
    }

    /// Another rollup that an entry is for is full: it waits alone for [`Self::resume`].
    pub(super) fn pause_entry(&mut self, ticket: Ticket, full: ChainId) {
        self.remove(ticket);
        let line = self.lines.entry(ticket.line).or_default();
        line.aside.insert(ticket.entry, (full, ticket));
    }

    /// Puts back what waits for rollups that may have room again.
    pub(super) fn resume(&mut self, is_full: impl Fn(ChainId) -> bool) {
        let mut resumed = Vec::new();
        for (chain_id, line) in &mut self.lines {
            if line.waits && !is_full(*chain_id) {
                line.waits = false;
                self.weight += line.weight;
                if !line.standing.is_empty() {
                    line.turn = line.turn.max(self.clock);
                    self.turns.insert((line.turn, *chain_id));
                }
            }
            line.aside.retain(|_, (full, ticket)| {
                let waits = is_full(*full);
                if !waits {
                    resumed.push(*ticket);
                }
                waits
            });
        }
        for ticket in resumed {
            self.insert(ticket);
        }
    }

    /// The rollups that something waits for.
    #[cfg(test)]
    pub(super) fn waited_for(&self) -> BTreeSet<ChainId> {
        let lines = self.lines.iter();
        let paused = lines.filter(|(_, line)| line.waits).map(|(id, _)| *id);
        let aside = self.lines.values().flat_map(|line| line.aside.values());
        paused.chain(aside.map(|(full, _)| *full)).collect()
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> Vec<EntryId> {
        self.lines
            .values()
            .flat_map(|line| {
                let standing = line.standing.iter().map(|(_, entry)| entry);
                standing.chain(line.aside.keys().copied())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(line: ChainId, entry: u64, price: u128, weight: u64) -> Ticket {
        Ticket {
            line,
            entry: EntryId::of(entry),
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
            ready.serve(ticket, ticket.weight);
            served.push(entry.arrival);
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
        ready.set_rules(three, Policy::Fifo, 3, |_| 0);
        let tickets = (0..2).map(|entry| ticket(one, entry, 0, 100));
        let others = (10..16).map(|entry| ticket(three, entry, 0, 100));
        let served = serve_all(&mut ready, &tickets.chain(others).collect::<Vec<_>>());
        assert_eq!(served, [0, 10, 11, 12, 1, 13, 14, 15]);
    }

    #[test]
    fn line_by_priority_gives_the_dearest_first_and_equals_as_they_came() {
        let line = ChainId(1);
        let mut ready = Ready::default();
        ready.set_rules(line, Policy::Priority, 1, |_| 0);
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
        assert_eq!(ready.first(), Some((line, EntryId::of(0))));
        let price_of = |entry: EntryId| u128::from(entry.arrival + 1);
        ready.set_rules(line, Policy::Priority, 1, price_of);
        assert_eq!(ready.first(), Some((line, EntryId::of(1))));
        ready.remove(ticket(line, 1, 2, 100));
        ready.set_rules(line, Policy::Fifo, 1, price_of);
        assert_eq!(ready.first(), Some((line, EntryId::of(0))));
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
            ready.serve(ticket(line, entry.arrival, 0, 10), 10);
            if line == chained && entry.arrival < 5 {
                ready.insert(ticket(chained, entry.arrival + 1, 0, 10));
            }
            served.push(entry.arrival);
        }
        assert_eq!(served, [0, 100, 1, 101, 2, 3, 4, 5]);
    }

    #[test]
    fn line_whose_rollup_is_full_weighs_nothing_and_saves_up_no_turns() {
        let (full, other) = (ChainId(1), ChainId(2));
        let mut ready = Ready::default();
        let both = [ticket(full, 0, 0, 100), ticket(full, 1, 0, 100)];
        both.iter().for_each(|ticket| ready.insert(*ticket));
        ready.pause_line(full);
        ready.pause_line(full);
        ready.remove(both[1]);
        let later = [2, 3].map(|entry| ticket(full, entry, 0, 100));
        later.iter().for_each(|ticket| ready.insert(*ticket));
        assert_eq!((ready.weight(), ready.first()), (0, None));
        let others: Vec<_> = (10..15).map(|entry| ticket(other, entry, 0, 100)).collect();
        assert_eq!(serve_all(&mut ready, &others).len(), 5);
        ready.resume(|chain_id| chain_id == full);
        assert_eq!(ready.weight(), 0);
        ready.resume(|_| false);
        assert_eq!(ready.weight(), 300);
        // They take turns as if the full one had just come.
        let others: Vec<_> = (15..17).map(|entry| ticket(other, entry, 0, 100)).collect();
        let all = [&others[..], &both[..1], &later].concat();
        assert_eq!(serve_all(&mut ready, &all), [0, 2, 15, 3, 16]);
    }

    #[test]
    fn entry_that_waits_alone_may_come_again_or_end_and_is_served_once() {
        let (line, full) = (ChainId(1), ChainId(2));
        let mut ready = Ready::default();
        let both = [ticket(line, 0, 0, 100), ticket(line, 1, 0, 100)];
        for ticket in both {
            ready.insert(ticket);
            ready.pause_entry(ticket, full);
            ready.insert(ticket);
        }
        assert_eq!((ready.weight(), ready.first()), (0, None));
        assert_eq!(ready.lengths().collect::<Vec<_>>(), [(line, 2)]);
        ready.remove(both[1]);
        ready.resume(|_| false);
        assert_eq!(ready.first(), Some((line, EntryId::of(0))));
        assert_eq!(ready.weight(), 100);
    }
}

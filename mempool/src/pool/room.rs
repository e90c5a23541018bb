//! Who holds how much of the pool, and who gives way when it is full.
//!
//! A full pool is shared as parcels are: the rollup that holds most for each unit of its share gives
//! way, so that no rollup can keep the others out. Within a rollup what waits behind a gap goes
//! first, since it may never be worth anything, then the lowest price, and of equals the youngest. An
//! earlier nonce never goes before a later one, and what was available once never goes.

use core::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

use cloverleaf_types::ChainId;

use super::Pool;
use super::drain::Drain;
use super::entries::EntryId;
use super::entry::{Claim, Entry, Part};
use super::limits::GIVE_WAY_MAX;
use crate::error::Refusal;

/// In which order a rollup's entries give way: first what is parked, then by price, then the youngest.
type Rank = (bool, u128, Reverse<EntryId>);

/// What each rollup holds of the pool.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// As many as registered rollups; they stay.
    rollups: BTreeMap<ChainId, Holding>,
    count: usize,
    bytes: usize,
    drain: Drain,
}

#[derive(Debug, Default)]
struct Holding {
    share: u64,
    held: Held,
    /// What may give way.
    yielding: BTreeSet<Rank>,
    drain: Drain,
}

/// Transactions and their raw bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    count: usize,
    bytes: usize,
}

impl Room {
    /// The transactions of all rollups.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Their raw bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How fast the pool drains.
    pub(super) fn drain(&self) -> &Drain {
        &self.drain
    }

    pub(super) fn set_share(&mut self, chain_id: ChainId, share: u64) {
        self.rollups.entry(chain_id).or_default().share = share;
    }

    pub(super) fn add(&mut self, parts: &[Part]) {
        for part in parts {
            let held = &mut self.rollups.entry(part.chain_id).or_default().held;
            held.count += part.count;
            held.bytes += part.bytes;
            self.count += part.count;
            self.bytes += part.bytes;
        }
    }

    /// `drained` when a block or time took it, and not another transaction.
    pub(super) fn remove(&mut self, parts: &[Part], drained: bool) {
        for part in parts {
            let holding = self.rollups.entry(part.chain_id).or_default();
            holding.held.count -= part.count;
            holding.held.bytes -= part.bytes;
            self.count -= part.count;
            self.bytes -= part.bytes;
            if drained {
                holding.drain.left(part.count);
                self.drain.left(part.count);
            }
        }
    }

    /// A block of this time was decided.
    pub(super) fn block(&mut self, time_ms: u64) {
        self.drain.block(time_ms);
        for holding in self.rollups.values_mut() {
            holding.drain.block(time_ms);
        }
    }

    /// An entry may give way, as one that is parked or pending.
    pub(super) fn insert(&mut self, entry: EntryId, parts: &[Part], pending: bool) {
        for part in parts {
            let holding = self.rollups.entry(part.chain_id).or_default();
            holding.yielding.insert(rank(entry, part, pending));
        }
    }

    /// An entry may not give way any more.
    pub(super) fn keep(&mut self, entry: EntryId, parts: &[Part], pending: bool) {
        for part in parts {
            let holding = self.rollups.entry(part.chain_id).or_default();
            holding.yielding.remove(&rank(entry, part, pending));
        }
    }

    #[cfg(test)]
    pub(super) fn yielding(&self) -> BTreeSet<EntryId> {
        let all = self.rollups.values().flat_map(|it| &it.yielding);
        all.map(|(_, _, Reverse(entry))| *entry).collect()
    }
}

/// A newcomer, and the pool as it would be with it.
struct Pressure<'a> {
    entry: &'a Entry,
    pending: bool,
    room: &'a Room,
    /// What rollups would hold, of those that it changes.
    changed: BTreeMap<ChainId, Held>,
    count: usize,
    bytes: usize,
    leaving: Vec<EntryId>,
}

impl Pool {
    /// Which entries give way to a newcomer that replaces these; none while there is room.
    ///
    /// # Errors
    /// Nobody has to give way to it.
    pub(super) fn make_room(
        &self,
        entry: &Entry,
        replaced: &[EntryId],
    ) -> Result<Vec<EntryId>, Refusal> {
        let gone = || replaced.iter().filter_map(|id| self.entries.get(*id));
        let freed = gone().flat_map(|old| &old.parts);
        let freed = freed.fold(Held::default(), plus);
        let added = entry.parts.iter().fold(Held::default(), plus);
        let count = self.room.count + added.count - freed.count;
        let bytes = self.room.bytes + added.bytes - freed.bytes;
        let limits = &self.limits;
        if count <= limits.transactions_max && bytes <= limits.bytes_max {
            return Ok(Vec::new());
        }
        let mut pressure = Pressure {
            entry,
            pending: self.would_be_pending(entry),
            room: &self.room,
            changed: BTreeMap::new(),
            count: self.room.count,
            bytes: self.room.bytes,
            leaving: replaced.to_vec(),
        };
        pressure.add(&entry.parts);
        gone().for_each(|old| pressure.remove(&old.parts));
        while pressure.count > limits.transactions_max || pressure.bytes > limits.bytes_max {
            let victim = self.victim(&pressure)?;
            pressure.remove(&self.entries[victim].parts);
            pressure.leaving.push(victim);
        }
        Ok(pressure.leaving.split_off(replaced.len()))
    }

    /// Who gives way next.
    fn victim(&self, pressure: &Pressure<'_>) -> Result<EntryId, Refusal> {
        let now_ms = pressure.entry.received_ms;
        let full = || Refusal::PoolFull {
            retry_after_ms: self.room.drain.wait_ms(hundredth(self.len()), now_ms),
        };
        if pressure.leaving.len() > GIVE_WAY_MAX {
            return Err(full());
        }
        let by_bytes = pressure.count <= self.limits.transactions_max;
        let chain_id = self.most_over(pressure, by_bytes).ok_or_else(full)?;
        let holding = self.room.rollups.get(&chain_id);
        let stays = |id: &EntryId| {
            pressure.leaving.contains(id) || self.entries[*id].shares_sender(pressure.entry)
        };
        let first = holding
            .and_then(|holding| holding.yielding.iter().find(|(.., id)| !stays(&id.0)))
            .copied();
        let own = pressure.entry.parts.iter();
        let own = own.filter(|part| part.chain_id == chain_id);
        let own = own.map(|part| (pressure.pending, part.price)).next();
        match (first, own) {
            (Some((pending, price, Reverse(victim))), Some(own)) if (pending, price) < own => {
                Ok(victim)
            }
            (Some((.., Reverse(victim))), None) => Ok(victim),
            (_, Some(_)) if pressure.has_others(chain_id) => Err(Refusal::RollupShareFull {
                chain_id,
                retry_after_ms: holding.map_or(0, |holding| {
                    let count = hundredth(holding.held.count);
                    holding.drain.wait_ms(count, now_ms)
                }),
            }),
            _ => Err(full()),
        }
    }

    /// The rollup that holds most for each unit of its share; of equals the newcomer's own.
    fn most_over(&self, pressure: &Pressure<'_>, by_bytes: bool) -> Option<ChainId> {
        let use_of = |(chain_id, held): (ChainId, Held)| {
            let used = if by_bytes { held.bytes } else { held.count };
            let share = self.room.rollups.get(&chain_id).map_or(1, |it| it.share);
            let mut parts = pressure.entry.parts.iter();
            let own = parts.any(|part| part.chain_id == chain_id);
            (chain_id, (used, share.max(1), own))
        };
        let uses = pressure.held().map(use_of);
        uses.max_by(|(_, left), (_, right)| compare(*left, *right))
            .map(|(chain_id, _)| chain_id)
    }

    fn would_be_pending(&self, entry: &Entry) -> bool {
        entry.by_sender().all(|claims| {
            let nonces = claims.iter().map(|claim: &Claim| claim.nonce);
            match self.queues.get(&claims[0].sender) {
                Some(queue) => queue.would_reach(nonces),
                None => self
                    .new_queue(claims[0].sender, claims[0].nonce)
                    .would_reach(nonces),
            }
        })
    }
}

impl Pressure<'_> {
    fn add(&mut self, parts: &[Part]) {
        for part in parts {
            let held = self.of(part.chain_id);
            *held = plus(*held, part);
            self.count += part.count;
            self.bytes += part.bytes;
        }
    }

    fn remove(&mut self, parts: &[Part]) {
        for part in parts {
            let held = self.of(part.chain_id);
            held.count -= part.count;
            held.bytes -= part.bytes;
            self.count -= part.count;
            self.bytes -= part.bytes;
        }
    }

    fn has_others(&self, chain_id: ChainId) -> bool {
        let mut others = self.held().filter(|(id, _)| *id != chain_id);
        others.any(|(_, held)| held.count > 0)
    }

    /// What every rollup would hold.
    fn held(&self) -> impl Iterator<Item = (ChainId, Held)> {
        let rollups = self.room.rollups.iter();
        let unchanged = rollups.filter(|(id, _)| !self.changed.contains_key(id));
        let unchanged = unchanged.map(|(id, holding)| (*id, holding.held));
        unchanged.chain(self.changed.iter().map(|(id, held)| (*id, *held)))
    }

    fn of(&mut self, chain_id: ChainId) -> &mut Held {
        let now = self.room.rollups.get(&chain_id);
        self.changed
            .entry(chain_id)
            .or_insert_with(|| now.map_or_else(Held::default, |holding| holding.held))
    }
}

impl Entry {
    fn shares_sender(&self, other: &Self) -> bool {
        let senders = other.senders();
        self.claims
            .iter()
            .any(|claim| senders.binary_search(&claim.sender).is_ok())
    }
}

fn plus(held: Held, part: &Part) -> Held {
    Held {
        count: held.count + part.count,
        bytes: held.bytes + part.bytes,
    }
}

/// Whoever is sent away comes back when a hundredth of what is ahead has left: most then find room.
fn hundredth(count: usize) -> usize {
    count.div_ceil(100)
}

/// Of two rollups, which holds more for each unit of its share: held, share, and whether it is one of
/// the newcomer's.
fn compare(left: (usize, u64, bool), right: (usize, u64, bool)) -> Ordering {
    let scaled = |used: usize, share: u64| used as u128 * u128::from(share);
    scaled(left.0, right.1)
        .cmp(&scaled(right.0, left.1))
        .then(left.2.cmp(&right.2))
}

fn rank(entry: EntryId, part: &Part, pending: bool) -> Rank {
    (pending, part.price, Reverse(entry))
}

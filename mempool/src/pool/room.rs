//! Who holds how much of the pool, and who gives way when it is full.
//!
//! A full pool is shared as parcels are: the rollup that holds most for each unit of its share gives
//! way, so that no rollup can keep the others out. Within a rollup what waits behind a gap goes
//! first, since it may never be worth anything, then the lowest price, and of equals the youngest. An
//! earlier nonce never goes before a later one, and what was available once never goes.

use core::cmp::Ordering;
use std::collections::BTreeMap;

use cloverleaf_types::ChainId;

use super::Pool;
use super::drain::Drain;
use super::entries::{Entries, EntryId};
use super::entry::{Claim, Entry, Part};
use super::limits::GIVE_WAY_MAX;
use super::yielding::Yielding;
use crate::error::Refusal;

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

    pub(super) fn add(&mut self, parts: impl Iterator<Item = Part>) {
        for part in parts {
            let held = &mut self.rollups.entry(part.chain_id).or_default().held;
            held.count += part.count;
            held.bytes += part.bytes;
            self.count += part.count;
            self.bytes += part.bytes;
        }
    }

    /// `drained` when a block or time took it, and not another transaction.
    pub(super) fn remove(&mut self, parts: impl Iterator<Item = Part>, drained: bool) {
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
        &mut self,
        entry: &Entry,
        replaced: &[EntryId],
    ) -> Result<Vec<EntryId>, Refusal> {
        let gone = || replaced.iter().filter_map(|id| self.entries.get(*id));
        let freed = gone().flat_map(Entry::parts);
        let freed = freed.fold(Held::default(), plus);
        let added = entry.parts().fold(Held::default(), plus);
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
        pressure.add(entry.parts());
        gone().for_each(|old| pressure.remove(old.parts()));
        while pressure.count > limits.transactions_max || pressure.bytes > limits.bytes_max {
            let victim =
                pressure.victim(limits.transactions_max, &self.entries, &mut self.yielding)?;
            pressure.remove(self.entries[victim].parts());
            pressure.leaving.push(victim);
        }
        Ok(pressure.leaving.split_off(replaced.len()))
    }

    fn would_be_pending(&self, entry: &Entry) -> bool {
        entry.by_sender().all(|claims| {
            let nonces = claims.iter().map(|claim: &Claim| claim.nonce);
            match self.accounts.queue_of(&claims[0].sender) {
                Some(queue) => queue.would_reach(nonces),
                None => self
                    .new_queue(claims[0].sender, claims[0].nonce)
                    .would_reach(nonces),
            }
        })
    }
}

impl Pressure<'_> {
    /// Who gives way next.
    fn victim(
        &self,
        transactions_max: usize,
        entries: &Entries,
        yielding: &mut Yielding,
    ) -> Result<EntryId, Refusal> {
        if self.leaving.len() > GIVE_WAY_MAX {
            return Err(self.pool_full());
        }
        let by_bytes = self.count <= transactions_max;
        let chain_id = self.most_over(by_bytes).ok_or_else(|| self.pool_full())?;
        let first = yielding.first(chain_id, entries, |id| {
            self.leaving.contains(&id) || entries[id].shares_sender(self.entry)
        });
        let mut own = self.entry.parts();
        let own = own.find(|part| part.chain_id == chain_id);
        let own = own.map(|part| (self.pending, part.price));
        match (first, own) {
            (Some(rank), own) if own.is_none_or(|own| (rank.pending, rank.price) < own) => {
                Ok(rank.entry())
            }
            (_, Some(_)) if self.has_others(chain_id) => Err(self.share_full(chain_id)),
            _ => Err(self.pool_full()),
        }
    }

    fn pool_full(&self) -> Refusal {
        let count = hundredth(self.room.count);
        let retry_after_ms = self.room.drain.wait_ms(count, self.entry.received_ms());
        Refusal::PoolFull { retry_after_ms }
    }

    fn share_full(&self, chain_id: ChainId) -> Refusal {
        let holding = self.room.rollups.get(&chain_id);
        let retry_after_ms = holding.map_or(0, |holding| {
            let count = hundredth(holding.held.count);
            holding.drain.wait_ms(count, self.entry.received_ms())
        });
        Refusal::RollupShareFull {
            chain_id,
            retry_after_ms,
        }
    }

    /// The rollup that holds most for each unit of its share; of equals the newcomer's own.
    fn most_over(&self, by_bytes: bool) -> Option<ChainId> {
        let use_of = |(chain_id, held): (ChainId, Held)| {
            let used = if by_bytes { held.bytes } else { held.count };
            let share = self.room.rollups.get(&chain_id).map_or(1, |it| it.share);
            let mut parts = self.entry.parts();
            let own = parts.any(|part| part.chain_id == chain_id);
            (chain_id, (used, share.max(1), own))
        };
        let uses = self.held().map(use_of);
        uses.max_by(|(_, left), (_, right)| compare(*left, *right))
            .map(|(chain_id, _)| chain_id)
    }

    fn add(&mut self, parts: impl Iterator<Item = Part>) {
        for part in parts {
            let held = self.of(part.chain_id);
            *held = plus(*held, part);
            self.count += part.count;
            self.bytes += part.bytes;
        }
    }

    fn remove(&mut self, parts: impl Iterator<Item = Part>) {
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

fn plus(held: Held, part: Part) -> Held {
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

//! Fetching what others hold and serving what is held here (L6).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use cloverleaf_types::{Address, B256, CutEntry, Slot};

use super::Parcels;
use super::chain::Place;
use super::message::{Fetch, Message, REPLY_BYTES_MAX};
use super::resolve::Missing;

/// How long a reply may take, in milliseconds: a full one at a few tens of megabits per second.
pub const FETCH_TIMEOUT_MS: u64 = 1_000;

/// How long a peer that acked and did not deliver is passed over, in milliseconds (L6).
pub const EXCLUSION_MS: u64 = 60_000;

/// Most chains that proposals of one height may name here: 32 rounds of a full network. Beyond that
/// the oldest knowledge is worth nothing.
const NAMED_MAX: usize = 4_096;

/// Requests on their way, and who is trusted to answer.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    /// By the hash that was asked for.
    asked: BTreeMap<B256, Asked>,
    excluded_until_ms: BTreeMap<Address, u64>,
    /// What proposals of the running height name, by hash.
    named: BTreeMap<B256, Named>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    peer: Address,
    at_ms: u64,
    /// The peer answered that it need not deliver: no fault of its own.
    excused: bool,
}

#[derive(Clone, Copy, Debug)]
struct Named {
    slot: Slot,
    proposer: Address,
    at_ms: u64,
}

/// A piece of a lane that should be fetched.
#[derive(Clone, Copy, Debug)]
struct Want {
    link: Missing,
    since_ms: u64,
    /// Who named it; others may hold it too.
    named_by: Address,
}

impl Fetches {
    pub(super) fn forget_named(&mut self) {
        self.named.clear();
    }
}

impl Parcels {
    /// A proposal names these parcels: they are kept, also beside others of their slots, until the
    /// height is decided, and fetched if they do not come.
    pub fn on_proposal(&mut self, cut: &[CutEntry], proposer: Address, now_ms: u64) {
        if self.fetches.named.len() + cut.len() > NAMED_MAX {
            self.fetches.named.clear();
        }
        for entry in cut {
            let Some(validator) = self.validators.get(entry.lane) else {
                continue;
            };
            let slot = Slot { author: validator.address, epoch: entry.epoch, seq: entry.seq };
            let named = Named { slot, proposer, at_ms: now_ms };
            self.fetches.named.entry(entry.parcel_hash).or_insert(named);
        }
    }

    /// The requests to send now. Ask at [`Parcels::fetch_deadline_ms`], and after every ack, proposal
    /// and reply.
    pub fn fetches(&mut self, now_ms: u64) -> Vec<(Address, Fetch)> {
        self.end_overdue(now_ms);
        let mut requests = Vec::new();
        let mut lanes = BTreeSet::new();
        for want in self.wants() {
            let Missing { slot, hash } = want.link;
            let due = want.since_ms.saturating_add(self.config.fetch_delay_ms) <= now_ms;
            if !due || self.fetches.asked.contains_key(&hash) || !lanes.insert((slot, hash)) {
                continue;
            }
            let Some(peer) = self.choose(&want, now_ms) else {
                continue;
            };
            let asked = Asked { peer, at_ms: now_ms, excused: false };
            self.fetches.asked.insert(hash, asked);
            requests.push((peer, Fetch { slot, hash, from_seq: self.first_wanted(slot) }));
        }
        requests
    }

    /// When the next request is due, or overdue.
    #[must_use]
    pub fn fetch_deadline_ms(&self) -> Option<u64> {
        let asked = &self.fetches.asked;
        let overdue = asked.values().map(|asked| asked.at_ms.saturating_add(FETCH_TIMEOUT_MS));
        let wants = self.wants();
        let due = wants
            .iter()
            .filter(|want| !asked.contains_key(&want.link.hash))
            .map(|want| want.since_ms.saturating_add(self.config.fetch_delay_ms));
        overdue.chain(due).min()
    }

    /// Answers a request, newest parcel first.
    #[must_use]
    pub fn serve(&self, fetch: &Fetch) -> Message {
        let Fetch { slot, hash, from_seq } = *fetch;
        let chain = self.lanes.get(&slot.author);
        if chain.is_some_and(|chain| chain.place(slot) == Place::Old) {
            return Message::Decided { hash, height: self.height };
        }
        let mut parcels: Vec<Bytes> = Vec::new();
        let (mut next, mut bytes) = (hash, 0);
        while let Some(held) = self.held.get(&next).filter(|held| held.stored) {
            let parcel = &held.prepared.parcel;
            bytes += parcel.encoded().len();
            if parcel.header().seq < from_seq || bytes > REPLY_BYTES_MAX {
                break;
            }
            parcels.push(parcel.encoded().clone());
            next = parcel.header().prev;
        }
        Message::Parcels { hash, parcels }
    }

    /// A reply came: its parcels were given to [`Parcels::accept`], in the order of the reply. A peer
    /// that named the parcel and delivered nothing of it is passed over.
    pub fn on_reply(&mut self, peer: Address, hash: B256, delivered: bool, now_ms: u64) {
        let asked = self.fetches.asked.get(&hash);
        if asked.is_none_or(|asked| asked.peer != peer) {
            return; // nobody asked
        }
        self.fetches.asked.remove(&hash);
        if !delivered {
            self.exclude(peer, now_ms);
        }
    }

    /// The peer has applied a block that took the parcel: the blocks are fetched instead, the request
    /// rests.
    pub fn on_decided_reply(&mut self, peer: Address, hash: B256) {
        if let Some(asked) = self.fetches.asked.get_mut(&hash).filter(|asked| asked.peer == peer) {
            asked.excused = true;
        }
    }

    /// True if a proposal names this parcel, or names one that chains down to it.
    pub(super) fn is_named(&self, slot: Slot, hash: B256) -> bool {
        let named = self.fetches.named.iter().filter(|(_, named)| {
            (named.slot.author, named.slot.epoch) == (slot.author, slot.epoch)
        });
        named.into_iter().any(|(tip, named)| {
            self.missing_link(named.slot, *tip).is_some_and(|link| link.hash == hash)
        })
    }

    /// Every missing link that an ack or a proposal leads to, proposals first.
    fn wants(&self) -> Vec<Want> {
        let named = self.fetches.named.iter().filter_map(|(hash, named)| {
            let link = self.missing_link(named.slot, *hash)?;
            Some(Want { link, since_ms: named.at_ms, named_by: named.proposer })
        });
        let acked = self.acks.points().filter_map(|(peer, point)| {
            let link = self.missing_link(point.slot, point.hash)?;
            let chain = self.lanes.get(&link.slot.author);
            let reachable = chain.is_none_or(|chain| chain.place(link.slot) == Place::Free);
            reachable.then_some(Want { link, since_ms: point.named_ms, named_by: peer })
        });
        named.chain(acked).collect()
    }

    /// Whom to ask: who named it or acked past it; who failed lately only if nobody else is left.
    fn choose(&self, want: &Want, now_ms: u64) -> Option<Address> {
        let slot = want.link.slot;
        let lane = (slot.author, slot.epoch);
        let addresses = self.validators.validators().iter().map(|validator| validator.address);
        let has = |peer: &Address| {
            let acked = self.acks.of(*peer, lane);
            *peer == want.named_by
                || *peer == slot.author
                || acked.is_some_and(|holds| holds.count > slot.seq || holds.names(want.link.hash))
        };
        let holders: Vec<Address> =
            addresses.filter(|peer| *peer != self.config.own).filter(has).collect();
        let until_ms = |peer: &Address| {
            let until = self.fetches.excluded_until_ms.get(peer).copied().unwrap_or(0);
            if until > now_ms { until } else { 0 }
        };
        // Different numbers ask different peers; the same number asks the next one after a failure.
        let length = u64::try_from(holders.len()).unwrap_or(u64::MAX);
        let turn = |position: usize| {
            let position = u64::try_from(position).unwrap_or(0);
            (position + slot.seq) % length.max(1)
        };
        let ranked = holders.iter().enumerate();
        let best = ranked.min_by_key(|(position, peer)| (until_ms(peer), turn(*position)));
        best.map(|(_, peer)| *peer)
    }

    /// The first number of a lane that is not durable here without a gap.
    fn first_wanted(&self, slot: Slot) -> u64 {
        let tip = self.lanes.get(&slot.author).and_then(|chain| chain.tip(slot.epoch));
        let first = tip.map_or(0, |tip| tip.count);
        // A chain beside the one held here is needed down to the cut.
        if first > slot.seq { self.bottom_of(slot) } else { first }
    }

    fn bottom_of(&self, slot: Slot) -> u64 {
        match self.lanes.get(&slot.author).and_then(|chain| chain.cut()) {
            Some(cut) if cut.epoch == slot.epoch => cut.seq + 1,
            _ => 0,
        }
    }

    fn end_overdue(&mut self, now_ms: u64) {
        let overdue: Vec<(B256, Asked)> = self
            .fetches
            .asked
            .iter()
            .filter(|(_, asked)| asked.at_ms.saturating_add(FETCH_TIMEOUT_MS) <= now_ms)
            .map(|(hash, asked)| (*hash, *asked))
            .collect();
        for (hash, asked) in overdue {
            self.fetches.asked.remove(&hash);
            if !asked.excused {
                self.exclude(asked.peer, now_ms);
            }
        }
        self.fetches.excluded_until_ms.retain(|_, until_ms| *until_ms > now_ms);
    }

    fn exclude(&mut self, peer: Address, now_ms: u64) {
        self.fetches.excluded_until_ms.insert(peer, now_ms.saturating_add(EXCLUSION_MS));
    }
}

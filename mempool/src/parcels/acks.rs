//! What the others hold (A1): their acks, matched with the chains that are held here.
//!
//! An ack names a parcel by its hash, and so a chain. It counts for the chain held here once that
//! reaches the named place and agrees; an author that signs two chains gets no quorum out of half of
//! each. A peer that is ahead is remembered at two points, the lowest and the latest that it named
//! above our tip: the lowest is what to fetch next, the latest what will be next after it.

use std::collections::BTreeMap;

use cloverleaf_types::{Address, B256, Epoch, Slot};

use super::message::AckEntry;

/// A lane's epoch.
pub(super) type LaneEpoch = (Address, Epoch);

/// Most epochs of one lane that an ack may name (L4).
const EPOCHS_MAX: usize = 2;

/// A place that a peer named and that is not matched yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) slot: Slot,
    pub(super) hash: B256,
    /// When the peer named it first.
    pub(super) named_ms: u64,
}

/// What one peer holds of one lane's epoch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PeerHolds {
    /// Parcels with a lower number, of the chain held here.
    pub(super) count: u64,
    pub(super) lowest: Option<Point>,
    latest: Option<Point>,
}

/// The last ack of every peer.
#[derive(Debug, Default)]
pub(super) struct Acks {
    peers: BTreeMap<Address, BTreeMap<LaneEpoch, PeerHolds>>,
}

/// What is held here at a number of a lane's epoch.
pub(super) enum Here {
    /// A parcel without a gap below it, or the last cut.
    Held(B256),
    /// Below the last cut: long agreed.
    Below,
    /// Not reached yet.
    NotYet,
}

impl Acks {
    /// Takes a peer's ack in place of its last one. `here` tells what is held at a slot.
    pub(super) fn replace(
        &mut self,
        peer: Address,
        ack: &[AckEntry],
        now_ms: u64,
        here: impl Fn(Slot) -> Here,
    ) {
        let before = self.peers.remove(&peer).unwrap_or_default();
        let mut holds: BTreeMap<LaneEpoch, PeerHolds> = BTreeMap::new();
        for AckEntry { slot, hash } in ack {
            let key = (slot.author, slot.epoch);
            let named = holds.range((slot.author, Epoch(0))..=(slot.author, Epoch(u64::MAX)));
            if named.count() >= EPOCHS_MAX && !holds.contains_key(&key) {
                continue;
            }
            let mut known = before.get(&key).copied().unwrap_or_default();
            known.name(Point {
                slot: *slot,
                hash: *hash,
                named_ms: now_ms,
            });
            known.settle(&here);
            holds.insert(key, known);
        }
        self.peers.insert(peer, holds);
    }

    /// Matches all points of a lane's epoch again: the chain here has grown, or was cut.
    pub(super) fn settle(&mut self, lane: LaneEpoch, here: impl Fn(Slot) -> Here) {
        for holds in self.peers.values_mut() {
            if let Some(known) = holds.get_mut(&lane) {
                known.settle(&here);
            }
        }
    }

    /// What a peer holds of a lane's epoch.
    pub(super) fn of(&self, peer: Address, lane: LaneEpoch) -> Option<&PeerHolds> {
        self.peers.get(&peer)?.get(&lane)
    }

    /// What a peer holds of a lane's epochs below one; nothing unless its last ack names that one, or a
    /// higher one.
    pub(super) fn below(
        &self,
        peer: Address,
        (author, epoch): LaneEpoch,
    ) -> Option<impl Iterator<Item = (Epoch, &PeerHolds)>> {
        let acked = self.peers.get(&peer)?;
        let mut above = acked.range((author, epoch)..=(author, Epoch(u64::MAX)));
        above.next()?;
        let below = acked.range((author, Epoch(0))..(author, epoch));
        Some(below.map(|((_, lower), holds)| (*lower, holds)))
    }

    /// Forgets peers that are no validators any more.
    pub(super) fn keep(&mut self, is_validator: impl Fn(Address) -> bool) {
        self.peers.retain(|peer, _| is_validator(*peer));
    }

    /// Every peer's lowest points above the chains held here.
    pub(super) fn points(&self) -> impl Iterator<Item = (Address, &Point)> {
        self.peers.iter().flat_map(|(peer, holds)| {
            holds
                .values()
                .filter_map(|known| Some((*peer, known.lowest.as_ref()?)))
        })
    }
}

impl PeerHolds {
    fn name(&mut self, point: Point) {
        match &mut self.lowest {
            Some(lowest) if lowest.hash == point.hash => self.latest = None,
            Some(lowest) if lowest.slot.seq < point.slot.seq => {
                let same = self.latest.is_some_and(|latest| latest.hash == point.hash);
                if !same {
                    self.latest = Some(point);
                }
            }
            // The first, or less than before: the last ack counts.
            _ => {
                self.lowest = Some(point);
                self.latest = None;
            }
        }
    }

    /// Matches its points with what is held here, from the lowest on.
    fn settle(&mut self, here: &impl Fn(Slot) -> Here) {
        while let Some(point) = self.lowest {
            let matches = match here(point.slot) {
                Here::NotYet => return,
                Here::Below => true,
                Here::Held(hash) => hash == point.hash,
            };
            // A peer on another chain of an equivocating author holds nothing of this one.
            self.count = if matches {
                point.slot.seq.saturating_add(1)
            } else {
                0
            };
            self.lowest = self.latest.take();
        }
    }
}

//! Who holds the own lane, and who needs a parcel again (A1, A2).

use std::sync::Arc;

use cloverleaf_types::{Address, B256, Parcel, Slot, Verified};

use super::round_trip::RoundTrip;
use super::{Lane, Uncut};
use crate::holding::{Holding, held_by_enough};

/// Most parcels that are sent again to one peer at once: what a connection can take without holding
/// up votes for long; the rest follows its next ack.
pub const RESEND_PARCELS_MAX: usize = 8;

/// Longest wait, in milliseconds, between two resends to a peer whose ack stands still, unless
/// `fetch_delay_ms` is longer. The wait doubles each time, so that a peer that cannot follow is not buried.
pub const RESEND_DELAY_MAX_MS: u64 = 5_000;

/// What is left of a doubled wait, in milliseconds, when an ack comes that does not tell how long it took:
/// longer than one takes between continents, so that the next will tell.
const KEPT_DELAY_MAX_MS: u64 = 1_000;

/// Shortest time, in milliseconds, between two questions to one peer: an ack costs its sender nothing, and
/// what it names need not exist.
const DOUBT_INTERVAL_MS: u64 = 1_000;

/// What is known of one peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// It acked the own parcels with a lower number.
    acked: u64,
    /// It is connected; else nothing is sent.
    connected: bool,
    /// Since when its ack stands still, or when it was last sent something again.
    since_ms: u64,
    /// For how long it may stand still.
    delay_ms: u64,
    trip: RoundTrip,
    /// When it was last asked for a parcel of this lane that this author does not know.
    doubted_ms: Option<u64>,
}

impl Lane {
    /// The parcels up to a slot are durable here and may leave. Returns the slots that became
    /// available by it, which happens where one validator is enough.
    pub fn on_stored(&mut self, slot: Slot, now_ms: u64) -> Vec<Slot> {
        let before = self.durable;
        self.durable = self.durable.max(slot.seq + 1).min(self.next.seq);
        let uncut = &self.uncut;
        for (address, peer) in &mut self.peers {
            let is_sent = peer.connected && self.validators.index_of(*address).is_some();
            if let Some(last) = self.durable.checked_sub(1).filter(|_| is_sent) {
                peer.trip.on_sent(last, now_ms);
            }
            if !lacks(uncut, peer.acked, before) {
                peer.since_ms = now_ms;
            }
        }
        self.newly_available()
    }

    /// A peer's ack of the own lane. Returns the slots that became available by it: held durably by
    /// validators of power f + 1 (section 8). An ack of anything but an own parcel is ignored.
    pub fn on_ack(&mut self, peer: Address, slot: Slot, hash: B256, now_ms: u64) -> Vec<Slot> {
        let own = self.slot(slot.seq) == slot && slot.seq < self.next.seq;
        let matches = self
            .uncut
            .get(&slot.seq)
            .is_none_or(|parcel| parcel.hash() == hash);
        if !own || !matches || self.validators.index_of(peer).is_none() {
            return Vec::new();
        }
        let mut known = self.peer(peer, now_ms);
        let is_timed = known.trip.on_ack(slot.seq, now_ms);
        if known.acked < slot.seq + 1 {
            let kept_ms = known.delay_ms.min(KEPT_DELAY_MAX_MS);
            let patience_ms = self.patience_ms(&known);
            known.since_ms = now_ms;
            known.delay_ms = patience_ms.max(if is_timed { 0 } else { kept_ms });
        }
        // A2: what the last ack names counts, also when it names less than the one before.
        known.acked = slot.seq + 1;
        self.put_peer(peer, known);
        self.newly_available()
    }

    /// Whether to ask a peer for what its ack names in this lane: this author knows of no such parcel, and
    /// the parcel alone would prove that it signed it in an earlier life (D4).
    pub fn doubts(&mut self, peer: Address, slot: Slot, hash: B256, now_ms: u64) -> bool {
        if self.knows(slot, hash) || self.validators.index_of(peer).is_none() {
            return false;
        }
        let mut known = self.peer(peer, now_ms);
        let is_new = known
            .doubted_ms
            .is_none_or(|at_ms| at_ms.saturating_add(DOUBT_INTERVAL_MS) <= now_ms);
        if is_new {
            known.doubted_ms = Some(now_ms);
            self.put_peer(peer, known);
        }
        is_new
    }

    /// A peer is connected again: what it needs first, from what its last ack names.
    pub fn on_connected(&mut self, peer: Address, now_ms: u64) -> Vec<Arc<Verified<Parcel>>> {
        if peer == self.config.author {
            return Vec::new();
        }
        let mut known = self.peer(peer, now_ms);
        known.connected = true;
        known.trip.forget_timed();
        known.since_ms = now_ms;
        known.delay_ms = self.patience_ms(&known);
        self.put_peer(peer, known);
        if self.validators.index_of(peer).is_none() {
            return Vec::new(); // it may join later, over the same connection
        }
        self.missing(&known)
    }

    /// A peer is gone; its acks stay valid (L6), unless it is no validator any more.
    pub fn on_disconnected(&mut self, peer: Address) {
        if self.validators.index_of(peer).is_none() {
            self.peers.remove(&peer);
        }
        if let Some(known) = self.peers.get_mut(&peer) {
            known.connected = false;
        }
    }

    /// What to send again now, to peers whose ack stands still. Ask at [`Lane::resend_deadline_ms`].
    pub fn resends(&mut self, now_ms: u64) -> Vec<(Address, Vec<Arc<Verified<Parcel>>>)> {
        let mut resends = Vec::new();
        for (address, mut peer) in self.peers.clone() {
            if self
                .deadline_ms(address, &peer)
                .is_none_or(|deadline_ms| deadline_ms > now_ms)
            {
                continue;
            }
            resends.push((address, self.missing(&peer)));
            peer.since_ms = now_ms;
            peer.trip.on_sent_again();
            peer.delay_ms = (peer.delay_ms * 2).min(self.patience_ms_max());
            self.put_peer(address, peer);
        }
        resends
    }

    /// When the next peer's ack has stood still for long enough.
    #[must_use]
    pub fn resend_deadline_ms(&self) -> Option<u64> {
        let peers = self.peers.iter();
        peers
            .filter_map(|(address, peer)| self.deadline_ms(*address, peer))
            .min()
    }

    /// The count of own parcels that enough power holds durably, the author's own included.
    pub(super) fn held_by(&self, enough: impl Fn(u64) -> bool) -> u64 {
        let holding = |address, count| Holding {
            count,
            power: self.validators.power_of(address),
        };
        let own = holding(self.config.author, self.durable);
        let peers = self
            .peers
            .iter()
            .map(|(address, peer)| holding(*address, peer.acked));
        let held = held_by_enough(core::iter::once(own).chain(peers).collect(), enough);
        held.min(self.durable)
    }

    fn newly_available(&mut self) -> Vec<Slot> {
        let held = self.held_by(|power| self.validators.has_correct(power));
        let slots = (self.available..held).map(|seq| self.slot(seq)).collect();
        self.available = self.available.max(held);
        slots
    }

    fn missing(&self, peer: &Peer) -> Vec<Arc<Verified<Parcel>>> {
        let parcels = self
            .uncut
            .range(peer.acked..)
            .map(|(_, parcel)| Arc::clone(parcel));
        parcels
            .take_while(|parcel| parcel.header().seq < self.durable)
            .take(RESEND_PARCELS_MAX)
            .collect()
    }

    fn deadline_ms(&self, address: Address, peer: &Peer) -> Option<u64> {
        let lacks = lacks(&self.uncut, peer.acked, self.durable);
        let is_validator = self.validators.index_of(address).is_some();
        (peer.connected && lacks && is_validator)
            .then_some(peer.since_ms.saturating_add(peer.delay_ms))
    }

    /// How long a peer's ack may stand still: longer where it usually takes longer.
    fn patience_ms(&self, peer: &Peer) -> u64 {
        let late_ms = peer.trip.late_ms(self.config.fetch_delay_ms);
        late_ms.min(self.patience_ms_max())
    }

    fn patience_ms_max(&self) -> u64 {
        RESEND_DELAY_MAX_MS.max(self.config.fetch_delay_ms)
    }

    fn peer(&self, address: Address, now_ms: u64) -> Peer {
        let fresh = Peer {
            acked: 0,
            connected: false,
            since_ms: now_ms,
            delay_ms: self.config.fetch_delay_ms,
            trip: RoundTrip::default(),
            doubted_ms: None,
        };
        self.peers.get(&address).copied().unwrap_or(fresh)
    }

    fn put_peer(&mut self, address: Address, peer: Peer) {
        self.peers.insert(address, peer);
    }
}

impl Peer {
    /// Nothing of a new chain is there yet.
    pub(super) fn forget(&mut self) {
        self.acked = 0;
        self.trip.forget_timed();
    }

    /// Parcels up to a number are cut: nobody acks them any more.
    pub(super) fn on_cut(&mut self, seq: u64) {
        self.trip.on_cut(seq);
    }
}

/// Whether a peer that acked the parcels below a number needs one below another.
fn lacks(uncut: &Uncut, acked: u64, until: u64) -> bool {
    acked < until && uncut.range(acked..until).next().is_some()
}

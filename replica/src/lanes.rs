//! Lanes inside the replica: own parcels out, others' parcels in, acks both ways (L3 to L6, A1, A2).

use std::sync::Arc;

use cloverleaf_bundle::Prepared;
use cloverleaf_consensus::Input as Drive;
use cloverleaf_mempool::parcels::{Accept, FalseSender, View};
use cloverleaf_mempool::{AckEntry, Change, Fetch, Message, Name};
use cloverleaf_types::{Address, B256, Parcel, Slot, Verified};

use crate::config::Halt;
use crate::input::Intake;
use crate::misdeed::{SignedHeader, SignedMisdeed};
use crate::output::{Class, KeptParcel, Output, Recipient};
use crate::replica::Replica;

/// Shortest time between two acks, in milliseconds (A1).
const ACK_INTERVAL_MS: u64 = 5;

impl Replica {
    /// A message of the parcels stream came.
    pub(crate) fn receive_parcels(&mut self, from: Address, message: Intake) {
        match message {
            Intake::Parcel(prepared) => self.accept_parcel(from, prepared),
            Intake::Ack(entries) => self.receive_ack(from, &entries),
            Intake::Fetch(fetch) => self.serve_parcels(from, &fetch),
            Intake::Reply { hash, parcels } => {
                let delivered = parcels
                    .iter()
                    .any(|prepared| prepared.parcel.hash() == hash);
                for prepared in parcels {
                    self.accept_parcel(from, prepared);
                }
                self.parcels.on_reply(from, hash, delivered, self.now_ms);
            }
            Intake::FalseSender(found) => self.note_false_sender(from, found),
            Intake::Decided { hash, .. } => self.parcels.on_decided_reply(from, hash),
        }
    }

    /// An own parcel is durable: only now does it leave (L3).
    pub(crate) fn parcel_logged(&mut self, hash: B256) {
        let Some(prepared) = self.parcels.get(&hash).cloned() else {
            return;
        };
        self.parcels.stored(hash);
        self.kept.logged(hash, names(&prepared).into_iter());
        let message = Message::Parcel(prepared.parcel.encoded().clone());
        self.send_parcels(Recipient::All, &message);
        let available = self.lane.on_stored(prepared.parcel.slot(), self.now_ms);
        self.announce_available(available);
        self.drive(Drive::Changed);
    }

    /// Another's parcel is durable: only now is it acked (L4).
    pub(crate) fn parcel_stored(&mut self, hash: B256) {
        self.kept.stored(hash);
        self.parcels.stored(hash);
        self.drive(Drive::Changed);
    }

    /// A validator is connected: it gets what it lacks of the own lane, and what is held here.
    pub(crate) fn lane_connected(&mut self, peer: Address) {
        for parcel in self.lane.on_connected(peer, self.now_ms) {
            self.send_parcel(peer, &parcel);
        }
        let ack = Message::Ack(self.parcels.ack());
        self.send_parcels(Recipient::One(peer), &ack);
    }

    /// A validator is gone; its acks stay valid (L6).
    pub(crate) fn lane_disconnected(&mut self, peer: Address) {
        self.lane.on_disconnected(peer);
    }

    /// What follows from any input: seal, send again, fetch, ack, and when to look again.
    pub(crate) fn tend_lanes(&mut self) {
        self.seal_if_due();
        for (peer, parcels) in self.lane.resends(self.now_ms) {
            for parcel in parcels {
                self.send_parcel(peer, &parcel);
            }
        }
        self.fetch_parcels();
        self.ack_if_due();
        let deadlines = [
            self.lane.seal_deadline_ms(),
            self.lane.resend_deadline_ms(),
            self.parcels.fetch_deadline_ms(),
            self.ack_waits
                .then_some(self.acked_ms.saturating_add(ACK_INTERVAL_MS)),
        ];
        // Whatever is overdue was just done, or waits for an input.
        let later = |at_ms: &u64| *at_ms > self.now_ms;
        self.wakes.lanes_ms = deadlines.into_iter().flatten().filter(later).min();
    }

    /// Asks for parcels that a proposal or an ack names and that did not come.
    pub(crate) fn fetch_parcels(&mut self) {
        if !self.may_write() {
            return; // D6: they could not be kept.
        }
        for (peer, fetch) in self.parcels.fetches(self.now_ms) {
            self.send_parcels(Recipient::One(peer), &Message::Fetch(fetch));
        }
    }

    /// Tells who follows an item what became of it.
    pub(crate) fn announce(&mut self, changes: impl IntoIterator<Item = Change>) {
        for Change { name, state } in changes {
            if state.is_ended() {
                self.kept.ended(&name);
            }
            self.outputs.push(Output::Progress { name, state });
        }
    }

    /// What a block left out for now is in the pool again. Called before the cut is followed, while
    /// the log's parcels with it are kept.
    pub(crate) fn note_put_off(&mut self, changes: &[Change]) {
        let back = changes.iter().filter(|change| !change.state.is_ended());
        let names = back.map(|change| change.name);
        self.kept.put_off(names, self.chain.height());
    }

    /// L6. Who asks for more than it can be sent gets no answer, and asks another, or again.
    fn serve_parcels(&mut self, from: Address, fetch: &Fetch) {
        if !self.served.may_serve(from, self.now_ms) {
            tracing::debug!(%from, "a peer asks for more parcels than it can be sent");
            return;
        }
        let reply = self.parcels.serve(fetch).encode();
        self.served.note(from, reply.len(), self.now_ms);
        self.outputs.push(Output::Send {
            to: Recipient::One(from),
            class: Class::Parcels,
            bytes: reply,
        });
    }

    fn accept_parcel(&mut self, from: Address, prepared: Arc<Prepared>) {
        let parcel = Arc::clone(&prepared.parcel);
        if !self.may_write() || !self.kept.has_room(parcel.encoded().len()) {
            tracing::debug!(%from, slot = %parcel.slot(), "the disk does not follow; not taken");
            return;
        }
        self.check_own_parcel(&parcel);
        let store = match self.parcels.accept(prepared) {
            Accept::Store => true,
            Accept::Evidence { evidence, store } => {
                let slot = evidence.second.parcel.slot();
                tracing::warn!(%from, %slot, "an author signed two parcels for one slot");
                let [first, second] = [&evidence.first, &evidence.second]
                    .map(|prepared| Box::new(SignedHeader::of(&prepared.parcel)));
                self.accuse(SignedMisdeed::Parcels(first, second));
                store
            }
            Accept::Duplicate | Accept::Old | Accept::Stranger | Accept::OutOfWindow => false,
        };
        if store {
            self.store_parcel(parcel);
        }
    }

    /// L1: the parcel is not well-formed, so it is neither kept nor acked, whoever sent it on.
    fn note_false_sender(&mut self, from: Address, found: FalseSender) {
        let author = found.slot().author;
        if self.chain.state().validators().index_of(author).is_none() {
            tracing::debug!(%from, %author, "a parcel with a false mark, of no validator");
            return;
        }
        tracing::warn!(%from, %author, %found, "an author claims a sender that did not sign");
        self.accuse(SignedMisdeed::Mark(found.parcel.parcel.encoded().clone()));
    }

    fn receive_ack(&mut self, from: Address, entries: &[AckEntry]) {
        self.parcels.on_ack(from, entries, self.now_ms);
        let own = self.own;
        let mut available = Vec::new();
        for entry in entries.iter().filter(|entry| entry.slot.author == own) {
            available.extend(self.lane.on_ack(from, entry.slot, entry.hash, self.now_ms));
            self.doubt(from, *entry);
        }
        self.announce_available(available);
        self.drive(Drive::Changed);
    }

    /// D4: a peer says that it holds a parcel of the own lane that was not sealed here. Its word is no
    /// proof; the parcel is.
    fn doubt(&mut self, from: Address, AckEntry { slot, hash }: AckEntry) {
        if self.may_vote() && self.lane.doubts(from, slot, hash, self.now_ms) {
            let from_seq = slot.seq;
            let fetch = Fetch {
                slot,
                hash,
                from_seq,
            };
            self.send_parcels(Recipient::One(from), &Message::Fetch(fetch));
        }
    }

    fn announce_available(&mut self, slots: Vec<Slot>) {
        for slot in slots {
            let changes = self.pool.on_available(slot);
            self.announce(changes);
        }
    }

    fn seal_if_due(&mut self) {
        let applied = self.chain.height();
        if self.halted || self.is_held || !self.may_write() || !self.may_seal() {
            return;
        }
        while let Some(due) = self
            .lane
            .due(self.pool.ready_weight(), applied, self.now_ms)
        {
            let items = self.pool.take(due.weight_max, self.lane.next_slot());
            if items.is_empty() && !due.even_empty {
                break;
            }
            let parcel = self
                .lane
                .seal(items, applied, self.now_ms, self.signer.as_ref());
            let prepared = Arc::new(Prepared::new(Arc::clone(&parcel)));
            let refused = contradiction(&self.parcels.accept(prepared), parcel.slot());
            if let Some(halt) = refused.filter(|_| !self.signing.is_unaware()) {
                self.halt(halt);
                return;
            }
            let height = self.chain.height();
            self.kept.log(parcel.hash(), height);
            self.outputs
                .push(Output::LogParcel(KeptParcel { height, parcel }));
        }
    }

    fn ack_if_due(&mut self) {
        if let Some(ack) = self.parcels.take_ack() {
            self.ack_waits = true;
            self.waiting_ack = ack;
        }
        if self.ack_waits && self.now_ms >= self.acked_ms.saturating_add(ACK_INTERVAL_MS) {
            self.ack_waits = false;
            self.acked_ms = self.now_ms;
            let ack = Message::Ack(std::mem::take(&mut self.waiting_ack));
            self.send_parcels(Recipient::All, &ack);
        }
    }

    fn store_parcel(&mut self, parcel: Arc<Verified<Parcel>>) {
        let height = self.chain.height();
        self.kept
            .store(parcel.hash(), height, parcel.encoded().len());
        self.outputs
            .push(Output::StoreParcel(KeptParcel { height, parcel }));
    }

    /// A block is durable: lanes go on from its cut, and files below it may go (L6).
    pub(crate) fn follow_cut(&mut self) {
        let state = self.chain.state();
        let validators = Arc::new(state.validators().clone());
        let view = View {
            height: state.height(),
            validators: &validators,
            last_cuts: state.last_cuts(),
            joined: state.joined(),
        };
        self.parcels.on_parameters(state.parameters());
        self.lane.on_parameters(state.parameters());
        for (_, hash) in self.parcels.on_decided(&view) {
            self.kept.forget(hash);
        }
        self.lane.on_absent(state.absent().get(&self.own).copied());
        self.lane
            .on_decided(state.last_cut(self.own), Arc::clone(&validators));
        let height = state.height();
        let overdue = if self.may_write() {
            self.kept.overdue(height)
        } else {
            Vec::new() // D6
        };
        for hash in overdue {
            if let Some(prepared) = self.parcels.get(&hash) {
                self.store_parcel(Arc::clone(&prepared.parcel));
            }
        }
        self.outputs.push(Output::ForgetParcels {
            stored_below: self.kept.stored_below(height),
            logged_below: self.kept.logged_below(height),
        });
    }

    fn send_parcel(&mut self, peer: Address, parcel: &Parcel) {
        let message = Message::Parcel(parcel.encoded().clone());
        self.send_parcels(Recipient::One(peer), &message);
    }

    fn send_parcels(&mut self, to: Recipient, message: &Message) {
        self.outputs.push(Output::Send {
            to,
            class: Class::Parcels,
            bytes: message.encode(),
        });
    }
}

/// Why no parcel of the own lane can be met so. One that is ahead of what is held here can: its author
/// forgot what it had signed twice before a block cut its lane (D4).
fn contradiction(accepted: &Accept, slot: Slot) -> Option<Halt> {
    let refused = |why| Some(Halt::OwnParcelRefused { slot, why });
    match accepted {
        Accept::Store | Accept::OutOfWindow => None,
        Accept::Duplicate => refused("it is there already"),
        Accept::Old => refused("a block has taken another one"),
        Accept::Stranger => refused("its author is no validator"),
        Accept::Evidence { .. } => Some(Halt::OwnSlotTaken { slot }),
    }
}

/// The names of a parcel's items, and of the transactions in its bundles.
fn names(prepared: &Prepared) -> Vec<Name> {
    let mut names = Vec::new();
    for item in &prepared.items {
        let bundle = prepared.bundle(item);
        names.extend(bundle.map(|bundle| Name::Bundle(bundle.hash)));
        for leg in prepared.legs(item) {
            let transaction = |id: &B256| Name::Transaction((leg.chain_id, *id));
            names.extend(prepared.ids(leg).iter().map(transaction));
        }
    }
    names
}

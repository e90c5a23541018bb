//! Messages from peers: judged here before the core sees them.

use cloverleaf_types::{Address, B256, Height, Round};
use malachite_core_consensus::Input as CoreInput;

use super::guard::{SignSlot, Slotted};
use super::output::To;
use super::{Driver, filter};
use crate::context::core_round;
use crate::error::{Discard, Halt};
use crate::message::{Message, Proposal, Signed, Vote, Want};

impl Driver {
    /// Takes a message for the running height, keeps one for the next two (C3), drops the rest.
    pub(super) fn receive(&mut self, from: Address, message: Message) -> Result<(), Halt> {
        if self.is_news_of_own(&message) {
            return Ok(());
        }
        let current = self.running.as_ref().map(|running| running.params.height);
        if current == Some(message.height()) {
            return self.receive_now(from, message);
        }
        let floor = self.floor();
        if let Err(why) = self
            .buffer
            .keep(from, message, floor, &mut self.effects.verifier)
        {
            self.discard(from, why);
        }
        Ok(())
    }

    fn receive_now(&mut self, from: Address, message: Message) -> Result<(), Halt> {
        match message {
            Message::Vote(signed) => self.receive_vote(from, &signed),
            Message::Proposal(signed) => self.receive_proposal(from, &signed),
            Message::Polka(certificate) => {
                let (round, id) = (certificate.round, certificate.block_hash);
                self.feed(CoreInput::PolkaCertificate((&certificate).into()))?;
                let Some(running) = &self.running else {
                    return Ok(());
                };
                if running
                    .core
                    .polka_certificate(core_round(round), &id)
                    .is_some()
                {
                    self.want_if_missing(from, round, id);
                }
                Ok(())
            }
            Message::Round(certificate) => {
                self.feed(CoreInput::RoundCertificate((&certificate).into()))
            }
            Message::Want(want) => {
                self.answer(from, want);
                Ok(())
            }
        }
    }

    fn receive_vote(&mut self, from: Address, signed: &Signed<Vote>) -> Result<(), Halt> {
        let Some(running) = &self.running else {
            return Ok(());
        };
        if running.params.validators.power_of(signed.message.voter) == 0 {
            self.discard(from, Discard::Stranger);
            return Ok(());
        }
        // Whoever has proven often enough that it equivocates costs no further verification.
        if running
            .core
            .driver
            .votes()
            .is_saturated_conflict(&signed.into())
        {
            return Ok(());
        }
        if !self.effects.verifier.holds(signed) {
            self.discard(from, Discard::BadSignature);
            return Ok(());
        }
        self.feed(CoreInput::Vote(signed.into()))?;
        let Some(running) = &self.running else {
            return Ok(());
        };
        // Only a vote that counts may make this node ask for something.
        let counts = running.core.driver.votes().has_vote(&signed.into());
        if let Some(id) = signed.message.block_hash.filter(|_| counts) {
            self.want_if_missing(from, signed.message.round, id);
        }
        Ok(())
    }

    fn receive_proposal(&mut self, from: Address, signed: &Signed<Proposal>) -> Result<(), Halt> {
        let Some(running) = &self.running else {
            return Ok(());
        };
        let proposal = &signed.message;
        let place = (proposal.round, proposal.candidate.id());
        if running.is_decided() || running.proposals.get(&place) == Some(signed) {
            return Ok(());
        }
        // V1, and the core's own limits; the signature last, since it costs most.
        let fits = filter::admit(proposal, self.network, &running.validators)
            .and_then(|()| running.has_room(proposal));
        if let Err(why) = fits {
            self.discard(from, why);
            return Ok(());
        }
        if !self.effects.verifier.holds(signed) {
            self.discard(from, Discard::BadSignature);
            return Ok(());
        }
        self.feed(CoreInput::Proposal(signed.into()))?;
        if let Some(running) = &mut self.running {
            running.note(signed);
        }
        Ok(())
    }

    /// D4: peers repeat what this node signed, in certificates too, and while this node is held. What the
    /// guard does not hold was signed in a life of its key that its journal does not show. The first such
    /// message does nothing else, so that whoever reads this can silence the node first; it comes again.
    fn is_news_of_own(&mut self, message: &Message) -> bool {
        let Some(slot) = self.unknown_in(message) else {
            return false;
        };
        self.signed_elsewhere = Some(slot);
        let is_news = self.noted_elsewhere < Some(slot);
        self.noted_elsewhere = self.noted_elsewhere.max(Some(slot));
        is_news
    }

    /// A slot that a message shows signed by this key, and not here. The guard forgets lower heights.
    fn unknown_in(&mut self, message: &Message) -> Option<SignSlot> {
        if !self.may_sign(message.height()) {
            return None;
        }
        let own = self.own;
        let is_own = |signed: &Signed<Vote>| signed.message.voter == own;
        match message {
            Message::Vote(signed) => self.unknown(signed),
            Message::Proposal(signed) => self.unknown(signed),
            Message::Polka(polka) => {
                let found = polka.signed_votes().into_iter().find(is_own)?;
                self.unknown(&found)
            }
            Message::Round(round) => {
                let found = round.signed_votes().into_iter().find(is_own)?;
                self.unknown(&found)
            }
            Message::Want(_) => None,
        }
    }

    /// Whether this node signs at a height, if the guard holds what it signed there.
    fn may_sign(&self, height: Height) -> bool {
        let next = self.next.as_ref().map(|next| &next.params);
        let running = self.running.as_ref().map(|running| &running.params);
        let mut params = [next, running].into_iter().flatten();
        let params = params.find(|params| height >= params.height);
        params.is_some_and(|params| params.may_sign)
    }

    fn unknown<T: Slotted>(&mut self, signed: &Signed<T>) -> Option<SignSlot> {
        let message = &signed.message;
        let is_known = self.effects.guard.holds(message, self.network);
        let is_own = message.signer() == self.own && !is_known;
        (is_own && self.effects.verifier.holds(signed)).then(|| message.slot())
    }

    /// Asks the sender for a proposal that votes name, once until the next repetition.
    fn want_if_missing(&mut self, from: Address, round: Round, block_hash: B256) {
        let Some(running) = &mut self.running else {
            return;
        };
        let known = running.proposals.contains_key(&(round, block_hash));
        if known || running.is_decided() || !running.wanted.insert((from, round, block_hash)) {
            return;
        }
        let want = Want {
            height: running.params.height,
            round,
            block_hash,
        };
        self.effects.send(To::One(from), Message::Want(want));
    }

    fn answer(&mut self, from: Address, want: Want) {
        let Some(running) = &mut self.running else {
            return;
        };
        for message in running.answer(from, want.round, want.block_hash) {
            self.effects.send(To::One(from), message);
        }
    }

    fn discard(&mut self, from: Address, why: Discard) {
        tracing::debug!(%from, %why, "message discarded");
        self.discarded.push((from, why));
    }
}

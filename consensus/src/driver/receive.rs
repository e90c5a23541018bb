//! Messages from peers: judged here before the core sees them.

use cloverleaf_types::{Address, B256, Round};
use malachite_core_consensus::Input as CoreInput;

use super::guard::Slotted;
use super::output::To;
use super::{Driver, filter};
use crate::context::core_round;
use crate::error::{Discard, Halt};
use crate::message::{Message, Proposal, Signed, Vote, Want};

impl Driver {
    /// Takes a message for the running height, keeps one for the next two (C3), drops the rest.
    pub(super) fn receive(&mut self, from: Address, message: Message) -> Result<(), Halt> {
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
        self.note_own(signed.message.voter, &signed.message);
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
        self.note_own(proposal.proposer, proposal);
        self.feed(CoreInput::Proposal(signed.into()))?;
        if let Some(running) = &mut self.running {
            running.note(signed);
        }
        Ok(())
    }

    /// D4: peers repeat what this node signed. What it does not know was signed in a life of its key
    /// that its journal does not show.
    fn note_own<T: Slotted>(&mut self, signer: Address, message: &T) {
        let signs = self
            .running
            .as_ref()
            .is_some_and(|running| running.params.may_sign);
        if signs && signer == self.own && !self.effects.guard.holds(message, self.network) {
            self.signed_elsewhere = Some(message.slot());
        }
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

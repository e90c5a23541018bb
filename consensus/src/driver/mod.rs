//! One validator's part in deciding one height after the other, without I/O, clock or chance.
//!
//! ```text
//!            Input                                              Output, in D1's order
//!              │                                                        ▲
//!   ┌──────────▼───────────┐   ┌───────────────┐   ┌────────────────────┴───┐
//!   │ receive: V1, C3      │   │ malachite's   │   │ effects: guard (D2),   │
//!   │ pacing:  C2, C4      ├──►│ core, one per ├──►│ journal ► sends ►      │
//!   │ readiness: V2, V3    │   │ height        │   │ decision ► wake-up     │
//!   └──────────┬───────────┘   └───────────────┘   └────────────────────────┘
//!              ▼
//!         Application
//! ```

mod buffer;
mod effects;
mod filter;
mod guard;
mod heard;
mod heights;
mod output;
mod pacing;
mod readiness;
mod receive;
mod replay;
mod running;
mod timers;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use cloverleaf_types::{Address, B256, Bound, Height, NetworkId, Recover, Round, Signer, VoteKind};
use malachite_core_consensus::{Error as CoreError, Input as CoreInput, process};
use malachite_core_types::TimeoutKind;

use crate::application::Application;
use crate::context::{Ctx, to_certificate};
use crate::error::{Discard, Halt};
use crate::evidence::{EVIDENCE_KEPT_MAX, Evidence, EvidenceLog};
use crate::journal_entry::JournalEntry;
use crate::message::Message;
use crate::verifier::{self, Verifier};
use buffer::Buffer;
use effects::Effects;
pub use guard::{SignSlot, SignStep};
pub use output::{Decision, Input, Output, To};
use pacing::{Next, Pacing};
use running::Running;

/// Where a driver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The running height, or the one before the height that has not started yet.
    pub height: Height,
    /// The running round.
    pub round: Round,
    /// Whether the running height is decided.
    pub is_decided: bool,
    /// Values that wait for the application to judge them (V3).
    pub waiting: usize,
}

/// Drives malachite's core from height to height.
///
/// Deterministic: the same inputs at the same times with the same answers of the application give
/// the same outputs.
pub struct Driver {
    network: NetworkId,
    own: Address,
    effects: Effects,
    buffer: Buffer,
    pacing: Pacing,
    running: Option<Running>,
    next: Option<Next>,
    evidence: EvidenceLog,
    /// Evidence that came too late for the decision of its height.
    late_evidence: Vec<Evidence>,
    decision: Option<Box<Decision>>,
    discarded: Vec<(Address, Discard)>,
    changed: bool,
    /// No height is begun.
    held: bool,
    /// A slot that this key signed, and not here.
    signed_elsewhere: Option<SignSlot>,
    /// The latest such slot that was told.
    noted_elsewhere: Option<SignSlot>,
    woken_at_ms: Option<u64>,
    paused: bool,
    halted: bool,
}

impl Driver {
    /// A driver that signs with a key. It does nothing before its first [`Input::Start`].
    #[must_use]
    pub fn new(network: NetworkId, signer: Arc<dyn Signer>, recover: Arc<dyn Recover>) -> Self {
        let verifier = Verifier::new(network, recover);
        Self {
            network,
            own: signer.address(),
            effects: Effects::new(network, signer, verifier),
            buffer: Buffer::default(),
            pacing: Pacing::new(network),
            running: None,
            next: None,
            evidence: EvidenceLog::default(),
            late_evidence: Vec::new(),
            decision: None,
            discarded: Vec::new(),
            changed: false,
            held: false,
            signed_elsewhere: None,
            noted_elsewhere: None,
            woken_at_ms: None,
            paused: false,
            halted: false,
        }
    }

    /// Takes one input and says what must be done, in order. `now_ms` is the time that
    /// timestamps are made of, in milliseconds since 1970; the driver never lets it fall.
    ///
    /// After an [`Output::Halt`] it gives no more output.
    pub fn handle(
        &mut self,
        now_ms: u64,
        input: Input,
        application: &mut dyn Application,
    ) -> Vec<Output> {
        if self.halted {
            return Vec::new();
        }
        self.effects.now_ms = self.effects.now_ms.max(now_ms);
        let noted = self.noted_elsewhere;
        let accepted = self.accept(input);
        if accepted.is_ok() && self.noted_elsewhere != noted {
            return self.release(); // D4: nothing is signed before that is told.
        }
        match accepted.and_then(|()| self.settle(application)) {
            Ok(()) => self.release(),
            Err(halt) => {
                self.halted = true;
                vec![Output::Halt(halt)]
            }
        }
    }

    /// Where the driver is.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.running {
            Some(running) => Status {
                height: running.params.height,
                round: running.round(),
                is_decided: running.is_decided(),
                waiting: running.waiting.len(),
            },
            None => {
                let height = self.floor();
                Status {
                    height,
                    round: Round::FIRST,
                    is_decided: true,
                    waiting: 0,
                }
            }
        }
    }

    /// How many messages this node signed since its start, those that a restart repeats included.
    #[must_use]
    pub fn signed(&self) -> u64 {
        self.effects.signed
    }

    /// The latest message that this node signed: what the vote journal carries over when it drops
    /// a height's entries (D2).
    #[must_use]
    pub fn last_signed(&self) -> Option<&JournalEntry> {
        self.effects.guard.last()
    }

    /// Whether this node knows that it precommitted a block: it did so in this height, or the journal
    /// that it started from says so. What it knows of heights below the running one it forgets.
    #[must_use]
    pub fn has_precommitted(&self, height: Height, round: Round, block_hash: B256) -> bool {
        let step = SignStep::Precommit;
        let slot = SignSlot {
            height,
            round,
            step,
        };
        self.effects.guard.holds_block(slot, block_hash)
    }

    /// The equivocations seen lately, oldest first.
    pub fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        self.evidence.iter()
    }

    /// What grows in it with what others send.
    #[must_use]
    pub fn bounds(&self) -> [Bound; 4] {
        let verifier = &self.effects.verifier;
        let running = self.running.as_ref();
        let (validators, round) = running.map_or((0, Round(0)), |running| {
            (running.params.validators.len(), running.round())
        });
        [
            self.effects.heard.bound(validators, round),
            Bound::new("early_messages", self.buffer.len(), buffer::MESSAGES_MAX),
            Bound::new("signatures", verifier.len(), verifier::RESULTS_KEPT_MAX),
            Bound::new("vote_evidence", self.evidence.len(), EVIDENCE_KEPT_MAX),
        ]
    }

    fn accept(&mut self, input: Input) -> Result<(), Halt> {
        match input {
            Input::Start { params, journal } => self.prepare(params, journal),
            // D6: the core may sign on any message.
            Input::Message { .. } if self.paused => {}
            Input::Message { from, message } => return self.receive(from, message),
            Input::Connected { peer } => self.greet(peer),
            Input::Certified { height } => self.pacing.certify(height),
            Input::Changed => self.changed = true,
            Input::Hold => self.held = true,
            Input::Release { may_sign } => self.release_height(may_sign),
            Input::Silence => self.silence(),
            Input::Tick => self.woken_at_ms = None,
            Input::Pause => self.paused = true,
            Input::Resume => self.paused = false,
        }
        Ok(())
    }

    /// Goes on until nothing more follows from what is known at this time.
    fn settle(&mut self, application: &mut dyn Application) -> Result<(), Halt> {
        if self.paused {
            return Ok(()); // D6
        }
        while self.begin_if_due(application)?
            || self.fire_due_timer()?
            || self.leave_dead_round()?
            || self.propose_if_asked(application)
            || self.judge_waiting(application)?
        {}
        self.note_decision()
    }

    // D1: journal and sync, sends, decision, the rest.
    fn release(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.effects.release(&mut outputs);
        outputs.extend(self.signed_elsewhere.take().map(Output::SignedElsewhere));
        outputs.extend(self.decision.take().map(Output::Decided));
        let discarded = self.discarded.drain(..);
        outputs.extend(discarded.map(|(from, why)| Output::Discarded { from, why }));
        let wake_at_ms = self.next_wake_ms();
        if wake_at_ms != self.woken_at_ms {
            self.woken_at_ms = wake_at_ms;
            outputs.extend(wake_at_ms.map(Output::WakeAt));
        }
        outputs
    }

    fn next_wake_ms(&self) -> Option<u64> {
        if self.paused {
            return None;
        }
        let now_ms = self.effects.now_ms;
        let pacing = self
            .next
            .as_ref()
            .and_then(|next| self.pacing.next_ms(next, now_ms));
        let waiting = self
            .running
            .iter()
            .flat_map(|running| running.waiting.values());
        let again = waiting.filter_map(|waiting| waiting.again_ms).min();
        [self.effects.timers.next_ms(), pacing, again]
            .into_iter()
            .flatten()
            .min()
    }

    fn fire_due_timer(&mut self) -> Result<bool, Halt> {
        let Some(timeout) = self.effects.timers.take_due(self.effects.now_ms) else {
            return Ok(false);
        };
        if let Some(running) = &mut self.running
            && timeout.kind == TimeoutKind::Rebroadcast
        {
            running.wanted.clear();
        }
        self.feed(CoreInput::TimeoutElapsed(timeout))?;
        Ok(true)
    }

    /// A quorum of nil precommits ends a round: waiting for its timeout would only cost time.
    fn leave_dead_round(&mut self) -> Result<bool, Halt> {
        let Some(round) = self.running.as_ref().and_then(Running::dead_round) else {
            return Ok(false);
        };
        let timeout = malachite_core_types::Timeout::precommit(round);
        self.feed(CoreInput::TimeoutElapsed(timeout))?;
        Ok(true)
    }

    /// Lets the core process one input.
    fn feed(&mut self, input: CoreInput<Ctx>) -> Result<(), Halt> {
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        let sent = self.effects.send_count();
        let (effects, params) = (&mut self.effects, &running.params);
        let result: Result<(), CoreError<Ctx>> = process!(
            input: input,
            state: &mut running.core,
            metrics: &(),
            with: effect => effects.handle(effect, params)
        );
        if let Some(halt) = self.effects.halt.take() {
            return Err(halt);
        }
        if let Err(error) = result {
            judge_error(error, running)?;
        }
        self.follow_own_messages(sent);
        Ok(())
    }

    /// Notes own proposals, and sends with an own precommit in a later round why it is right.
    fn follow_own_messages(&mut self, sent: usize) {
        let Some(running) = &mut self.running else {
            return;
        };
        let new: Vec<Message> = self
            .effects
            .sends_since(sent)
            .iter()
            .map(|(_, message)| message.clone())
            .collect();
        for message in new {
            match message {
                Message::Proposal(signed) => running.note(&signed),
                Message::Vote(signed) if signed.message.kind == VoteKind::Precommit => {
                    let (round, block_hash) = (signed.message.round, signed.message.block_hash);
                    let Some(id) = block_hash.filter(|_| round > Round::FIRST) else {
                        continue;
                    };
                    for reason in running.reasons_for_precommit(round, id) {
                        self.effects.send(To::All, reason);
                    }
                }
                _ => {}
            }
        }
    }

    fn note_decision(&mut self) -> Result<(), Halt> {
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        let Some(certificate) = self.effects.decided.take() else {
            return Ok(());
        };
        let Some((_, candidate)) = running.core.decided_value() else {
            return Ok(());
        };
        let validators = running.validators.set();
        let certificate = to_certificate(&certificate, validators);
        let (height, verifier) = (running.params.height, &mut self.effects.verifier);
        let certified = verifier.check_certificate(&certificate, height, &candidate, validators);
        certified.map_err(|reason| Halt::Uncertified {
            height,
            round: certificate.round,
            block_hash: candidate.id(),
            reason,
        })?;
        running.waiting.clear();
        self.effects.timers.keep_repeating();
        let mut evidence = core::mem::take(&mut self.late_evidence);
        let found = core::mem::take(&mut self.effects.evidence);
        evidence.extend(found.into_iter().filter(|piece| self.evidence.keep(piece)));
        self.decision = Some(Box::new(Decision {
            candidate,
            certificate,
            evidence,
        }));
        Ok(())
    }

    fn greet(&mut self, peer: Address) {
        let Some(running) = &self.running else { return };
        let messages = running.state_for_peer().into_iter();
        let votes = self.effects.heard.votes_of(peer).map(Message::Vote);
        let messages: Vec<_> = messages.chain(votes).collect();
        for message in messages {
            self.effects.send(To::One(peer), message);
        }
    }
}

/// What an error of the core means. One is harmless: a lock without its certificate cannot be
/// proposed, which leaves the round to the next proposer.
fn judge_error(error: CoreError<Ctx>, running: &Running) -> Result<(), Halt> {
    match error {
        CoreError::MissingPolkaCertificate(..) => {
            tracing::warn!(%error, "nothing sent");
            Ok(())
        }
        CoreError::ReplayDivergence(..) => Err(Halt::ReplayDiverged {
            reason: error.to_string(),
        }),
        other => Err(Halt::Core {
            height: running.params.height,
            round: running.round(),
            reason: other.to_string(),
        }),
    }
}

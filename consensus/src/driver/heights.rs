//! From height to height: prepare, begin, replay, let go.

use cloverleaf_types::Height;
use malachite_core_consensus::Input as CoreInput;
use malachite_core_types::VoteExtensionPolicy;

use super::effects::{proposal_evidence, vote_evidence};
use super::output::To;
use super::pacing::Next;
use super::running::Running;
use super::{Driver, replay};
use crate::application::Application;
use crate::context::{CoreHeight, HeightParams};
use crate::error::Halt;
use crate::evidence::Evidence;
use crate::journal_entry::JournalEntry;

impl Driver {
    /// The highest height that is decided or running: C3 looks ahead from here.
    pub(super) fn floor(&self) -> Height {
        match (&self.next, &self.running) {
            (Some(next), _) => next.params.height.back(1),
            (None, Some(running)) => running.params.height,
            (None, None) => Height::GENESIS,
        }
    }

    pub(super) fn prepare(&mut self, params: HeightParams, journal: Vec<JournalEntry>) {
        for entry in &journal {
            self.effects.guard.load(self.network, self.own, entry);
        }
        let known = self.next.as_ref().map(|next| next.params.height);
        let current = self.running.as_ref().map(|running| running.params.height);
        if known
            .max(current)
            .is_some_and(|height| height >= params.height)
        {
            tracing::warn!(height = %params.height, "told to start a height again; ignored");
            return;
        }
        // C4: the block of a running height came by sync; without it a decided height goes on
        // repeating its votes until the next one starts.
        if self
            .running
            .as_ref()
            .is_some_and(|running| !running.is_decided())
        {
            self.retire();
            self.effects.timers.clear();
        }
        let height = params.height;
        let journal = journal
            .into_iter()
            .filter(|entry| entry.height() == height)
            .collect();
        self.next = Some(Next::new(params, journal, self.effects.now_ms));
    }

    /// Heights begin again.
    pub(super) fn release_height(&mut self, may_sign: bool) {
        self.held = false;
        if let Some(next) = &mut self.next {
            next.params.may_sign = may_sign;
            if !may_sign {
                next.journal.clear();
            }
        }
    }

    /// Nothing is signed any more. What was signed here before may still be repeated.
    pub(super) fn silence(&mut self) {
        if let Some(running) = &mut self.running {
            running.params.may_sign = false;
            running.core.params.enabled = false;
        }
        if let Some(next) = &mut self.next {
            next.params.may_sign = false;
        }
    }

    pub(super) fn begin_if_due(&mut self, application: &mut dyn Application) -> Result<bool, Halt> {
        if self.held {
            return Ok(false);
        }
        let now_ms = self.effects.now_ms;
        let due = |next: &mut Next| self.pacing.is_due(next, now_ms, &self.buffer, application);
        let Some(next) = self.next.take_if(due) else {
            return Ok(false);
        };
        let Next {
            params,
            validators,
            journal,
            ..
        } = next;
        self.retire();
        self.effects.begin(&params);
        self.pacing.started(now_ms);
        let height = params.height;
        tracing::debug!(%height, replayed = journal.len(), "height started");
        self.running = Some(Running::new(params, validators.clone(), self.own));
        let policy = VoteExtensionPolicy::Disabled;
        let core_height = CoreHeight(height);
        self.feed(CoreInput::StartHeight(
            core_height,
            validators,
            false,
            None,
            policy,
        ))?;
        self.replay(journal)?;
        for (from, message) in self.buffer.take(height) {
            self.receive(from, message)?;
        }
        Ok(true)
    }

    /// Takes a restarted node back to where it last signed something. What the core asks for on
    /// the way is done as ever: entries are not journalled twice, signatures are the stored ones,
    /// and a value is only built afterwards, if the core then still wants one.
    pub(super) fn replay(&mut self, journal: Vec<JournalEntry>) -> Result<(), Halt> {
        let inputs: Vec<_> = journal.iter().filter_map(replay::input_of).collect();
        if let Some(running) = &mut self.running {
            running.core.index_wal_entries(&inputs);
            for entry in &journal {
                running.take_note(entry);
            }
        }
        self.effects.replaying = journal;
        for input in inputs {
            self.feed(input)?;
        }
        let replayed = !core::mem::take(&mut self.effects.replaying).is_empty();
        if let Some(running) = &mut self.running {
            running.core.reset_entries_index();
            // The core sends its votes again by itself, but not its proposal.
            for message in running.state_for_peer().into_iter().filter(|_| replayed) {
                self.effects.send(To::All, message);
            }
        }
        Ok(())
    }

    /// Lets go of the running height, keeping what it saw of equivocations.
    pub(super) fn retire(&mut self) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        let votes = running.core.driver.take_vote_evidence().into_iter();
        let proposals = running.core.driver.take_proposal_evidence().into_iter();
        let votes = votes.flat_map(|(_, pairs)| pairs).map(vote_evidence);
        let proposals = proposals
            .flat_map(|(_, pairs)| pairs)
            .map(proposal_evidence);
        let heard = core::mem::take(&mut self.effects.evidence);
        let found: Vec<Evidence> = votes.chain(proposals).chain(heard).collect();
        self.effects.heard.clear();
        self.late_evidence
            .extend(found.into_iter().filter(|piece| self.evidence.keep(piece)));
        self.late_evidence
            .truncate(crate::evidence::EVIDENCE_KEPT_MAX);
    }
}

//! V2 and V3: what the core is told about values, and when.

use cloverleaf_types::B256;
use malachite_core_consensus::{Input as CoreInput, LocallyProposedValue};

use super::running::Waiting;
use super::{Driver, filter, replay};
use crate::application::{Application, Validity};
use crate::context::{Candidate, CoreHeight, core_round};
use crate::error::Halt;

impl Driver {
    /// Builds the value that the core wants, if it still does: after a replay it may have one.
    /// It then waits for its verdict like any other (V2): `Propose` would stamp it valid unasked.
    pub(super) fn propose_if_asked(&mut self, application: &mut dyn Application) -> bool {
        let Some(round) = self.effects.value_wanted.take() else {
            return false;
        };
        let Some(running) = &mut self.running else {
            return false;
        };
        if !running.is_proposing(round) {
            return true;
        }
        let height = running.params.height;
        let candidate = Candidate::new(application.build(height, round, self.effects.now_ms));
        if let Err(error) = filter::fits(&candidate, self.network, height, (round, None)) {
            tracing::error!(%height, %round, %error, "own value is unfit; nothing proposed");
            return true;
        }
        let waiting = Waiting {
            round,
            pol_round: None,
            proposer: self.own,
            own: true,
            asked: false,
            waived: false,
            again_ms: None,
            candidate,
        };
        running.waiting.insert(waiting.candidate.id(), waiting);
        true
    }

    /// Asks the application about one value for which something changed; false when none is left.
    pub(super) fn judge_waiting(
        &mut self,
        application: &mut dyn Application,
    ) -> Result<bool, Halt> {
        let now_ms = self.effects.now_ms;
        let Some(running) = &mut self.running else {
            return Ok(false);
        };
        if core::mem::take(&mut self.changed) {
            running
                .waiting
                .values_mut()
                .for_each(|waiting| waiting.asked = false);
        }
        let due = running
            .waiting
            .iter()
            .find(|(id, waiting)| waiting.is_due(now_ms, running.is_waived(**id)));
        let Some(id) = due.map(|(id, _)| *id) else {
            return Ok(false);
        };
        self.judge(id, application)?;
        Ok(true)
    }

    fn judge(&mut self, id: B256, application: &mut dyn Application) -> Result<(), Halt> {
        let now_ms = self.effects.now_ms;
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        let waived = running.is_waived(id);
        let Some(waiting) = running.waiting.get_mut(&id) else {
            return Ok(());
        };
        match application.check(&waiting.candidate, now_ms, waived) {
            Validity::Valid => self.tell(id, true),
            Validity::Invalid(reason) => {
                let height = running.params.height;
                tracing::warn!(%height, block = %id, %reason, "value is invalid");
                self.tell(id, false)
            }
            // V3: consensus is told nothing.
            Validity::NotReady { again_ms } => {
                waiting.asked = true;
                waiting.waived = waived;
                waiting.again_ms = again_ms.map(|at_ms| at_ms.max(now_ms.saturating_add(1)));
                Ok(())
            }
        }
    }

    fn tell(&mut self, id: B256, valid: bool) -> Result<(), Halt> {
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        let Some(waiting) = running.waiting.remove(&id) else {
            return Ok(());
        };
        if !waiting.own {
            running.judged.insert(id);
            let judged = waiting.judged(&running.params, valid);
            return self.feed(replay::verdict(&judged));
        }
        if !valid || !running.is_proposing(waiting.round) {
            tracing::warn!(block = %id, valid, "own value is not proposed");
            return Ok(());
        }
        running.judged.insert(id);
        let (height, round) = (CoreHeight(running.params.height), core_round(waiting.round));
        let value = waiting.candidate;
        self.feed(CoreInput::Propose(LocallyProposedValue {
            height,
            round,
            value,
        }))
    }
}

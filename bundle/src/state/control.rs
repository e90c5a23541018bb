//! What control transactions may change, and how (S1).
//!
//! A control transaction of block h is judged by the state before h and the control transactions
//! before it in h; what it changes holds from h + 1. Its signature was checked by its author and by
//! every validator before it acknowledged the parcel (L1), so nothing here computes on curves (S2).

use alloy_primitives::Address;
use cloverleaf_types::limits::ROLLUPS_MAX;
use cloverleaf_types::rollup::Status;
use cloverleaf_types::{
    Action, ChainId, ControlTransaction, Head, Parameters, Rollup, ValidatorChange,
};

use super::{Metering, RollupState, State};
use crate::error::ControlError;

/// Whose signature an action asks for.
const AUTHORITY: &str = "the network's authority";
/// Whose signature an action asks for.
const OPERATOR: &str = "the rollup's operator or the network's authority";

impl State {
    /// Who signs for the network.
    #[must_use]
    pub fn authority(&self) -> Address {
        self.authority
    }

    /// The next nonce of a signer of control transactions.
    #[must_use]
    pub fn control_nonce(&self, signer: Address) -> u64 {
        self.nonces.get(&signer).copied().unwrap_or_default()
    }

    /// Checks what the next block asks of a control transaction, but for its signature.
    ///
    /// # Errors
    /// The first rule that it breaks. Its signer is at fault.
    pub fn check_control(&self, transaction: &ControlTransaction) -> Result<(), ControlError> {
        let ControlTransaction { signer, draft, .. } = transaction;
        let (found, expected) = (draft.nonce, self.control_nonce(*signer));
        match &draft.action {
            Action::RegisterRollup(_) | Action::ScheduleValidator(_) | Action::SetParameters(_) => {
                self.need_authority(*signer)?
            }
            Action::ChangeRollup(Rollup { chain_id, .. })
            | Action::SetRollupStatus { chain_id, .. } => self.need_operator(*signer, *chain_id)?,
        }
        if found != expected {
            let signer = *signer;
            return Err(ControlError::Nonce {
                signer,
                found,
                expected,
            });
        }
        match &draft.action {
            Action::RegisterRollup(rollup) => self.check_new_rollup(rollup),
            Action::ChangeRollup(rollup) => self.check_changed_rollup(*signer, rollup),
            Action::SetRollupStatus { .. } => Ok(()),
            Action::ScheduleValidator(change) => self.check_change(change),
            Action::SetParameters(parameters) => self.check_parameters(parameters),
        }
    }

    /// Does what a control transaction says.
    ///
    /// # Errors
    /// [`Self::check_control`]; then nothing has changed.
    pub(crate) fn enact(&mut self, transaction: &ControlTransaction) -> Result<(), ControlError> {
        self.check_control(transaction)?;
        let nonce = transaction.draft.nonce + 1;
        self.nonces.insert(transaction.signer, nonce);
        match &transaction.draft.action {
            Action::RegisterRollup(rollup) => self.register(rollup.clone()),
            Action::ChangeRollup(rollup) => {
                self.change(rollup.chain_id, |entry| *entry = rollup.clone());
            }
            Action::SetRollupStatus { chain_id, status } => {
                self.change(*chain_id, |entry| entry.status = *status);
            }
            Action::ScheduleValidator(change) => self.schedule(change.clone()),
            Action::SetParameters(parameters) => self.parameters = *parameters,
        }
        Ok(())
    }

    fn need_authority(&self, signer: Address) -> Result<(), ControlError> {
        if signer == self.authority {
            return Ok(());
        }
        let needed = AUTHORITY;
        Err(ControlError::NotAllowed { signer, needed })
    }

    /// The rollup exists, can still be changed, and the signer may do so.
    fn need_operator(&self, signer: Address, chain_id: ChainId) -> Result<(), ControlError> {
        if chain_id == ChainId::CONTROL {
            return Err(ControlError::ControlChain);
        }
        let found = self.rollup(chain_id);
        let entry = &found
            .ok_or(ControlError::UnknownRollup { chain_id })?
            .rollup;
        if signer != entry.operator && signer != self.authority {
            let needed = OPERATOR;
            return Err(ControlError::NotAllowed { signer, needed });
        }
        match entry.status {
            Status::Retired => Err(ControlError::Retired { chain_id }),
            Status::Active | Status::Paused => Ok(()),
        }
    }

    fn check_new_rollup(&self, rollup: &Rollup) -> Result<(), ControlError> {
        rollup.check()?;
        let chain_id = rollup.chain_id;
        if self.rollup(chain_id).is_some() {
            return Err(ControlError::RollupExists { chain_id });
        }
        // Chain 0 is registered, and no rollup in the sense of the limit.
        if self.rollups.len() > ROLLUPS_MAX {
            return Err(ControlError::TooManyRollups);
        }
        match rollup.status {
            Status::Retired => Err(ControlError::Retired { chain_id }),
            Status::Active | Status::Paused => Ok(()),
        }
    }

    fn check_changed_rollup(&self, signer: Address, to: &Rollup) -> Result<(), ControlError> {
        to.check()?;
        let chain_id = to.chain_id;
        let found = self.rollup(chain_id);
        let from = &found
            .ok_or(ControlError::UnknownRollup { chain_id })?
            .rollup;
        let fixed = |field| Err(ControlError::Fixed { chain_id, field });
        if to.format != from.format {
            return fixed("format");
        }
        if to.status != from.status {
            return fixed("status");
        }
        // What a rollup takes from the others is not its operator's to choose. Nor is the next
        // operator: every signer's nonce is kept for ever, and who hands over to keys without end
        // would fill the state.
        let same = (to.share, to.weight_limit, to.operator)
            == (from.share, from.weight_limit, from.operator);
        if same {
            Ok(())
        } else {
            self.need_authority(signer)
        }
    }

    /// The window of W1 follows from the blocks alone; one that grew would need ids that running
    /// validators have forgotten and starting ones still read.
    fn check_parameters(&self, parameters: &Parameters) -> Result<(), ControlError> {
        parameters.check()?;
        let expected = self.parameters.replay_window_ms;
        if parameters.replay_window_ms != expected {
            return Err(ControlError::ReplayWindow { expected });
        }
        Ok(())
    }

    fn register(&mut self, rollup: Rollup) {
        let chain_id = rollup.chain_id;
        let head = Head::empty(self.network, chain_id);
        self.index_of_rollup.insert(chain_id, self.rollups.len());
        self.heads.push(head.leaf_hash()); // M3
        self.rollups.push(RollupState {
            rollup,
            head,
            metering: Metering::default(),
        });
    }

    fn change(&mut self, chain_id: ChainId, change: impl FnOnce(&mut Rollup)) {
        if let Some(index) = self.index_of_rollup.get(&chain_id) {
            change(&mut self.rollups[*index].rollup);
        }
    }

    fn schedule(&mut self, change: ValidatorChange) {
        let place = (change.effective, change.address);
        self.scheduled.insert(place, change);
    }
}

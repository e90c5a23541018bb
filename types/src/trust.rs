//! What a light client trusts: who decides which height, learned from chain 0 (S1).
//!
//! ```text
//! trust root ─► chain 0's next batch, decided by a known set ─► its control transactions ─► next sets
//! ```
//! A change takes effect two heights after its block or later, so whoever has read chain 0 up to a
//! block knows who decides the two heights after it.

use std::borrow::Cow;

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::control::{Action, ControlTransaction};
use crate::error::DecodeError;
use crate::genesis::Genesis;
use crate::head::Head;
use crate::validator::{ValidatorChange, ValidatorSet, ValidatorSetError};
use crate::{ChainId, Height};

/// A validator set that a light client trusts, and what it knows of the sets after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustRoot {
    /// The network.
    pub network: B256,
    /// The first height that the set is known to decide.
    pub height: Height,
    /// When it was last known to decide, in milliseconds since 1970: the time of the latest block of
    /// it that was verified.
    pub time_ms: u64,
    /// For how long after that time it is trusted, in milliseconds: validators that have left may
    /// lose their keys some day.
    pub trust_period_ms: u64,
    /// The set.
    pub validators: ValidatorSet,
    /// Changes that were decided for later heights, in the order in which they were decided.
    pub scheduled: Vec<ValidatorChange>,
    /// Chain 0's latest batch of which all this takes account.
    pub control: Head,
}

/// Chain 0's batch cannot be followed. It was decided, so this side is of another version, or trusts
/// another network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A transaction that this version does not understand.
    #[error("control transaction {position}: {source}")]
    Transaction {
        /// Its position in the batch.
        position: usize,
        /// What is wrong.
        source: DecodeError,
    },
    /// A change that leads to no set.
    #[error("a change of the validators for height {height}: {source}")]
    Validators {
        /// The change's height.
        height: Height,
        /// What is wrong.
        source: ValidatorSetError,
    },
}

impl TrustRoot {
    /// The root of a network's beginning.
    ///
    /// # Errors
    /// The validators are no set.
    pub fn genesis(genesis: &Genesis) -> Result<Self, ValidatorSetError> {
        let network = genesis.network();
        Ok(Self {
            network,
            height: Height::GENESIS,
            time_ms: genesis.time_ms,
            trust_period_ms: genesis.parameters.trust_period_ms,
            validators: genesis.validator_set()?,
            scheduled: Vec::new(),
            control: Head::empty(network, ChainId::CONTROL),
        })
    }

    /// The set that decides a height from the root's on, as far as this root knows.
    #[must_use]
    pub fn set_at(&self, height: Height) -> Cow<'_, ValidatorSet> {
        let heights = self.scheduled.iter().map(|change| change.effective);
        if heights.min().is_none_or(|first| first > height) {
            return Cow::Borrowed(&self.validators);
        }
        let set = self.changed_set(height);
        Cow::Owned(set.unwrap_or_else(|_| self.validators.clone())) // `follow` has seen to that
    }

    /// True while the set may be trusted, at a time in milliseconds since 1970.
    #[must_use]
    pub fn is_fresh(&self, now_ms: u64) -> bool {
        now_ms <= self.time_ms.saturating_add(self.trust_period_ms)
    }

    /// Takes note that a block was verified, of a time in milliseconds since 1970.
    pub fn saw(&mut self, timestamp_ms: u64) {
        self.time_ms = self.time_ms.max(timestamp_ms);
    }

    /// Takes in chain 0's next batch, which a set that this root knows has decided. From then on the
    /// root begins at the batch's height.
    ///
    /// # Errors
    /// The batch cannot be followed; the root is as before.
    pub fn follow(&mut self, batch: &Batch) -> Result<(), TrustError> {
        let mut next = self.clone();
        for (position, raw) in batch.transactions().iter().enumerate() {
            let decoded = ControlTransaction::decode(raw);
            let decoded = decoded.map_err(|source| TrustError::Transaction { position, source })?;
            match &decoded.claimed().draft.action {
                Action::ScheduleValidator(change) => next.schedule(change.clone()),
                Action::SetParameters(parameters) => {
                    next.trust_period_ms = parameters.trust_period_ms;
                }
                Action::RegisterRollup(_)
                | Action::ChangeRollup(_)
                | Action::SetRollupStatus { .. } => {}
            }
        }
        let header = batch.header();
        next.control = Head::of(header);
        for height in next.scheduled.iter().map(|change| change.effective) {
            let set = next.changed_set(height);
            set.map_err(|source| TrustError::Validators { height, source })?;
        }
        next.advance(header.height, header.timestamp_ms);
        *self = next;
        Ok(())
    }

    /// Begins at a later height, up to which chain 0 holds nothing more than is known here.
    pub fn advance(&mut self, height: Height, timestamp_ms: u64) {
        self.saw(timestamp_ms);
        if height > self.height {
            self.validators = self.set_at(height).into_owned();
            self.height = height;
            self.scheduled.retain(|change| change.effective > height);
        }
    }

    /// A second change of a validator for a height takes the place of the first (S1).
    fn schedule(&mut self, change: ValidatorChange) {
        let place = |change: &ValidatorChange| (change.effective, change.address);
        self.scheduled
            .retain(|known| place(known) != place(&change));
        self.scheduled.push(change);
    }

    fn changed_set(&self, height: Height) -> Result<ValidatorSet, ValidatorSetError> {
        let mut changes: Vec<&ValidatorChange> = self
            .scheduled
            .iter()
            .filter(|change| change.effective <= height)
            .collect();
        changes.sort_by_key(|change| change.effective);
        let mut set = self.validators.clone();
        for changes in changes.chunk_by(|left, right| left.effective == right.effective) {
            set = set.changed(changes.iter().copied())?;
        }
        Ok(set)
    }
}

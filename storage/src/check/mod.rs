//! Walks a whole store and holds everything in it against everything else.
//!
//! ```text
//!  genesis ─► chain 0's batches ─► validators ─► certificates
//!  genesis ─► block ─► apply ─► … ─► state of the tip        (nothing was pruned)
//!  block ─► batches ─► heads ─► state of the tip
//!        └► ids, manifests ─► places
//! ```

mod places;
mod trusted;
mod walk;

use std::fmt;

use cloverleaf_bundle::State;
use cloverleaf_types::signature::Recover;
use cloverleaf_types::{Genesis, Height, TrustRoot};

use crate::column::Column;
use crate::error::StoreError;
use crate::store::{Store, meta};
use places::Places;
use walk::Walk;

/// Findings that are told one by one: a damaged index can have one for each transaction.
pub const FINDINGS_MAX: usize = 1_000;

/// Something that is not as it was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The block where it was found.
    pub height: Height,
    /// What it is, and where.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "block {}: {}", self.height, self.what)
    }
}

/// What was checked, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The first whole block.
    pub first: Height,
    /// The latest.
    pub last: Height,
    /// Blocks whose parts were hashed and led to their header.
    pub blocks: u64,
    /// Certificates that the validators of their height signed.
    pub certificates: u64,
    /// Certificates of heights whose validators are not known any more after damage.
    pub certificates_unknown: u64,
    /// States that followed from the one before by their block alone; none when blocks were pruned.
    pub states: u64,
    /// Batches, each chained to the one before and led to its block's `heads_root`.
    pub batches: u64,
    /// Chain 0's batches of blocks that were pruned, checked like the others.
    pub control_batches: u64,
    /// Transactions whose place the index knows.
    pub transactions: u64,
    /// Transactions whose place a crash took: the next start makes it again.
    pub unindexed: u64,
    /// Bundles whose place the index knows.
    pub bundles: u64,
    /// What is wrong, the first [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub findings_untold: u64,
}

impl Checked {
    /// True if nothing was found.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    fn unreadable(&mut self, height: Height, error: StoreError) {
        match error {
            StoreError::Damaged { what, .. } => self.found(height, what),
            error => self.found(height, error),
        }
    }

    fn found(&mut self, height: Height, what: impl fmt::Display) {
        let what = what.to_string();
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { height, what });
        } else {
            self.findings_untold += 1;
        }
    }
}

impl Store {
    /// Reads every block and compares: headers, certificates, batches, places, and the state of the
    /// tip. What is damaged is found, not an error. Nothing when there is no block.
    ///
    /// # Errors
    /// The store does not say from where to where it goes.
    pub fn check(
        &self,
        genesis: &Genesis,
        recover: &dyn Recover,
    ) -> Result<Option<Checked>, StoreError> {
        self.check_from(genesis, None, recover)
    }

    /// The same for a store that somebody else has written: what is trusted besides genesis must be on
    /// its chain, and decides from its height on.
    ///
    /// # Errors
    /// The same.
    pub fn check_from(
        &self,
        genesis: &Genesis,
        trusted: Option<TrustRoot>,
        recover: &dyn Recover,
    ) -> Result<Option<Checked>, StoreError> {
        let Some((last, tip_hash)) = self.tip() else {
            return Ok(None);
        };
        let missing = || self.database().damaged(Column::Blocks, &[], "no block");
        let first = self.first_height()?.ok_or_else(missing)?;
        let mut report = Checked {
            first,
            last,
            ..Checked::default()
        };
        let places = Places::new(self, &mut report);
        let mut walk = Walk::new(self, genesis, recover, report).trusting(trusted);
        walk.follow_pruned_control_batches();
        let mut height = first;
        while height <= last {
            if let Some(block) = walk.check_block(height) {
                places.check(&block, &mut walk.report);
            }
            height = height.next();
        }
        walk.check_tip(tip_hash);
        walk.check_window(genesis.parameters.replay_window_ms);
        let mut report = walk.report;
        places.check_end(&mut report);
        places.check_rest(&mut report);
        Ok(Some(report))
    }

    fn state_at_tip(&self) -> Result<State, StoreError> {
        let (database, key) = (self.database(), meta::STATE);
        let missing = || database.damaged(Column::Meta, key, "missing, though there are blocks");
        let bytes = self.state()?.ok_or_else(missing)?;
        let state = State::decode(&bytes);
        state.map_err(|error| database.damaged(Column::Meta, key, error))
    }

    /// The replicated state after the tip, which is the one that the tip's header names; nothing before
    /// the first block.
    ///
    /// # Errors
    /// The disk failed, or state and tip do not belong together.
    pub fn checked_state(&self) -> Result<Option<State>, StoreError> {
        let Some((height, hash)) = self.tip() else {
            return Ok(None);
        };
        let state = self.state_at_tip()?;
        let header = self.header(height)?;
        let is_named = (state.height(), state.block_hash()) == (height, hash)
            && header.is_some_and(|header| header.state_root == state.root());
        if is_named {
            return Ok(Some(state));
        }
        let why = format!("the state is not that of the tip, block {height}");
        Err(self.database().damaged(Column::Meta, meta::STATE, why))
    }
}

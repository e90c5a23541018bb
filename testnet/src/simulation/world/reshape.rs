//! Changes of the validators, from the seed or by a scenario's hand.

use cloverleaf_mempool::Submission;
use cloverleaf_types::{Address, Height, ValidatorSet};

use super::{Event, Simulation};
use crate::checker::Violation;
use crate::simulation::membership::change_of;
use crate::simulation::network::{GENESIS_MS, validator};

impl Simulation {
    /// Schedules that a machine has a power from so many heights after the earliest on; 0 removes it.
    /// One node hears of it, and may lose it.
    ///
    /// # Errors
    /// A broken invariant.
    pub fn change_validator(
        &mut self,
        host: usize,
        power: u64,
        notice: u64,
    ) -> Result<(), Violation> {
        let state = self.judge.state();
        let effective = Height(state.earliest_change().0 + notice);
        let change = change_of(&validator(host, self.hosts[host].address), power, effective);
        let now_ms = GENESIS_MS + self.now_us / 1_000;
        match self.membership.signed(state, change, now_ms) {
            Some(submission) => self.decree(&submission),
            None => Ok(()),
        }
    }

    pub(super) fn reshape(&mut self) -> Result<(), Violation> {
        let Some(interval_ms) = self.config.membership_interval_ms else {
            return Ok(());
        };
        let after_us = self.random.between(interval_ms / 2, interval_ms * 3 / 2) * 1_000;
        self.queue.push(self.now_us + after_us, Event::Reshape);
        let now_ms = GENESIS_MS + self.now_us / 1_000;
        let change = self.membership.next(self.judge.state(), now_ms);
        // Before the end all is to be left in peace.
        match change.filter(|_| self.height() < self.config.heights) {
            Some(submission) => self.decree(&submission),
            None => Ok(()),
        }
    }

    /// The authority hands a control transaction to a correct validator that answers.
    fn decree(&mut self, submission: &Submission) -> Result<(), Violation> {
        let set = self.judge.state().validators();
        let answers = |host: &usize| {
            let machine = &self.hosts[*host];
            machine.is_up() && self.is_correct(*host) && set.index_of(machine.address).is_some()
        };
        let answering: Vec<usize> = (0..self.hosts.len()).filter(answers).collect();
        if answering.is_empty() {
            return Ok(());
        }
        let host = *self.random.pick(&answering);
        let _answer = self.hosts[host].submit(self.now_us, submission);
        self.settle(host)
    }

    /// A block has led from one set to another.
    pub(super) fn count_changes(&mut self, before: &ValidatorSet) {
        let after = self.judge.state().validators().clone();
        let removed = |address: &Address| after.index_of(*address).is_none();
        let members = before
            .validators()
            .iter()
            .map(|validator| validator.address);
        for address in members {
            if removed(&address) {
                self.counts.validators_removed += 1;
                let lost = self.judge.removed(address);
                self.workload.distrust(&lost);
            } else if before.power_of(address) != after.power_of(address) {
                self.counts.validators_reweighted += 1;
            }
        }
        let joined = after.validators().iter();
        let joined = joined.filter(|validator| before.index_of(validator.address).is_none());
        self.counts.validators_joined += u64::try_from(joined.count()).expect("a set is small");
    }
}

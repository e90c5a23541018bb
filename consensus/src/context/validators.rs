//! The validators of a height, with the order in which they propose.

use std::sync::Arc;

use cloverleaf_types::{Address, Round, ValidatorSet};
use malachite_core_types as malachite;

use super::{CoreAddress, Ctx};

/// One validator, as malachite weighs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CoreValidator {
    address: CoreAddress,
    power: u64,
}

/// A height's validators by address, and the proposers by round (P1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoreValidators {
    set: Arc<ValidatorSet>,
    validators: Vec<CoreValidator>,
    /// Positions in `validators`: who proposes in round 0, 1, …, then again from the start.
    proposers: Vec<usize>,
}

impl CoreValidators {
    /// Joins a set with its proposers; names outside the set are left out, and an order that is
    /// empty then is the order of addresses.
    pub(crate) fn new(set: Arc<ValidatorSet>, proposers: &[Address]) -> Self {
        let validators: Vec<CoreValidator> = set
            .validators()
            .iter()
            .map(|found| CoreValidator {
                address: CoreAddress(found.address),
                power: found.power,
            })
            .collect();
        let position = |address: &Address| {
            set.validators()
                .iter()
                .position(|found| found.address == *address)
        };
        let mut proposers: Vec<usize> = proposers.iter().filter_map(position).collect();
        if proposers.is_empty() {
            proposers = (0..validators.len()).collect();
        }
        Self {
            set,
            validators,
            proposers,
        }
    }

    /// The set without the order.
    pub(crate) fn set(&self) -> &ValidatorSet {
        &self.set
    }

    /// Who proposes in a round.
    pub(crate) fn proposer(&self, round: Round) -> &CoreValidator {
        let count = u32::try_from(self.proposers.len()).unwrap_or(u32::MAX);
        let turn = usize::try_from(round.0 % count).unwrap_or(0);
        &self.validators[self.proposers[turn]]
    }
}

impl malachite::Validator<Ctx> for CoreValidator {
    fn address(&self) -> &CoreAddress {
        &self.address
    }

    fn public_key(&self) -> &CoreAddress {
        &self.address
    }

    fn voting_power(&self) -> u64 {
        self.power
    }
}

impl malachite::ValidatorSet<Ctx> for CoreValidators {
    fn count(&self) -> usize {
        self.validators.len()
    }

    fn total_voting_power(&self) -> u64 {
        self.set.total_power()
    }

    fn get_by_address(&self, address: &CoreAddress) -> Option<&CoreValidator> {
        let found = self
            .validators
            .binary_search_by_key(address, |found| found.address);
        found.ok().map(|position| &self.validators[position])
    }

    fn get_by_index(&self, index: usize) -> Option<&CoreValidator> {
        self.validators.get(index)
    }
}

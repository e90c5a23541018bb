//! Who decides: validators, their power and the thresholds of it.

use alloy_primitives::{Address, B256};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::Height;
use crate::hash::{Preimage, Tag};
use crate::limits::{TOTAL_POWER_MAX, VALIDATORS_MAX};

/// One validator of a height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
#[serde(deny_unknown_fields)]
pub struct Validator {
    /// The address of its consensus key.
    pub address: Address,
    /// Its voting power, at least 1.
    pub power: u64,
    /// Its libp2p peer id, in base58: the network's allow-list.
    pub peer_id: String,
}

/// A change of the validator set at a height (S1): a new validator, another power or peer id, or a
/// removal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
#[serde(deny_unknown_fields)]
pub struct ValidatorChange {
    /// The address of its consensus key.
    pub address: Address,
    /// Its voting power from then on; 0 removes it.
    pub power: u64,
    /// Its peer id from then on, in base58; empty for a removal.
    pub peer_id: String,
    /// The first height that the changed set decides.
    pub effective: Height,
}

/// The validators of a height by rising address; a lane's index is a position in it (O1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Validator>", into = "Vec<Validator>")]
pub struct ValidatorSet {
    validators: Vec<Validator>,
    total_power: u64,
}

/// A validator set that no network can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorSetError {
    /// No validator, or too many.
    #[error("a network has 1 to 128 validators, not {count}")]
    Count {
        /// How many.
        count: usize,
    },
    /// One address or peer id twice.
    #[error("validator {address} shares its address or peer id with another")]
    Duplicate {
        /// The address.
        address: Address,
    },
    /// Power 0, or more than 2^53 in total.
    #[error("each validator has power of at least 1, and all together at most 2^53")]
    Power,
}

impl ValidatorSet {
    /// Sorts and checks the validators.
    ///
    /// # Errors
    /// No validator or more than [`VALIDATORS_MAX`], one twice, power 0, or power above
    /// [`TOTAL_POWER_MAX`] in total.
    pub fn new(mut validators: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        if validators.is_empty() || validators.len() > VALIDATORS_MAX {
            return Err(ValidatorSetError::Count {
                count: validators.len(),
            });
        }
        validators.sort_by_key(|validator| validator.address);
        let mut peer_ids: Vec<&str> = Vec::new();
        let mut total_power: u64 = 0;
        for (index, validator) in validators.iter().enumerate() {
            let same_address = index > 0 && validators[index - 1].address == validator.address;
            if same_address || peer_ids.contains(&validator.peer_id.as_str()) {
                return Err(ValidatorSetError::Duplicate {
                    address: validator.address,
                });
            }
            peer_ids.push(&validator.peer_id);
            total_power = total_power.saturating_add(validator.power);
            if validator.power == 0 || total_power > TOTAL_POWER_MAX {
                return Err(ValidatorSetError::Power);
            }
        }
        Ok(Self {
            validators,
            total_power,
        })
    }

    /// The set after changes of one height, at most one of each validator.
    ///
    /// # Errors
    /// They lead to no set.
    pub fn changed<'a>(
        &self,
        changes: impl IntoIterator<Item = &'a ValidatorChange>,
    ) -> Result<Self, ValidatorSetError> {
        let mut validators = self.validators.clone();
        for change in changes {
            validators.retain(|validator| validator.address != change.address);
            if change.power > 0 {
                validators.push(Validator {
                    address: change.address,
                    power: change.power,
                    peer_id: change.peer_id.clone(),
                });
            }
        }
        Self::new(validators)
    }

    /// The validators by rising address.
    #[must_use]
    pub fn validators(&self) -> &[Validator] {
        &self.validators
    }

    /// How many there are.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a validator set is never empty"
    )]
    pub fn len(&self) -> usize {
        self.validators.len()
    }

    /// The validator at an index.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&Validator> {
        self.validators.get(usize::try_from(index).ok()?)
    }

    /// The index of an address: its lane index.
    #[must_use]
    pub fn index_of(&self, address: Address) -> Option<u32> {
        let position = self
            .validators
            .binary_search_by_key(&address, |validator| validator.address)
            .ok()?;
        u32::try_from(position).ok()
    }

    /// The power of an address, 0 for strangers.
    #[must_use]
    pub fn power_of(&self, address: Address) -> u64 {
        self.index_of(address)
            .and_then(|index| self.get(index))
            .map_or(0, |found| found.power)
    }

    /// The power of distinct addresses together.
    #[must_use]
    pub fn power_of_all(&self, addresses: impl IntoIterator<Item = Address>) -> u64 {
        addresses
            .into_iter()
            .map(|address| self.power_of(address))
            .sum()
    }

    /// All power.
    #[must_use]
    pub fn total_power(&self) -> u64 {
        self.total_power
    }

    /// f: the most power that may fail while the network stays safe.
    #[must_use]
    pub fn fault_power(&self) -> u64 {
        (self.total_power - 1) / 3
    }

    /// True for more than two thirds of the power.
    #[must_use]
    pub fn is_quorum(&self, power: u64) -> bool {
        power > self.total_power * 2 / 3
    }

    /// True for f + 1: at least one correct validator is among them.
    #[must_use]
    pub fn has_correct(&self, power: u64) -> bool {
        power > self.fault_power()
    }

    /// `validators_hash` of a header (K3): address, power and peer id, by address.
    #[must_use]
    pub fn hash(&self) -> B256 {
        Preimage::new(Tag::VALIDATORS)
            .with_list(&self.validators)
            .hash()
    }
}

impl TryFrom<Vec<Validator>> for ValidatorSet {
    type Error = ValidatorSetError;

    fn try_from(validators: Vec<Validator>) -> Result<Self, Self::Error> {
        Self::new(validators)
    }
}

impl From<ValidatorSet> for Vec<Validator> {
    fn from(set: ValidatorSet) -> Self {
        set.validators
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(powers: &[u64]) -> ValidatorSet {
        let validators = powers.iter().zip(1_u8..).map(|(power, name)| Validator {
            address: Address::repeat_byte(name),
            power: *power,
            peer_id: format!("peer-{name}"),
        });
        ValidatorSet::new(validators.collect()).unwrap()
    }

    #[test]
    fn thresholds_are_those_of_byzantine_agreement() {
        let four = set(&[1, 1, 1, 1]);
        assert_eq!(four.fault_power(), 1);
        assert!(!four.is_quorum(2) && four.is_quorum(3));
        assert!(!four.has_correct(1) && four.has_correct(2));
        let three = set(&[1, 1, 1]);
        assert!(!three.is_quorum(2) && three.is_quorum(3));
        assert_eq!(set(&[1]).fault_power(), 0);
    }

    #[test]
    fn sets_that_no_network_can_have_are_refused() {
        let one = set(&[1]).validators()[0].clone();
        assert_eq!(
            ValidatorSet::new(vec![]),
            Err(ValidatorSetError::Count { count: 0 })
        );
        let twice = vec![one.clone(), one.clone()];
        assert!(matches!(
            ValidatorSet::new(twice),
            Err(ValidatorSetError::Duplicate { .. })
        ));
        let heavy = Validator {
            power: TOTAL_POWER_MAX + 1,
            ..one.clone()
        };
        assert_eq!(
            ValidatorSet::new(vec![heavy]),
            Err(ValidatorSetError::Power)
        );
        let weightless = Validator { power: 0, ..one };
        assert_eq!(
            ValidatorSet::new(vec![weightless]),
            Err(ValidatorSetError::Power)
        );
    }
}

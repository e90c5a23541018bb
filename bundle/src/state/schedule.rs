//! Validator changes that wait for their height (S1), and the sets that they lead to.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;
use cloverleaf_types::limits::{SCHEDULED_CHANGES_MAX, TOTAL_POWER_MAX};
use cloverleaf_types::{Epoch, Height, ValidatorChange, ValidatorSet};

use super::State;
use crate::error::ControlError;

/// How far above its block's height a change takes effect at the earliest: the set of the next
/// height is in the block's own header.
const NOTICE_HEIGHTS: u64 = 2;

/// Letters of base58, in which peer ids are written.
const BASE58: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Waiting changes by height and address: one of a validator for a height.
pub(super) type Schedule = BTreeMap<(Height, Address), ValidatorChange>;

impl State {
    /// The changes that wait for their height, by height and address. Those of the block after the
    /// next are in [`State::next_validators`] already.
    pub fn scheduled(&self) -> impl Iterator<Item = &ValidatorChange> {
        self.scheduled.values()
    }

    /// The first height for which the next block can change the set.
    #[must_use]
    pub fn earliest_change(&self) -> Height {
        Height(self.height.next().0 + NOTICE_HEIGHTS)
    }

    /// Checks a change and all sets that the schedule with it leads to.
    pub(super) fn check_change(&self, change: &ValidatorChange) -> Result<(), ControlError> {
        let ValidatorChange {
            address, effective, ..
        } = *change;
        let earliest = self.earliest_change();
        if effective < earliest {
            return Err(ControlError::TooSoon {
                effective,
                earliest,
            });
        }
        check_entry(change)?;
        let place = (effective, address);
        let replaces = self.scheduled.contains_key(&place);
        if !replaces && self.scheduled.len() >= SCHEDULED_CHANGES_MAX {
            return Err(ControlError::TooManyChanges);
        }
        let mut schedule = self.scheduled.clone();
        schedule.insert(place, change.clone());
        let heights: BTreeSet<Height> = schedule.keys().map(|(height, _)| *height).collect();
        let mut set = self.next_validators.clone();
        for height in heights {
            if height == effective && change.power == 0 && !replaces {
                set.index_of(address)
                    .ok_or(ControlError::NotAValidator { address })?;
            }
            set = changed_set(&set, height, &schedule)?;
        }
        Ok(())
    }

    /// From which height on validators that joined after genesis decide; those of genesis are not
    /// among them.
    #[must_use]
    pub fn joined(&self) -> &BTreeMap<Address, Height> {
        &self.joined
    }

    /// The first epoch in which a validator may seal: the height at which it joined (L2).
    #[must_use]
    pub fn first_epoch(&self, author: Address) -> Epoch {
        Epoch(self.joined.get(&author).map_or(0, |height| height.0))
    }

    /// The set of the next height becomes that of the schedule's next step.
    pub(super) fn rotate_validators(&mut self) {
        let effective = Height(self.height.0 + NOTICE_HEIGHTS);
        for validator in self.next_validators.validators() {
            if self.validators.index_of(validator.address).is_none() {
                self.joined.insert(validator.address, self.height.next());
            }
        }
        self.validators = self.next_validators.clone();
        self.next_validators = changed_set(&self.validators, effective, &self.scheduled)
            .expect("S1: every set that the schedule leads to was checked when it changed");
        self.scheduled
            .extract_if(of_height(effective), |_, _| true)
            .for_each(drop);
    }

    /// Forgets when they joined, and the marks, of validators that are none any more.
    pub(super) fn forget_departed(&mut self) {
        let validators = &self.validators;
        let stays = |address: &Address| validators.index_of(*address).is_some();
        self.joined.retain(|address, _| stays(address));
        self.absent.retain(|address, _| stays(address));
        self.closed.retain(|(author, _), _| stays(author));
    }
}

fn of_height(height: Height) -> std::ops::RangeInclusive<(Height, Address)> {
    (height, Address::ZERO)..=(height, Address::repeat_byte(0xff))
}

fn check_entry(change: &ValidatorChange) -> Result<(), ControlError> {
    let peer_id = &change.peer_id;
    let fits = match change.power {
        0 => peer_id.is_empty(),
        _ => !peer_id.is_empty() && peer_id.chars().all(|letter| BASE58.contains(letter)),
    };
    if !fits {
        let address = change.address;
        return Err(ControlError::PeerId { address });
    }
    if change.power > TOTAL_POWER_MAX {
        return Err(cloverleaf_types::validator::ValidatorSetError::Power.into());
    }
    Ok(())
}

/// The set from a height on, given the one before it.
fn changed_set(
    before: &ValidatorSet,
    height: Height,
    schedule: &Schedule,
) -> Result<ValidatorSet, ControlError> {
    let changes = || schedule.range(of_height(height)).map(|(_, change)| change);
    let moved = |change: &ValidatorChange| before.power_of(change.address).abs_diff(change.power);
    let changed_power: u64 = changes().map(moved).sum();
    let total_power = before.total_power();
    if changed_power > total_power / 3 {
        return Err(ControlError::TooMuchPower {
            height,
            changed_power,
            total_power,
        });
    }
    Ok(before.changed(changes())?)
}

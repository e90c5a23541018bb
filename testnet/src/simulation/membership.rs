//! Validators that join, leave and change their power, as the network's authority decides.

use std::collections::BTreeSet;

use cloverleaf_bundle::State;
use cloverleaf_consensus::LocalSigner;
use cloverleaf_mempool::{PooledTransaction, Submission};
use cloverleaf_types::{
    Action, Address, ControlDraft, ControlTransaction, Height, Secp256k1, Signer, Validator,
    ValidatorChange,
};

use super::random::Random;

/// Fewest validators: with fewer, not one may be faulty.
const VALIDATORS_MIN: usize = 4;

/// Most power of one validator: two of four is what three others can do without.
const POWER_MAX: u64 = 2;

/// Most heights beyond the earliest that a change is scheduled for.
const NOTICE_MAX: u64 = 6;

/// Schedules changes, one after the other.
pub(crate) struct Membership {
    authority: LocalSigner,
    random: Random,
    /// Who may join and leave.
    movable: Vec<Validator>,
    /// Validators that are Byzantine: never more than f of the power.
    byzantine: BTreeSet<Address>,
}

impl Membership {
    pub(crate) fn new(
        authority: LocalSigner,
        movable: Vec<Validator>,
        byzantine: BTreeSet<Address>,
        random: Random,
    ) -> Self {
        Self {
            authority,
            random,
            movable,
            byzantine,
        }
    }

    /// A change that leaves a network which can stand its Byzantine validators, unless one waits.
    pub(crate) fn next(&mut self, state: &State, now_ms: u64) -> Option<Submission> {
        if state.scheduled().next().is_some() || state.validators() != state.next_validators() {
            return None;
        }
        let chosen = self.random.pick(&self.movable).clone();
        let set = state.next_validators();
        let power = match set.power_of(chosen.address) {
            0 => 1,
            found => *self.random.pick(&[0, POWER_MAX + 1 - found]),
        };
        let effective = Height(state.earliest_change().0 + self.random.below(NOTICE_MAX));
        let change = change_of(&chosen, power, effective);
        let changed = set.changed([&change]).ok()?;
        let byzantine = changed.power_of_all(self.byzantine.iter().copied());
        // One more may be down at any time.
        let stands = byzantine <= changed.fault_power() && changed.len() >= VALIDATORS_MIN;
        stands.then(|| self.signed(state, change, now_ms)).flatten()
    }

    /// The control transaction that schedules a change, if the state allows it.
    pub(crate) fn signed(
        &self,
        state: &State,
        change: ValidatorChange,
        now_ms: u64,
    ) -> Option<Submission> {
        let signer = self.authority.address();
        let nonce = state.control_nonce(signer);
        let action = Action::ScheduleValidator(change);
        let draft = ControlDraft { nonce, action };
        let signed = ControlTransaction::sign(draft, state.network(), &self.authority);
        let raw = signed.encode().into();
        let pooled = PooledTransaction::control(state, raw, &Secp256k1, now_ms);
        pooled.ok().map(Submission::Transaction)
    }
}

/// A change of a validator; a removal names no peer.
pub(crate) fn change_of(validator: &Validator, power: u64, effective: Height) -> ValidatorChange {
    let peer_id = if power > 0 {
        validator.peer_id.clone()
    } else {
        String::new()
    };
    ValidatorChange {
        address: validator.address,
        power,
        peer_id,
        effective,
    }
}

//! S1 written down a second time: what control transactions make of registry, validators and
//! parameters.

use std::collections::BTreeMap;

use cloverleaf_bundle::State;
use cloverleaf_types::rollup::Status;
use cloverleaf_types::{
    Action, Address, ChainId, ControlTransaction, Height, Parameters, Rollup, Validator,
    ValidatorChange, ValidatorSet,
};

/// The state before a block, with the control transactions placed so far.
#[derive(Clone)]
pub(super) struct Registry {
    before: State,
    rollups: Vec<Rollup>,
    parameters: Parameters,
    /// By height and address, those that are in the next height's set already left out.
    changes: Vec<ValidatorChange>,
    nonces: BTreeMap<Address, u64>,
}

impl Registry {
    pub(super) fn of(state: &State) -> Self {
        let rollups = state.rollups().iter();
        Self {
            before: state.clone(),
            rollups: rollups.map(|found| found.rollup.clone()).collect(),
            parameters: *state.parameters(),
            changes: state.scheduled().cloned().collect(),
            nonces: BTreeMap::new(),
        }
    }

    /// True if the block may place these bytes on chain 0.
    pub(super) fn allows(&self, raw: &[u8]) -> bool {
        let decoded = ControlTransaction::decode(raw);
        decoded.is_ok_and(|decoded| self.judge(decoded.claimed()))
    }

    /// Does what these bytes say.
    pub(super) fn enact(&mut self, raw: &[u8]) {
        let decoded = ControlTransaction::decode(raw).expect("a control transaction");
        let transaction = decoded.claimed();
        let nonce = transaction.draft.nonce;
        assert_eq!(
            self.nonces
                .insert(transaction.signer, nonce + 1)
                .unwrap_or(nonce),
            nonce
        );
        match transaction.draft.action.clone() {
            Action::RegisterRollup(rollup) => self.rollups.push(rollup),
            Action::ChangeRollup(rollup) => rollup.clone_into(self.entry(rollup.chain_id)),
            Action::SetRollupStatus { chain_id, status } => {
                self.entry(chain_id).status = status;
            }
            Action::ScheduleValidator(change) => self.changes = with(&self.changes, &change),
            Action::SetParameters(parameters) => self.parameters = parameters,
        }
    }

    /// The state after the block is this one.
    pub(super) fn check(&self, after: &State) {
        let rollups = after.rollups().iter().map(|found| found.rollup.clone());
        assert_eq!(rollups.collect::<Vec<_>>(), self.rollups, "S1");
        assert_eq!(*after.parameters(), self.parameters, "S1");
        for (signer, nonce) in &self.nonces {
            assert_eq!(after.control_nonce(*signer), *nonce, "S1");
        }
        let soon = Height(after.height().0 + 2);
        let set = self.before.next_validators();
        assert_eq!(after.validators(), set, "S1");
        let next = step(set, soon, &self.changes).expect("a set that can be");
        assert_eq!(*after.next_validators(), next, "S1");
        let later = self.changes.iter().filter(|change| change.effective > soon);
        assert!(after.scheduled().eq(later), "S1");
    }

    fn entry(&mut self, chain_id: ChainId) -> &mut Rollup {
        let mut rollups = self.rollups.iter_mut();
        let found = rollups.find(|it| it.chain_id == chain_id);
        found.expect("S1: only registered rollups are changed")
    }

    fn judge(&self, transaction: &ControlTransaction) -> bool {
        let signer = transaction.signer;
        let known = self.nonces.get(&signer).copied();
        let expected = known.unwrap_or_else(|| self.before.control_nonce(signer));
        if transaction.draft.nonce != expected {
            return false;
        }
        let authority = signer == self.before.authority();
        let found = |id: ChainId| self.rollups.iter().find(|it| it.chain_id == id);
        let sound = |it: &Rollup| {
            let named = (1..=64).contains(&it.name.len()) && !it.name.contains(char::is_control);
            it.chain_id.0 != 0 && named && (1..=1_000_000).contains(&it.share)
        };
        let may_change = |id: ChainId| {
            let entry = found(id).filter(|_| id.0 != 0);
            entry.is_some_and(|it| {
                (authority || signer == it.operator) && it.status != Status::Retired
            })
        };
        match &transaction.draft.action {
            Action::RegisterRollup(to) => {
                let fresh = found(to.chain_id).is_none() && to.status != Status::Retired;
                authority && sound(to) && fresh && self.rollups.len() <= 1024
            }
            Action::ChangeRollup(to) => {
                may_change(to.chain_id) && sound(to) && {
                    let from = found(to.chain_id).expect("it may be changed");
                    let claim = |it: &Rollup| (it.share, it.weight_limit, it.operator);
                    let kept = |it: &Rollup| (it.format, it.status);
                    kept(from) == kept(to) && (authority || claim(from) == claim(to))
                }
            }
            Action::SetRollupStatus { chain_id, .. } => may_change(*chain_id),
            Action::ScheduleValidator(change) => authority && self.may_schedule(change),
            Action::SetParameters(to) => {
                let window = self.parameters.replay_window_ms;
                authority && to.check().is_ok() && to.replay_window_ms == window
            }
        }
    }

    fn may_schedule(&self, change: &ValidatorChange) -> bool {
        let base58 = |letter: char| letter.is_ascii_alphanumeric() && !"0OIl".contains(letter);
        let named = !change.peer_id.is_empty() && change.peer_id.chars().all(base58);
        let fits = if change.power == 0 {
            change.peer_id.is_empty()
        } else {
            named && change.power <= 1 << 53
        };
        let changes = with(&self.changes, change);
        let replaces = changes.len() == self.changes.len();
        // The block is one above the state, and the change two above the block.
        let soon = change.effective.0 < self.before.height().0 + 3;
        if soon || !fits || changes.len() > 128 {
            return false;
        }
        let mut set = self.before.next_validators().clone();
        let mut heights: Vec<Height> = changes.iter().map(|it| it.effective).collect();
        heights.dedup();
        for at in heights {
            let removal = at == change.effective && change.power == 0 && !replaces;
            if removal && set.power_of(change.address) == 0 {
                return false;
            }
            match step(&set, at, &changes) {
                Some(next) => set = next,
                None => return false,
            }
        }
        true
    }
}

/// The changes with one more, or with one in another's place.
fn with(changes: &[ValidatorChange], change: &ValidatorChange) -> Vec<ValidatorChange> {
    let place = |it: &ValidatorChange| (it.effective, it.address);
    let others = changes.iter().filter(|it| place(it) != place(change));
    let mut changes: Vec<_> = others.chain([change]).cloned().collect();
    changes.sort_by_key(place);
    changes
}

/// The set from a height on, unless too much of it would change, or it cannot be.
fn step(set: &ValidatorSet, at: Height, changes: &[ValidatorChange]) -> Option<ValidatorSet> {
    let here: Vec<_> = changes.iter().filter(|it| it.effective == at).collect();
    let moved = |it: &&ValidatorChange| u128::from(it.power.abs_diff(set.power_of(it.address)));
    if here.iter().map(moved).sum::<u128>() * 3 > u128::from(set.total_power()) {
        return None;
    }
    let named = |address| here.iter().any(|it| it.address == address);
    let stay = set.validators().iter().filter(|it| !named(it.address));
    let come = here.iter().filter(|it| it.power > 0).map(|it| Validator {
        address: it.address,
        power: it.power,
        peer_id: it.peer_id.clone(),
    });
    ValidatorSet::new(stay.cloned().chain(come).collect()).ok()
}

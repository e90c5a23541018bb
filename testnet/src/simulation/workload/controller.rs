//! Who changes the network while it runs: its authority and an operator sign control transactions
//! (S1), some of them to two nodes at once, so that only one of two that claim a nonce is placed.

use cloverleaf_bundle::State;
use cloverleaf_consensus::LocalSigner;
use cloverleaf_mempool::{PooledTransaction, Submission};
use cloverleaf_types::limits::PARCEL_WEIGHT_MAX;
use cloverleaf_types::rollup::Status;
use cloverleaf_types::{
    Action, ChainId, ControlDraft, ControlTransaction, Parameters, Rollup, Secp256k1, Signer,
};

use super::View;
use crate::simulation::network::{LATER, THIRD, authority, operator, rollup};
use crate::simulation::random::Random;

/// Most rollups that a run registers: enough for bundles over rollups that were not there before.
const REGISTERED_MAX: usize = 4;

/// The signers.
pub(super) struct Controller {
    authority: LocalSigner,
    operator: LocalSigner,
    changes_permille: u64,
}

impl Controller {
    /// Signers of so many changes in a thousand steps.
    pub(super) fn new(changes_permille: u64) -> Self {
        Self {
            authority: authority(),
            operator: operator(),
            changes_permille,
        }
    }

    /// A change, now and then; a second one for the same nonce now and then.
    pub(super) fn next(&self, view: &View<'_>, random: &mut Random) -> Vec<Submission> {
        if !random.chance(self.changes_permille) {
            return Vec::new();
        }
        let count = if random.chance(300) { 2 } else { 1 };
        let changes = (0..count).filter_map(|_| self.change(view, random));
        changes.collect()
    }

    fn change(&self, view: &View<'_>, random: &mut Random) -> Option<Submission> {
        let state = view.state;
        let (signer, action) = match random.below(4) {
            0 => (&self.authority, register(state)?),
            1 => (&self.authority, reparametrise(state, random)),
            _ => (&self.operator, pause_or_resume(state, random)),
        };
        let nonce = state.control_nonce(signer.address());
        let draft = ControlDraft { nonce, action };
        let signed = ControlTransaction::sign(draft, state.network(), signer);
        let raw = signed.encode().into();
        let pooled = PooledTransaction::control(state, raw, &Secp256k1, view.now_ms);
        pooled.ok().map(Submission::Transaction)
    }
}

/// The rollups that were registered while the network ran and that take part.
pub(super) fn later_rollups(state: &State) -> Vec<ChainId> {
    let later = state.rollups().iter().map(|found| &found.rollup);
    let later = later.filter(|it| it.chain_id >= LATER && it.status == Status::Active);
    later.map(|it| it.chain_id).collect()
}

fn register(state: &State) -> Option<Action> {
    let later = state.rollups().iter();
    let count = later.filter(|it| it.rollup.chain_id >= LATER).count();
    let chain_id = ChainId(LATER.0 + u64::try_from(count).ok()?);
    (count < REGISTERED_MAX).then(|| Action::RegisterRollup(rollup(chain_id)))
}

/// What a paused rollup is sent meanwhile is dropped `inactiveRollup`.
fn pause_or_resume(state: &State, random: &mut Random) -> Action {
    let choices: Vec<&Rollup> = state
        .rollups()
        .iter()
        .map(|found| &found.rollup)
        .filter(|it| it.chain_id == THIRD || it.chain_id >= LATER)
        .collect();
    let found = *random.pick(&choices);
    let status = match found.status {
        Status::Active => Status::Paused,
        Status::Paused | Status::Retired => Status::Active,
    };
    Action::SetRollupStatus {
        chain_id: found.chain_id,
        status,
    }
}

fn reparametrise(state: &State, random: &mut Random) -> Action {
    let weights = [
        PARCEL_WEIGHT_MAX,
        2 * PARCEL_WEIGHT_MAX,
        8 * PARCEL_WEIGHT_MAX,
    ];
    Action::SetParameters(Parameters {
        block_time_ms: *random.pick(&[0, 20, 60]),
        parcel_age_ms: *random.pick(&[5, 10, 20]),
        fetch_delay_ms: *random.pick(&[20, 40, 80]),
        block_weight: *random.pick(&weights),
        lane_outstanding_weight: *random.pick(&weights),
        ..*state.parameters()
    })
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Controller").finish_non_exhaustive()
    }
}

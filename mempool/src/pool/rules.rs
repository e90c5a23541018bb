//! What the registry says of a rollup, as far as a pool acts on it.

use std::collections::BTreeMap;

use cloverleaf_bundle::State;
use cloverleaf_types::rollup::Policy;
use cloverleaf_types::{ChainId, Rollup};
use smallvec::SmallVec;

use super::Pool;
use super::draft::is_checked;
use super::entries::EntryId;
use super::entry::Entry;

/// How the pool treats a rollup: its registry entry in the applied state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// In which order its transactions are sealed (A2).
    pub policy: Policy,
    /// Its share of a parcel, and of a full pool, when rollups compete; at least 1.
    pub share: u64,
    /// Every validator verifies its transactions (L1).
    pub checked: bool,
    /// Most weight (W4) that one block gives it.
    pub weight_limit: u64,
}

impl Default for Rules {
    /// Of a rollup that nobody registered yet.
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            share: 1,
            checked: false,
            weight_limit: u64::MAX,
        }
    }
}

impl Rules {
    /// What an entry of the registry means.
    #[must_use]
    pub fn of(state: &State, rollup: &Rollup) -> Self {
        Self {
            policy: rollup.policy,
            share: rollup.share.max(1),
            checked: is_checked(rollup),
            weight_limit: state.weight_limit(rollup),
        }
    }
}

impl Pool {
    /// Follows the registry of the applied state: what a control transaction changed holds from here
    /// on, also for what is in the pool already.
    pub fn follow_registry(&mut self, state: &State) {
        for rollup in state.rollups() {
            let rollup = &rollup.rollup;
            self.set_rules(rollup.chain_id, Rules::of(state, rollup));
        }
    }

    /// How to treat a rollup from now on.
    pub fn set_rules(&mut self, chain_id: ChainId, rules: Rules) {
        let before = self.rules.insert(chain_id, rules);
        if before == Some(rules) {
            return;
        }
        let price_of = |id| self.entries[id].ticket(id).price;
        let (policy, share) = (rules.policy, rules.share);
        self.ready.set_rules(chain_id, policy, share, price_of);
        self.room.set_share(chain_id, rules.share);
        if before.unwrap_or_default().checked == rules.checked {
            return;
        }
        let concerned = self.entries.ids_of(|entry| {
            !entry.state.is_sealed() && entry.parts().any(|part| part.chain_id == chain_id)
        });
        for id in concerned {
            self.mark_again(id);
        }
    }

    pub(super) fn rules_of(&self, chain_id: ChainId) -> Rules {
        self.rules.get(&chain_id).copied().unwrap_or_default()
    }

    /// Marks the transactions of a newcomer as its rollups want it.
    pub(super) fn mark(&self, entry: &mut Entry) {
        let _is_changed = mark(&self.rules, entry);
    }

    /// The same for what is in the pool and not sealed: its weight changes, its place does not.
    pub(super) fn mark_again(&mut self, id: EntryId) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        let ticket = entry.ticket(id);
        if mark(&self.rules, entry) {
            if core::mem::take(&mut entry.in_line) {
                self.ready.remove(ticket);
            }
            self.review(id);
        }
    }
}

/// Returns whether that changed anything.
fn mark(rules: &BTreeMap<ChainId, Rules>, entry: &mut Entry) -> bool {
    let mut changed = false;
    let rollups: SmallVec<[ChainId; 1]> = entry.parts().map(|part| part.chain_id).collect();
    for chain_id in rollups {
        if let Some(rules) = rules.get(&chain_id) {
            changed |= entry.mark(chain_id, rules.checked);
        }
    }
    changed
}

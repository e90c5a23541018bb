//! Joining the validators, and leaving them (L2).
//!
//! ```text
//!   observer ── effective height ──► validator ── removal decided ──► seals nothing more
//!   follows by sync,                 votes, seals                     votes
//!   signs nothing   ◄──────────────────────── effective height ───────────┘
//! ```
//! What a node may sign at a height follows from the state before it alone, so a restart changes
//! nothing, unless the node has forgotten what it signed (`amnesia`).

use cloverleaf_bundle::State;
use cloverleaf_types::Address;

use crate::replica::Replica;

/// Whether a key decides the next height.
pub(crate) fn is_validator(state: &State, key: Address) -> bool {
    state.validators().index_of(key).is_some()
}

/// Whether a validator may still seal: it decides the next height, and no block has scheduled its
/// removal.
pub(crate) fn may_seal(state: &State, key: Address) -> bool {
    let stays = state.next_validators().index_of(key).is_some();
    let mut removals = state.scheduled().filter(|change| change.power == 0);
    is_validator(state, key) && stays && !removals.any(|change| change.address == key)
}

impl Replica {
    /// A block is durable, before which this node took part or not. Called after all else has followed
    /// the block: what it has cut is not what ends here.
    pub(crate) fn follow_membership(&mut self, took_part: bool) {
        let state = self.chain.state();
        match (took_part, self.may_vote()) {
            (false, true) => {
                let epoch = self.signing.epoch(state, self.own);
                let last_cut = state.last_cut(self.own);
                tracing::info!(height = %state.height().next(), "this node is a validator");
                self.lane.begin(epoch, last_cut);
            }
            (true, false) => {
                tracing::warn!(height = %state.height().next(), "this node is no validator any more");
                self.lane.end();
                let changes = self.pool.on_removed();
                self.announce(changes);
            }
            (true, true) | (false, false) => {}
        }
    }
}

//! What an operator sees of a replica: how far it is and how much it holds. Nothing depends on it.

use cloverleaf_consensus::{JournalEntry, Status};
use cloverleaf_types::{Bound, ChainId, Height};

use crate::replica::Replica;
use crate::room::Room;

/// A replica at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Height of the latest durable block.
    pub height: Height,
    /// The time of that block, in milliseconds since 1970.
    pub timestamp_ms: u64,
    /// The highest height that peers of power f + 1 say they have applied.
    pub vouched_tip: Height,
    /// From where on peers keep blocks, when none of them keeps the one after `height`.
    pub kept_from: Option<Height>,
    /// Where consensus is.
    pub consensus: Status,
    /// Messages signed since the start.
    pub signed: u64,
    /// The height of the latest of them that the vote journal knows.
    pub signed_height: Option<Height>,
    /// Validators of the next block.
    pub validators: usize,
    /// Whether this node is one of them.
    pub is_validator: bool,
    /// Whether its journals do not show all that its key signed, so that it signs nothing (D4).
    pub is_amnesiac: bool,
    /// Whether it waits for peers to say how far they are, or for their blocks, and signs nothing (D4).
    pub is_held: bool,
    /// What its disk has room for (D6).
    pub room: Room,
    /// Validators that are marked absent (P1).
    pub absent: usize,
    /// Kept proofs of double votes and proposals.
    pub evidence: usize,
    /// Times that an author was seen with two parcels for one slot (L4), since the start.
    pub equivocations: u64,
    /// Parcels that came with a mark for what their claimed senders did not sign (L1), since the start.
    pub false_senders: u64,
    /// Transactions in the pool, sealed ones included.
    pub pool_transactions: usize,
    /// Their raw bytes.
    pub pool_bytes: usize,
    /// Transactions and bundles that may be sealed now, by rollup.
    pub pool_ready: Vec<(ChainId, usize)>,
    /// Own parcels that are not cut yet.
    pub lane_parcels: usize,
    /// Their weight (W4).
    pub lane_weight: u64,
    /// Parcels held above the cuts, own ones included.
    pub parcels_held: usize,
}

impl Replica {
    /// What grows in the replica with what others send, each with its limit.
    #[must_use]
    pub fn bounds(&self) -> Vec<Bound> {
        let mut bounds = vec![self.chain.bound(), self.misdeeds.bound()];
        bounds.extend(self.driver.bounds());
        bounds.extend(self.parcels.bounds());
        bounds.extend(self.pool.bounds(self.restored));
        bounds
    }

    /// Looks at the replica.
    #[must_use]
    pub fn observe(&self) -> Observation {
        let state = self.state();
        Observation {
            height: state.height(),
            timestamp_ms: state.timestamp_ms(),
            vouched_tip: self.sync.vouched_tip(),
            kept_from: self.sync.kept_from(),
            consensus: self.driver.status(),
            signed: self.driver.signed(),
            signed_height: self.driver.last_signed().map(JournalEntry::height),
            validators: state.validators().len(),
            is_validator: state.validators().index_of(self.own).is_some(),
            is_amnesiac: self.signing.is_amnesiac(),
            is_held: self.is_held,
            room: self.room,
            absent: state.absent().len(),
            evidence: self.driver.evidence().count(),
            equivocations: self.equivocations(),
            false_senders: self.false_senders(),
            pool_transactions: self.pool.len(),
            pool_bytes: self.pool.bytes(),
            pool_ready: self.pool.ready().collect(),
            lane_parcels: self.lane.uncut().count(),
            lane_weight: self.lane.uncut_weight(),
            parcels_held: self.parcels.held_count(),
        }
    }
}

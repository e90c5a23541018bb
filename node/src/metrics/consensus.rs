//! How blocks are decided.

use cloverleaf_replica::{Commit, Observation};
use cloverleaf_types::Round;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::count;

metrics!(
    /// What is counted of `cloverleaf-consensus`.
    ConsensusMetrics, "consensus", {
        /// The height that is being decided.
        height: Gauge;
        /// The round of that height; above 0 when its first proposer was not heard in time.
        round: Gauge;
        /// Blocks whose certificate is of a later round than the first.
        late_blocks: Counter;
        /// Proposals that wait to be judged (V3).
        waiting_values: Gauge;
        /// Messages that this node signed since it started.
        signed_messages: Gauge;
        /// The height of the last message that this node signed, as its vote journal knows it (D2).
        signed_height: Gauge;
        /// Validators of the next block.
        validators: Gauge;
        /// 1 when this node is one of them.
        is_validator: Gauge;
        /// 1 while its journals do not show all that its key signed, so that it signs nothing (D4).
        is_amnesiac: Gauge;
        /// 1 while it waits for peers to say how far they are, or for their blocks, and signs nothing (D4).
        is_held: Gauge;
        /// Validators that are marked absent (P1).
        absent_validators: Gauge;
        /// Kept proofs that a validator signed two votes or proposals of one slot.
        vote_evidence: Gauge;
        /// Times that an author was seen with two parcels for one slot (L4), since this node started.
        lane_equivocations: Gauge;
        /// Parcels with a mark for what their claimed senders did not sign (L1), since this node started.
        false_senders: Gauge;
    }
);

impl ConsensusMetrics {
    /// Notes how a replica is.
    pub(crate) fn observe(&self, seen: &Observation) {
        self.height.set(count(seen.consensus.height.0));
        self.round.set(count(seen.consensus.round.0));
        self.waiting_values.set(count(seen.consensus.waiting));
        self.signed_messages.set(count(seen.signed));
        self.signed_height
            .set(count(seen.signed_height.map_or(0, |height| height.0)));
        self.validators.set(count(seen.validators));
        self.is_validator.set(i64::from(seen.is_validator));
        self.is_amnesiac.set(i64::from(seen.is_amnesiac));
        self.is_held.set(i64::from(seen.is_held));
        self.absent_validators.set(count(seen.absent));
        self.vote_evidence.set(count(seen.evidence));
        self.lane_equivocations.set(count(seen.equivocations));
        self.false_senders.set(count(seen.false_senders));
    }

    /// A block goes to the disk.
    pub(crate) fn commit(&self, commit: &Commit) {
        if commit.block.certificate.round > Round::FIRST {
            self.late_blocks.inc();
        }
    }
}

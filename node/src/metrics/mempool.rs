//! What is pooled, what waits in lanes, and what became of it.

use cloverleaf_mempool::pool::{Name, State};
use cloverleaf_replica::Observation;
use cloverleaf_types::Address;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::kinds::Seconds;
use super::{count, seconds};

/// Most rollups that have a number of their own, in order of their chain ids; the rest is `other`.
const ROLLUPS_MAX: usize = 256;

metrics!(
    /// What is counted of `cloverleaf-mempool`.
    MempoolMetrics, "mempool", {
        /// Transactions in the pool, sealed ones included.
        pool_transactions: Gauge;
        /// Their raw bytes.
        pool_bytes: Gauge;
        /// Transactions and bundles that may be sealed now.
        pool_ready: Gauge["chain_id"];
        /// Own parcels that no block has taken yet.
        lane_parcels: Gauge;
        /// Their weight (W4); sealing stops at `lane_outstanding_weight`.
        lane_outstanding_weight: Gauge;
        /// When a validator's last ack came, since 1970.
        last_ack_timestamp_seconds: Seconds["validator"];
        /// Items handed in here that came to a state.
        items: Counter["kind", "state"];
        /// Items handed in here that a block left out for good.
        item_drops: Counter["reason"];
        /// From taking an item in to f + 1 validators holding it.
        available_seconds: Histogram;
        /// From taking an item in to its block being durable.
        committed_seconds: Histogram;
    }
);

impl MempoolMetrics {
    /// Notes how a replica is.
    pub(crate) fn observe(&self, seen: &Observation) {
        self.pool_transactions.set(count(seen.pool_transactions));
        self.pool_bytes.set(count(seen.pool_bytes));
        self.lane_parcels.set(count(seen.lane_parcels));
        self.lane_outstanding_weight.set(count(seen.lane_weight));
        let (named, others) = seen
            .pool_ready
            .split_at(seen.pool_ready.len().min(ROLLUPS_MAX));
        for (chain_id, ready) in named {
            self.pool_ready
                .of([chain_id.to_string()])
                .set(count(*ready));
        }
        if !others.is_empty() {
            let ready = others.iter().map(|(_, ready)| ready).sum::<usize>();
            self.pool_ready.of(["other"]).set(count(ready));
        }
    }

    /// A validator's ack came.
    pub(crate) fn ack(&self, validator: Address, now_ms: u64) {
        let last = self.last_ack_timestamp_seconds.of([validator.to_string()]);
        last.set(seconds(now_ms));
    }

    /// An item came to another state.
    pub(crate) fn progress(&self, name: &Name, state: &State) {
        let Some(text) = counted(state) else {
            return;
        };
        let kind = match name {
            Name::Transaction(_) => "transaction",
            Name::Bundle(_) => "bundle",
        };
        self.items.of([kind, text]).inc();
        if let State::Dropped { reason, .. } = state {
            self.item_drops.of([reason.text()]).inc();
        }
    }
}

/// The states that an item comes to once; between the others it may go back and forth.
fn counted(state: &State) -> Option<&'static str> {
    match state {
        State::Received | State::Parked { .. } | State::Pending | State::Sealed { .. } => None,
        State::Available { .. } => Some("available"),
        State::Committed { .. } => Some("committed"),
        State::Rejected => Some("rejected"),
        State::Replaced { .. } => Some("replaced"),
        State::Cancelled => Some("cancelled"),
        State::Expired => Some("expired"),
        State::Dropped { .. } => Some("dropped"),
    }
}

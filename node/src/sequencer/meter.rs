//! Counts what passes through the sequencer's thread.

use std::sync::Arc;

use cloverleaf_mempool::Refusal;
use cloverleaf_mempool::pool::{Admission, Name};
use cloverleaf_replica::{Input, Intake, Output, Replica};
use cloverleaf_types::Bound;

use super::handle::Shared;
use super::peers::Peers;
use crate::metrics::Latencies;

/// Longest time between two looks at the replica, in milliseconds: what is scraped is not older.
const LOOK_INTERVAL_MS: u64 = 1_000;

/// What the sequencer's thread counts with.
pub(super) struct Meter {
    shared: Arc<Shared>,
    latencies: Latencies,
    look_ms: u64,
    bounds_ms: u64,
}

impl Meter {
    /// Counts into what is shared.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            latencies: Latencies::default(),
            look_ms: 0,
            bounds_ms: 0,
        }
    }

    /// Whether it is time to see if all that grows keeps within its limit.
    pub(super) fn is_time_for_bounds(&mut self, now_ms: u64) -> bool {
        let is_time = now_ms >= self.bounds_ms;
        if is_time {
            self.bounds_ms = now_ms.saturating_add(LOOK_INTERVAL_MS);
        }
        is_time
    }

    /// What it counts with itself.
    pub(super) fn bound(&self) -> Bound {
        self.latencies.bound()
    }

    /// Something happens to the replica.
    pub(super) fn input(&self, input: &Input, now_ms: u64) {
        if let Input::Parcels {
            from,
            message: Intake::Ack(_),
        } = input
        {
            self.shared.metrics.mempool.ack(*from, now_ms);
        }
    }

    /// Somebody handed an item in.
    pub(super) fn admitted(
        &mut self,
        name: Name,
        admitted: &Result<Admission, Refusal>,
        now_ms: u64,
    ) {
        if let Ok(Admission::New { state, .. }) = admitted {
            self.latencies.begin(name, state, now_ms);
        }
    }

    /// The replica wants something done.
    pub(super) fn output(&mut self, output: &Output, now_ms: u64) {
        let metrics = &self.shared.metrics;
        match output {
            Output::Commit(commit) => {
                metrics.bundle.commit(commit);
                metrics.consensus.commit(commit);
            }
            Output::Progress { name, state } => {
                metrics.mempool.progress(name, state);
                let mempool = &metrics.mempool;
                self.latencies.progress(name, state, now_ms, mempool);
            }
            _ => {}
        }
    }

    /// Looks at the replica, if it is time or there is `news`.
    pub(super) fn look(&mut self, replica: &Replica, peers: &Peers, news: bool, now_ms: u64) {
        if !news && now_ms < self.look_ms {
            return;
        }
        self.look_ms = now_ms.saturating_add(LOOK_INTERVAL_MS);
        let seen = replica.observe();
        let (metrics, vitals) = (&self.shared.metrics, &self.shared.vitals);
        metrics.replica.observe(&seen);
        metrics.consensus.observe(&seen);
        metrics.mempool.observe(&seen);
        vitals.note_tips(seen.height, seen.vouched_tip);
        vitals.note_amnesia(seen.is_amnesiac);
        vitals.note_held(seen.is_held);
        vitals.note_kept_from(seen.kept_from);
        let connected = peers.connected();
        let count = u32::try_from(connected.len()).unwrap_or(u32::MAX);
        self.shared.note_connected(count);
        let together = connected.into_iter().chain([self.shared.own]);
        let validators = replica.state().validators();
        let has_quorum = validators.is_quorum(validators.power_of_all(together));
        vitals.note_quorum(has_quorum);
        metrics.network.connected_validators.set(count.into());
        metrics.network.has_quorum.set(has_quorum.into());
        peers.observe();
    }
}

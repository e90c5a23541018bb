//! What a node counts, for `/metrics`.
//!
//! The crates below count nothing for show: they have plain state, and [`Replica::observe`]
//! (`cloverleaf_replica`) looks at it. Here, each crate has one group of metrics in a file of its
//! name, and what happens is counted where it passes through this crate. METRICS.md is generated
//! from the groups.

#[macro_use]
mod kinds;

mod bundle;
mod client;
mod consensus;
mod grpc;
mod journal;
mod mempool;
mod network;
mod process;
mod replica;
mod rpc;
mod storage;
mod stream;

mod latency;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

pub(crate) use bundle::BundleMetrics;
pub(crate) use client::ClientMetrics;
pub(crate) use consensus::ConsensusMetrics;
pub(crate) use grpc::GrpcMetrics;
pub(crate) use journal::JournalMetrics;
pub(crate) use latency::Latencies;
pub(crate) use mempool::MempoolMetrics;
pub(crate) use network::NetworkMetrics;
pub(crate) use process::ProcessMetrics;
pub(crate) use replica::ReplicaMetrics;
pub(crate) use rpc::RpcMetrics;
pub(crate) use storage::StorageMetrics;
pub(crate) use stream::{StreamMetrics, Subscriber};

/// What every name begins with.
const PREFIX: &str = "cloverleaf";

/// The type of the answer of `/metrics`.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A registry, to be read by whoever asks for `/metrics`.
#[derive(Clone, Debug)]
pub(crate) struct Metered {
    registry: Arc<Mutex<Registry>>,
    process: ProcessMetrics,
}

/// The metrics of a validator.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) metered: Metered,
    pub(crate) bundle: BundleMetrics,
    pub(crate) consensus: ConsensusMetrics,
    pub(crate) grpc: GrpcMetrics,
    pub(crate) journal: JournalMetrics,
    pub(crate) mempool: MempoolMetrics,
    pub(crate) network: NetworkMetrics,
    pub(crate) replica: ReplicaMetrics,
    pub(crate) rpc: RpcMetrics,
    pub(crate) storage: StorageMetrics,
    pub(crate) stream: StreamMetrics,
}

impl Metrics {
    /// Nothing is counted yet.
    pub(crate) fn new() -> Self {
        let (mut registry, process) = begin();
        Self {
            bundle: BundleMetrics::register(&mut registry),
            consensus: ConsensusMetrics::register(&mut registry),
            grpc: GrpcMetrics::register(&mut registry),
            journal: JournalMetrics::register(&mut registry),
            mempool: MempoolMetrics::register(&mut registry),
            network: NetworkMetrics::register(&mut registry),
            replica: ReplicaMetrics::register(&mut registry),
            rpc: RpcMetrics::register(&mut registry),
            storage: StorageMetrics::register(&mut registry),
            stream: StreamMetrics::register(&mut registry),
            metered: Metered::new(registry, process),
        }
    }
}

impl Metered {
    fn new(registry: Registry, process: ProcessMetrics) -> Self {
        let registry = Arc::new(Mutex::new(registry));
        Self { registry, process }
    }

    /// The metrics of an embedded rollup that runs by itself.
    pub(crate) fn rollup() -> (Self, ClientMetrics) {
        let (mut registry, process) = begin();
        let metrics = ClientMetrics::register(&mut registry);
        (Self::new(registry, process), metrics)
    }

    /// Registers what another crate counts by itself.
    pub(crate) fn with<M>(&self, register: impl FnOnce(&mut Registry) -> M) -> M {
        register(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Everything that is counted, in the text form of OpenMetrics.
    pub(crate) fn text(&self) -> String {
        self.process.look();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        encode(&mut text, &registry).expect("a string takes all text");
        text
    }
}

fn begin() -> (Registry, ProcessMetrics) {
    let mut registry = Registry::with_prefix(PREFIX);
    let process = ProcessMetrics::register(&mut registry);
    process.begin();
    (registry, process)
}

/// A count as a gauge's number.
fn count(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// A time in milliseconds as seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 milliseconds are 285,000 years"
)]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1_000.0
}

//! What a node gives its subscribers: blocks that have just been committed, to all who wait for them, and
//! old ones to who comes back. Beside it what tonic streams at best: messages of the same length and form,
//! ready made, over as many streams and connections.
//!
//! ```text
//!   Node: hub.announce ─► gRPC port ─┐
//!                                    ├─► loopback ─► Readers, in the same process
//!   Bare: ready messages ─► tonic ───┘
//! ```

mod bare;
mod calls;
mod live;
mod node;
mod readers;
mod resumed;

use cloverleaf_bench::Workload;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;

/// Transactions of a batch: 2 kB of them.
const BATCH_TRANSACTIONS: usize = 10;

/// Blocks with a batch of so many transactions for every rollup.
fn workload(rollups: usize, batch_transactions: usize) -> Workload {
    Workload {
        transactions: rollups * batch_transactions,
        rollups,
        // A bundle has legs on two rollups.
        bundled_percent: if rollups == 1 { 0 } else { 10 },
        is_dense: true,
        ..Workload::CENTRE
    }
}

/// Where node and readers run, as a node's own tasks do.
fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().expect("threads to run on")
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(500))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = calls::rpc, live::fanout, resumed::resume
}
criterion_main!(benches);

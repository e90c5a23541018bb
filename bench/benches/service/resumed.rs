//! `stream::resume`: a subscriber that comes back to its rollup's first batch, until it has caught up. The
//! node has just started, so that everything comes from its store. An element is a batch.

use std::time::Duration;

use cloverleaf_bench::{is_trial, time_each};
use cloverleaf_types::ChainId;
use criterion::{Criterion, SamplingMode, Throughput};
use tokio::runtime::Runtime;

use super::bare::Bare;
use super::live::check;
use super::node::Node;
use super::readers::{Client, connect, read, subscribe};
use super::{BATCH_TRANSACTIONS, runtime, workload};

/// Rollups that share the blocks. One of them is read, the next the next time.
const ROLLUPS: usize = 10;

/// Transactions of a batch, and how many batches a subscriber is behind.
const BEHIND: [(usize, usize); 2] = [(BATCH_TRANSACTIONS, 256), (50 * BATCH_TRANSACTIONS, 64)];

/// Small batches and large ones, each after its limit.
pub(crate) fn resume(criterion: &mut Criterion) {
    for (transactions, batches) in BEHIND {
        let batches = if is_trial() { 4 } else { batches };
        let name = format!("batches={batches} transactions={transactions}");
        let elements = Throughput::Elements(u64::try_from(batches).expect("fits 64 bits"));
        let workload = workload(ROLLUPS, transactions);
        let runtime = runtime();
        let mut limit = None;
        let mut group = criterion.benchmark_group("limits::tonic_resume");
        group.sampling_mode(SamplingMode::Flat);
        group.throughput(elements.clone());
        group.bench_function(&name, |bencher| {
            let (_, client) = limit.get_or_insert_with(|| {
                runtime.block_on(async {
                    let bare = Bare::start(workload, batches).await;
                    let client = connect(&bare.endpoint(), 0).await;
                    (bare, client)
                })
            });
            bencher.iter_custom(|iterations| bare(&runtime, iterations, client, batches));
        });
        group.finish();
        let mut served = None;
        let mut group = criterion.benchmark_group("stream::resume");
        group.sampling_mode(SamplingMode::Flat);
        group.throughput(elements);
        group.bench_function(&name, |bencher| {
            let (node, client) = served.get_or_insert_with(|| {
                runtime.block_on(async {
                    let node = Node::start(workload, batches).await;
                    let client = connect(&node.endpoint(), 0).await;
                    (node, client)
                })
            });
            bencher.iter_custom(|iterations| ours(&runtime, iterations, client, node));
        });
        group.finish();
        if let Some((node, _)) = served {
            runtime.block_on(node.stop());
        }
    }
}

fn bare(runtime: &Runtime, iterations: u64, client: &Client, batches: usize) -> Duration {
    time_each(
        iterations,
        || (),
        |()| runtime.block_on(catch_up(client, ChainId::CONTROL, batches)),
        |read| assert_eq!(read.len(), batches),
    )
}

fn ours(runtime: &Runtime, iterations: u64, client: &Client, node: &Node) -> Duration {
    let chains = node.chains();
    let mut turns = chains.iter().cycle();
    time_each(
        iterations,
        || turns.next().expect("there are rollups"),
        |chain_id| {
            let read = catch_up(client, *chain_id, node.stored.len());
            (chain_id, runtime.block_on(read))
        },
        |(chain_id, read)| check(*chain_id, &read, &node.stored),
    )
}

async fn catch_up(client: &Client, chain_id: ChainId, batches: usize) -> super::readers::Read {
    let stream = subscribe(client, chain_id, 1).await;
    let (_, all) = read(stream, batches).await;
    all
}

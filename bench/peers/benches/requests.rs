//! What a request costs when its method does nothing: one connection over loopback.

use std::time::{Duration, Instant};

use cloverleaf_peers::servers::{Grpc, JsonRpc};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

/// Calls of a batch.
const BATCH: usize = 100;

/// Items of a stream.
const ITEMS: u64 = 10_000;

fn grpc(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut grpc = runtime.block_on(Grpc::start()).expect("a port");
    let mut group = criterion.benchmark_group("peers::tonic");
    group.throughput(Throughput::Elements(1));
    group.bench_function("method=unary", |bencher| {
        bencher.iter_custom(|calls| {
            let (time, answers) = timed(&runtime, async { grpc.call(calls).await });
            assert_eq!(answers.ok(), Some(calls));
            time
        });
    });
    group.throughput(Throughput::Elements(ITEMS));
    group.bench_function("method=server_stream", |bencher| {
        bencher.iter_custom(|streams| {
            each(streams, || {
                let (time, items) = timed(&runtime, async { grpc.items(ITEMS).await });
                assert_eq!(items.ok(), Some(ITEMS));
                time
            })
        });
    });
    group.bench_function("method=both_ways_stream", |bencher| {
        bencher.iter_custom(|streams| {
            each(streams, || {
                let (time, items) = timed(&runtime, async { grpc.echo(ITEMS).await });
                assert_eq!(items.ok(), Some(ITEMS));
                time
            })
        });
    });
    group.finish();
    runtime.block_on(async { drop(grpc) });
}

fn json_rpc(criterion: &mut Criterion) {
    let runtime = runtime();
    let json_rpc = runtime.block_on(JsonRpc::start()).expect("a port");
    let mut group = criterion.benchmark_group("peers::jsonrpsee");
    group.throughput(Throughput::Elements(1));
    group.bench_function("batch=1", |bencher| {
        bencher.iter_custom(|calls| {
            let (time, answers) = timed(&runtime, async { json_rpc.call(calls).await });
            assert_eq!(answers.ok(), Some(calls));
            time
        });
    });
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function(format!("batch={BATCH}"), |bencher| {
        bencher.iter_custom(|batches| {
            each(batches, || {
                let (time, answers) = timed(&runtime, async { json_rpc.batch(BATCH).await });
                assert_eq!(answers.ok(), Some(BATCH));
                time
            })
        });
    });
    group.finish();
}

fn runtime() -> Runtime {
    let runtime = Builder::new_multi_thread().enable_all().build();
    runtime.expect("threads")
}

/// The time of some work, and what came of it.
fn timed<T>(runtime: &Runtime, work: impl Future<Output = T>) -> (Duration, T) {
    let start = Instant::now();
    let done = runtime.block_on(work);
    (start.elapsed(), done)
}

/// The sum of so many times.
fn each(count: u64, work: impl FnMut() -> Duration) -> Duration {
    std::iter::repeat_with(work)
        .take(usize::try_from(count).expect("fits 64 bits"))
        .sum()
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).without_plots();
    targets = grpc, json_rpc
}
criterion_main!(benches);

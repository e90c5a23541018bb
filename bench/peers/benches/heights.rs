//! What a height takes four validators on this machine: malachite's engine, and agreement at its barest.

use std::path::Path;
use std::time::Duration;

use cloverleaf_peers::malachite::{Malachite, Protocol};
use cloverleaf_peers::{BareLoop, Progress};
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};

/// Blocks: small, and as large as what 64 clients with 64 KiB at a time fill.
const BLOCKS: [(&str, usize); 2] = [("1KiB", 1024), ("1MiB", 1024 * 1024)];

/// Heights, each a sample of its own, so that half of them can be told from the slowest.
const HEIGHTS: usize = 300;

/// Heights before the first that counts.
const HEIGHTS_BEFORE: u64 = 10;

/// So short that a sample is one height.
const MEASUREMENT: Duration = Duration::from_millis(1);

/// How malachite is run: how messages reach all, and whether blocks are durable.
const KINDS: [(Protocol, bool); 3] = [
    (Protocol::GossipSub, true),
    (Protocol::Broadcast, true),
    (Protocol::Broadcast, false),
];

fn heights(criterion: &mut Criterion) {
    let inside = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut group = criterion.benchmark_group("peers::height");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(1));
    for (block, bytes) in BLOCKS {
        let network = BareLoop::start(inside, bytes).expect("room for its files");
        let name = format!("block={block} engine=bare_loop");
        measure(&mut group, &name, network.progress());
        drop(network);
        for (protocol, is_durable) in KINDS {
            let network = Malachite::start(inside, bytes, protocol, is_durable);
            let network = network.expect("room for its files, and ports");
            let blocks = if is_durable { "durable" } else { "in_memory" };
            let protocol = protocol.name();
            let name =
                format!("block={block} engine=malachite protocol={protocol} blocks={blocks}");
            measure(&mut group, &name, network.progress());
        }
    }
    group.finish();
}

fn measure(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, progress: &Progress) {
    // It takes seconds until engines have found each other.
    progress.time(HEIGHTS_BEFORE);
    let before = progress.last();
    let mut measured = 0;
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|heights| {
            measured += heights;
            progress.time(heights)
        });
    });
    assert!(progress.last() >= before + measured, "heights are missing");
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(HEIGHTS)
        .measurement_time(MEASUREMENT)
        .without_plots();
    targets = heights
}
criterion_main!(benches);

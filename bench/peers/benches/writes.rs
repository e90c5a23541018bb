//! What a durable write costs RocksDB by itself.

use std::path::Path;
use std::time::Duration;

use cloverleaf_peers::{BareStore, time_each};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};

/// Lengths of values: a small record, a block.
const VALUE_BYTES: [usize; 2] = [4 * 1024, 1024 * 1024];

/// Writes, each a sample of its own, so that the slowest of a hundred can be told.
const WRITES: usize = 500;

/// So short that a sample is one write.
const MEASUREMENT: Duration = Duration::from_millis(1);

fn writes(criterion: &mut Criterion) {
    let inside = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut group = criterion.benchmark_group("peers::rocksdb");
    group.sampling_mode(SamplingMode::Flat);
    for bytes in VALUE_BYTES {
        let mut store = BareStore::open(inside, bytes).expect("room for it");
        let mut measured = 0;
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("synced_bytes={bytes}"), |bencher| {
            bencher.iter_custom(|writes| {
                measured += writes;
                let check = |written: Result<(), _>| assert_eq!(written, Ok(()));
                time_each(writes, || (), || store.write(), check)
            });
        });
        assert_eq!(store.written(), measured);
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(WRITES)
        .measurement_time(MEASUREMENT)
        .without_plots();
    targets = writes
}
criterion_main!(benches);

//! What a store costs beside bare RocksDB with the same bytes, on the same disk, at the same pace:
//! a block's commit, a page of a rollup's batches, and opening after a crash.
//!
//! A sample is one iteration: so its samples say what half of them took, and 99 of a hundred.

mod bare;
mod commit;
mod open;
mod read;

use std::path::Path;
use std::time::Duration;

use cloverleaf_bench::Workload;
use cloverleaf_replica::Commit;
use cloverleaf_storage::Store;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, criterion_group, criterion_main};
use tempfile::TempDir;

/// Iterations of a bench, each a sample: the p99 is the third worst.
const SAMPLES: usize = 200;

/// A small block, and a large one, as bytes of its transactions.
const BLOCK_BYTES: [usize; 2] = [4 * 1024, 1024 * 1024];

/// Few and many rollups. As many as there are transactions have a part in a small block.
const ROLLUPS: [usize; 2] = [10, 1_000];

/// A block with so many bytes of transactions that nothing shortens.
fn workload(bytes: usize, rollups: usize) -> Workload {
    Workload {
        transactions: bytes / Workload::CENTRE.transaction_bytes,
        rollups,
        is_dense: true,
        ..Workload::CENTRE
    }
}

/// A new directory on the disk that is measured.
fn directory() -> TempDir {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tempfile::tempdir_in(target).expect("the target directory is ours")
}

/// Commits as a node's committer does.
fn commit_to(store: &Store, commit: &Commit) {
    commit_then(store, commit, || {});
}

/// The same; `durable` is called when others would hear of the block.
fn commit_then(store: &Store, commit: &Commit, durable: impl FnOnce()) {
    let commit = cloverleaf_storage::Commit {
        block: &commit.block,
        ids: &commit.ids,
        branches: &commit.branches,
        state: &commit.state,
    };
    let committed = store.commit_then(&commit, durable);
    committed.expect("the block is the next one");
}

/// A group whose samples are one iteration each.
fn one_by_one<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    group
}

criterion_group! {
    name = benches;
    // Shorter than all samples take: then none gets a second iteration.
    config = Criterion::default()
        .sample_size(SAMPLES)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(1));
    targets = commit::blocks, read::pages, open::after_a_crash
}
criterion_main!(benches);

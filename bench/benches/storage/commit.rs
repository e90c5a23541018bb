//! `storage::commit`, and what one value of the same length costs (`limits::rocksdb`).

use std::cell::{LazyCell, RefCell};
use std::time::{Duration, Instant};

use cloverleaf_bench::{Chain, time_each};
use cloverleaf_replica::Commit;
use cloverleaf_storage::Store;
use criterion::Criterion;
use tempfile::TempDir;

use super::bare::Bare;
use super::{BLOCK_BYTES, ROLLUPS, commit_then, directory, one_by_one, workload};

/// A chain that goes on, and where its blocks are written.
struct Written<T> {
    chain: RefCell<Chain>,
    to: T,
    _dir: TempDir,
}

impl<T> Written<T> {
    fn new(chain: Chain, open: impl FnOnce(&TempDir, &Chain) -> T) -> Self {
        let dir = directory();
        Self {
            to: open(&dir, &chain),
            chain: RefCell::new(chain),
            _dir: dir,
        }
    }
}

/// Small blocks and large ones, each after its limit.
pub(crate) fn blocks(criterion: &mut Criterion) {
    for bytes in BLOCK_BYTES {
        bare(criterion, bytes);
        for rollups in ROLLUPS {
            ours(criterion, bytes, rollups);
        }
    }
}

/// The block of few rollups as it is sent, as one value.
fn bare(criterion: &mut Criterion, bytes: usize) {
    let mut group = one_by_one(criterion, "limits::rocksdb");
    let written = LazyCell::new(|| {
        let chain = Chain::new(workload(bytes, ROLLUPS[0]));
        Written::new(chain, |dir, _| Bare::open(dir.path()))
    });
    group.bench_function(format!("bytes={bytes}"), |bencher| {
        let Written { chain, to, .. } = &*written;
        bencher.iter_custom(|iterations| {
            time_each(
                iterations,
                || {
                    let block = chain.borrow_mut().decide_next().block;
                    (block.height().0.to_be_bytes(), block.encode())
                },
                |(height, block)| {
                    to.write(&height, &block);
                    (height, block)
                },
                |(height, block)| assert!(to.read(&height) == block, "{height:?}"),
            )
        });
    });
    group.finish();
}

/// The same with everything that the store keeps of it: until it is durable, and from there until its
/// transactions are in their index (`storage::index`).
fn ours(criterion: &mut Criterion, bytes: usize, rollups: usize) {
    let written = LazyCell::new(|| {
        let chain = Chain::new(workload(bytes, rollups));
        Written::new(chain, |dir, chain| {
            let network = chain.state().network();
            Store::open(dir.path(), network).expect("the directory is ours")
        })
    });
    for name in ["storage::commit", "storage::index"] {
        let mut group = one_by_one(criterion, name);
        group.bench_function(format!("bytes={bytes} rollups={rollups}"), |bencher| {
            let Written { chain, to, .. } = &*written;
            bencher.iter_custom(|iterations| {
                let next = || chain.borrow_mut().decide_next();
                let each = (0..iterations).map(|_| commit(to, &next()));
                each.map(|took| match name {
                    "storage::commit" => took.until_durable,
                    _ => took.until_indexed,
                })
                .sum()
            });
        });
        group.finish();
    }
}

/// What a commit took.
#[derive(Clone, Copy)]
struct Took {
    /// When others hear of the block.
    until_durable: Duration,
    /// What is left to do then.
    until_indexed: Duration,
}

/// Commits a block, and looks at what came of it outside of the time.
fn commit(to: &Store, decided: &Commit) -> Took {
    let start = Instant::now();
    let mut until_durable = Duration::ZERO;
    commit_then(to, decided, || until_durable = start.elapsed());
    let took = Took {
        until_durable,
        until_indexed: start.elapsed().saturating_sub(until_durable),
    };
    let (height, hash) = (decided.block.height(), decided.block.block.hash());
    assert_eq!(to.tip(), Some((height, hash)));
    // Every part of it is hashed, and led to the header.
    let stored = to.block_bytes(height).expect("a disk that reads");
    assert!(stored == Some(decided.block.encode()), "block {height}");
    for (batch, ids) in decided.block.block.batches.iter().zip(&decided.ids) {
        let last = ids.last().expect("no batch is empty");
        let found = to.transaction(batch.header().chain_id, *last);
        let place = found.expect("a disk that reads").expect("it was placed");
        assert_eq!(place.height, height);
    }
    took
}

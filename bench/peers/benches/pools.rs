//! Transactions of 200 bytes into a pool, and all of them out of it in their order: as
//! `mempool::insert_seal` does with ours.

use std::cell::{LazyCell, RefCell};

use cloverleaf_peers::pools::{EthrexPool, PlainPool, transactions};
use cloverleaf_peers::time_each;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};

const COUNTS: [usize; 3] = [10_000, 100_000, 1_000_000];

/// Transactions of an account in ethrex's pool: one as with the others, and as many as a pool usually
/// guarantees one.
const EACH: [usize; 2] = [1, 16];

/// Accounts that are asked of it: its snapshot of more would not fit into memory.
const ACCOUNTS_MAX: usize = 100_000;

fn pools(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("peers::pool");
    for count in COUNTS {
        group.throughput(Throughput::Elements(count as u64));
        plain(&mut group, count);
        for each in EACH.into_iter().filter(|each| count / each <= ACCOUNTS_MAX) {
            ethrex(&mut group, count, each);
        }
    }
    group.finish();
}

fn plain(group: &mut BenchmarkGroup<'_, WallTime>, count: usize) {
    let transactions = LazyCell::new(|| transactions(count));
    group.bench_function(
        format!("txs={count} pool=hash_map_and_b_tree_map"),
        |bencher| {
            let pool = RefCell::new(PlainPool::new(count));
            // As in service, it has held as many before.
            pool.borrow_mut().insert_and_take(&transactions);
            bencher.iter_custom(|iterations| {
                time_each(
                    iterations,
                    || pool.borrow_mut().forget(),
                    || pool.borrow_mut().insert_and_take(&transactions),
                    |taken| assert_eq!(taken, count),
                )
            });
        },
    );
}

fn ethrex(group: &mut BenchmarkGroup<'_, WallTime>, count: usize, each: usize) {
    let pool = LazyCell::new(|| EthrexPool::new(count, each));
    group.bench_function(format!("txs={count} pool=ethrex each={each}"), |bencher| {
        let _warm = pool.insert_and_take();
        bencher.iter_custom(|iterations| {
            time_each(
                iterations,
                || (),
                || pool.insert_and_take(),
                |taken| assert_eq!(pool.checked(&taken), count),
            )
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).without_plots();
    targets = pools
}
criterion_main!(benches);

//! Taking transactions into a pool and sealing them into parcels.

use std::cell::{LazyCell, RefCell};

use cloverleaf_bench::{Forwarded, Pattern, time_each};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// How many transactions the centre has; other patterns have as many.
const CENTRE: usize = 100_000;

fn insert_and_seal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mempool::insert_seal");
    let sizes = [10_000, CENTRE, 1_000_000];
    let usual = sizes.map(|count| (Pattern::Senders, count));
    let others = Pattern::ALL.into_iter().skip(1);
    for (pattern, txs) in usual.into_iter().chain(others.map(|it| (it, CENTRE))) {
        let forwarded = LazyCell::new(|| Forwarded::new(pattern, txs));
        group.throughput(Throughput::Elements(
            u64::try_from(txs).expect("fits 64 bits"),
        ));
        group.bench_function(format!("txs={txs} pattern={}", pattern.name()), |bencher| {
            let pool = RefCell::new(forwarded.pool());
            bencher.iter_custom(|iterations| {
                time_each(
                    iterations,
                    || pool.borrow_mut(),
                    |mut pool| forwarded.insert_and_seal(&mut pool),
                    |sealed| {
                        assert_eq!(sealed, forwarded.sealed());
                        forwarded.decide(&mut pool.borrow_mut());
                    },
                )
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = insert_and_seal
}
criterion_main!(benches);

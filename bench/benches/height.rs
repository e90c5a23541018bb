//! What a height costs four replicas in one thread, pools and parcels included, without I/O.

use std::cell::{LazyCell, RefCell};

use cloverleaf_bench::{Cluster, Workload, time_each};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const VALIDATORS: usize = 4;

/// Small, and 1 MiB of transactions.
const BLOCKS: [(&str, usize); 2] = [("small", 1), ("1MiB", 1024 * 1024 / 200)];

fn height(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replica::height");
    for (name, transactions) in BLOCKS {
        let workload = Workload {
            transactions,
            ..Workload::CENTRE
        };
        let cluster = LazyCell::new(|| RefCell::new(Cluster::new(VALIDATORS, workload.rollups)));
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("validators={VALIDATORS} block={name}"), |bencher| {
            bencher.iter_custom(|iterations| {
                time_each(
                    iterations,
                    || cluster.borrow_mut().burst(&workload),
                    |burst| cluster.borrow_mut().run(burst),
                    |()| {
                        let tip = cluster.borrow().tip().block;
                        assert_eq!(tip.transaction_count(), transactions);
                    },
                )
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = height
}
criterion_main!(benches);

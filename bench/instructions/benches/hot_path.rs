//! `order`, `insert` and `verify`, by how many instructions they take: the same on every machine and
//! under every load, so that growth is seen that no clock would show.

use std::hint::black_box;

use cloverleaf_bench::{Decided, Forwarded, NextBlock, Pattern, Workload, filled_window};
use cloverleaf_bundle::{Ordered, Prepared, Window};
use cloverleaf_mempool::Pool;
use cloverleaf_types::proof::BundleProof;
use cloverleaf_types::{Parcel, Secp256k1, Verified};
use gungraun::prelude::*;

/// Smaller than what is timed: each instruction takes fifty times as long here.
const WORKLOAD: Workload = Workload {
    transactions: 2_000,
    ..Workload::CENTRE
};
const WINDOW_IDS: usize = 20_000;

fn ordering(bundled_percent: usize) -> (NextBlock, Window) {
    let workload = Workload {
        bundled_percent,
        ..WORKLOAD
    };
    (NextBlock::new(workload), filled_window(WINDOW_IDS))
}

// One pass over a block.
#[library_benchmark]
#[bench::centre(ordering(10))]
#[bench::bundles(ordering(100))]
fn order((next, window): (NextBlock, Window)) -> (NextBlock, Window, Ordered) {
    let ordered = black_box(next.order(&window));
    // Nothing is dropped here: memory that is given back is no work of `order`.
    (next, window, ordered)
}

// What is computed once of each parcel.
#[library_benchmark]
#[bench::centre(NextBlock::new(WORKLOAD).parcels())]
fn prepare(parcels: Vec<std::sync::Arc<Verified<Parcel>>>) -> Vec<Prepared> {
    parcels.into_iter().map(Prepared::new).collect()
}

fn pooling(pattern: Pattern) -> (Forwarded, Pool) {
    let forwarded = Forwarded::new(pattern, WORKLOAD.transactions);
    let pool = forwarded.pool();
    (forwarded, pool)
}

// Into a pool and out of it, in parcels.
#[library_benchmark]
#[bench::senders(pooling(Pattern::Senders))]
#[bench::one_sender(pooling(Pattern::OneSender))]
#[bench::replacements(pooling(Pattern::Replacements))]
#[bench::evictions(pooling(Pattern::Evictions))]
fn insert((forwarded, mut pool): (Forwarded, Pool)) -> (Forwarded, Pool, usize) {
    let sealed = forwarded.insert_and_seal(&mut pool);
    assert_eq!(sealed, forwarded.sealed());
    (forwarded, pool, sealed)
}

fn proving() -> (Decided, BundleProof) {
    let decided = Decided::new(Workload {
        bundled_percent: 100,
        ..WORKLOAD
    });
    let proof = decided.bundle_proof(WORKLOAD.transactions / 4);
    (decided, proof)
}

// What a light client does with a bundle's proof.
#[library_benchmark]
#[bench::bundle(proving())]
fn verify((decided, proof): (Decided, BundleProof)) -> (Decided, BundleProof) {
    assert!(proof.verify(&decided.trust, &Secp256k1).is_ok());
    (decided, proof)
}

library_benchmark_group!(
    name = hot_path,
    benchmarks = [order, prepare, insert, verify]
);

main!(library_benchmark_groups = hot_path);

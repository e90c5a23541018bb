//! What a verifier does: trees, certificates, proofs.

use std::cell::LazyCell;
use std::hint::black_box;

use cloverleaf_bench::{Decided, Workload};
use cloverleaf_types::merkle::{Tree, leaf_hash, root};
use cloverleaf_types::{B256, Secp256k1, transaction_id};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn roots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("types::root");
    for leaves in [1_000, 10_000, 100_000] {
        let count = u64::try_from(leaves).expect("fits 64 bits");
        group.throughput(Throughput::Elements(count));
        let hashes = LazyCell::new(|| {
            let names = (0..leaves).map(|name: usize| transaction_id(&name.to_be_bytes()));
            names
                .map(|name| leaf_hash(name.as_slice()))
                .collect::<Vec<B256>>()
        });
        group.bench_function(format!("leaves={leaves}"), |bencher| {
            let expected = Tree::new(hashes.clone()).root();
            let mut found = expected;
            bencher.iter_batched(
                || hashes.clone(),
                |hashes| found = root(hashes),
                BatchSize::LargeInput,
            );
            assert_eq!(found, expected);
        });
    }
    group.finish();
}

fn verify(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("types::verify");
    let decided = LazyCell::new(|| {
        Decided::new(Workload {
            bundled_percent: 100,
            ..Workload::CENTRE
        })
    });
    // A block holds half as many bundles as transactions.
    let proof = LazyCell::new(|| decided.bundle_proof(Workload::CENTRE.transactions / 4));
    group.throughput(Throughput::Elements(1));
    group.bench_function("certificate", |bencher| {
        let Decided {
            trust,
            block,
            certificate,
            ..
        } = &*decided;
        let (height, hash, set) = (block.header.height, block.hash(), &trust.validators);
        let verify = || certificate.verify(trust.network, height, hash, set, &Secp256k1);
        let mut found = verify();
        bencher.iter(|| found = black_box(verify()));
        assert_eq!(found, Ok(()));
    });
    group.bench_function("bundle_proof", |bencher| {
        let verify = || proof.verify(&decided.trust, &Secp256k1);
        let mut found = verify();
        bencher.iter(|| found = black_box(verify()));
        assert!(found.is_ok());
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = roots, verify
}
criterion_main!(benches);

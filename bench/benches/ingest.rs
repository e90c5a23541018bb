//! What is done for a transaction before a pool takes it in.

use std::hint::black_box;

use bytes::Bytes;
use cloverleaf_bench::Wallet;
use cloverleaf_mempool::Envelope;
use cloverleaf_types::ChainId;
use cloverleaf_types::limits::TRANSACTION_BYTES_MAX;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Bytes of data in a transaction: none, as in a transfer, up to nearly as many as a pool takes.
const DATA_BYTES: [usize; 4] = [0, 100, 1_000, 100_000];

fn decode_and_recover(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ingest::decode_recover");
    group.throughput(Throughput::Elements(1));
    for bytes in DATA_BYTES {
        let mut wallet = Wallet::new("ingest", ChainId(901));
        let raw = wallet.with_data(bytes);
        let raw = Bytes::from(raw);
        let sender = wallet.address();
        group.bench_function(format!("data={bytes}"), |bencher| {
            let ingest = || {
                let envelope = Envelope::decode(black_box(raw.clone()), TRANSACTION_BYTES_MAX);
                envelope.and_then(|envelope| envelope.recover(false, 0))
            };
            let mut found = ingest();
            bencher.iter(|| found = black_box(ingest()));
            assert_eq!(found.map(|found| found.sender), Ok(sender));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = decode_and_recover
}
criterion_main!(benches);

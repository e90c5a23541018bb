//! What this machine can do at best, so that other figures can be given as ratios.

use std::fs::OpenOptions;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use cloverleaf_consensus::LocalSigner;
use cloverleaf_types::{B256, Recover as _, Secp256k1, Signer as _, transaction_id};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sha2::{Digest as _, Sha256};

/// Length of a transaction here, in bytes.
const TRANSACTION_BYTES: usize = 200;

/// What a tree hashes for a leaf: a byte and an id.
const LEAF_BYTES: usize = 33;

/// What it hashes for a node: a byte and two hashes.
const NODE_BYTES: usize = 65;

/// A small durable write, in bytes.
const WRITE_BYTES: usize = 4 * 1024;

/// Size of the file that is written over, in bytes.
const FILE_BYTES: u64 = 4 * 1024 * 1024;

/// A large copy, in bytes: more than a core's own caches hold.
const COPY_BYTES: usize = 16 * 1024 * 1024;

fn sign_and_recover(criterion: &mut Criterion) {
    let signer = LocalSigner::new(&[7; 32]).expect("a key that is not zero");
    let digest = B256::repeat_byte(9);
    let signature = signer.sign(digest);
    assert_eq!(Secp256k1.recover(digest, &signature), Ok(signer.address()));
    criterion.bench_function("limits::recover", |bencher| {
        bencher.iter(|| Secp256k1.recover(black_box(digest), black_box(&signature)));
    });
    criterion.bench_function("limits::sign", |bencher| {
        bencher.iter(|| signer.sign(black_box(digest)));
    });
}

fn hash(criterion: &mut Criterion) {
    let raw = vec![7; TRANSACTION_BYTES];
    criterion.bench_function("limits::keccak/bytes=200", |bencher| {
        bencher.iter(|| transaction_id(black_box(&raw)));
    });
    for bytes in [LEAF_BYTES, NODE_BYTES, TRANSACTION_BYTES] {
        let data = vec![7; bytes];
        criterion.bench_function(&format!("limits::sha256/bytes={bytes}"), |bencher| {
            bencher.iter(|| Sha256::digest(black_box(&data)));
        });
    }
}

fn write(criterion: &mut Criterion) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("limits-fdatasync");
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&path)
        .expect("a file in the target directory");
    // Written once, so that a sync later is for data alone.
    for offset in (0..FILE_BYTES).step_by(WRITE_BYTES) {
        file.write_all_at(&[1; WRITE_BYTES], offset)
            .expect("room on the disk");
    }
    file.sync_all().expect("a disk that syncs");
    let mut offset = 0;
    criterion.bench_function("limits::fdatasync/bytes=4096", |bencher| {
        bencher.iter(|| {
            file.write_all_at(&[7; WRITE_BYTES], offset)
                .expect("room on the disk");
            file.sync_data().expect("a disk that syncs");
            offset = (offset + WRITE_BYTES as u64) % FILE_BYTES;
        });
    });
    std::fs::remove_file(path).expect("the file is ours");
}

fn copy(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("limits::memcpy");
    let (from, mut to) = (vec![7_u8; COPY_BYTES], vec![0_u8; COPY_BYTES]);
    group.throughput(Throughput::Bytes(COPY_BYTES as u64));
    group.bench_function(format!("bytes={COPY_BYTES}"), |bencher| {
        bencher.iter(|| to.copy_from_slice(black_box(&from)));
        assert_eq!(from, to);
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = sign_and_recover, hash, write, copy
}
criterion_main!(benches);

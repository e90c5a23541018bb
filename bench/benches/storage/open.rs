//! `storage::open`: what a node does with its store when it starts after a crash. RocksDB's log is
//! replayed, the state of the tip held against its header, and the replay window computed again from its
//! blocks. Beside it bare RocksDB that is opened with the same blocks, each of which is read
//! (`limits::rocksdb_open`).

use std::cell::LazyCell;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use cloverleaf_bench::{Chain, is_trial, time_each};
use cloverleaf_bundle::{State, Window};
use cloverleaf_storage::Store;
use cloverleaf_types::Height;
use cloverleaf_types::limits::REPLAY_WINDOW_BLOCKS_MIN;
use criterion::Criterion;
use tempfile::TempDir;

use super::bare::Bare;
use super::{ROLLUPS, commit_to, directory, one_by_one, workload};

/// Bytes of a block's transactions.
const BYTES: usize = 256 * 1024;

/// Openings, of which each replays all blocks.
const SAMPLES: usize = 10;

/// What a process left that had no time to end.
struct Left {
    store: TempDir,
    bare: TempDir,
    chain: Chain,
    blocks: Vec<Bytes>,
}

/// Opens what was left, a copy each time.
pub(crate) fn after_a_crash(criterion: &mut Criterion) {
    let blocks = if is_trial() {
        2
    } else {
        REPLAY_WINDOW_BLOCKS_MIN
    };
    let left = LazyCell::new(|| Left::new(blocks));
    let name = format!("blocks={blocks} bytes={BYTES}");
    let mut group = one_by_one(criterion, "limits::rocksdb_open");
    group.sample_size(SAMPLES);
    group.bench_function(&name, |bencher| {
        let left = &*left;
        bencher.iter_custom(|iterations| {
            time_each(
                iterations,
                || copy_of(left.bare.path()),
                |dir| {
                    let bare = Bare::open(dir.path());
                    let read = (1..=blocks).map(|height| bare.read(&height.to_be_bytes()));
                    (read.collect::<Vec<_>>(), bare, dir)
                },
                |(read, _bare, _dir)| assert!(read == left.blocks),
            )
        });
    });
    group.finish();
    let mut group = one_by_one(criterion, "storage::open");
    group.sample_size(SAMPLES);
    group.bench_function(&name, |bencher| {
        let left = &*left;
        bencher.iter_custom(|iterations| {
            time_each(
                iterations,
                || copy_of(left.store.path()),
                |dir| {
                    let opened = Store::open(dir.path(), left.chain.state().network());
                    let store = opened.expect("nothing is damaged");
                    let state = store.checked_state().expect("as it was committed");
                    let state = state.expect("there are blocks");
                    let window = window(&store, &state);
                    (state, window, store, dir)
                },
                |(state, window, _store, _dir)| {
                    assert_eq!(state.root(), left.chain.state().root());
                    assert_eq!(window.len(), left.chain.window().len());
                },
            )
        });
    });
    group.finish();
}

impl Left {
    fn new(blocks: u64) -> Self {
        let mut chain = Chain::new(workload(BYTES, ROLLUPS[0]));
        let (in_store, in_bare) = (directory(), directory());
        let store = Store::open(in_store.path(), chain.state().network());
        let (store, bare) = (store.expect("it is ours"), Bare::open(in_bare.path()));
        let blocks = (1..=blocks).map(|height: u64| {
            let commit = chain.decide_next();
            commit_to(&store, &commit);
            let block = commit.block.encode();
            bare.write(&height.to_be_bytes(), &block);
            block
        });
        let blocks = blocks.collect();
        // Copied while both are open: as a crash leaves them.
        Self {
            store: copy_of(in_store.path()),
            bare: copy_of(in_bare.path()),
            chain,
            blocks,
        }
    }
}

fn copy_of(dir: &Path) -> TempDir {
    let copy = directory();
    for file in fs::read_dir(dir).expect("a directory that is ours") {
        let file = file.expect("a directory that is ours");
        let copied = fs::copy(file.path(), copy.path().join(file.file_name()));
        copied.expect("room on the disk");
    }
    copy
}

/// The replay window, as a node computes it when it starts.
fn window(store: &Store, state: &State) -> Window {
    let (tip, tip_ms) = (state.height(), state.timestamp_ms());
    let mut window = Window::new(state.parameters().replay_window_ms);
    let mut first = tip.next();
    while first > Height(1) {
        let below = first.back(1);
        let header = store.header(below).expect("a disk that reads");
        let header = header.expect("heights have no gap");
        if !window.reaches(below, header.timestamp_ms, tip, tip_ms) {
            break;
        }
        first = below;
    }
    while first <= tip {
        let block = store.block(first).expect("a disk that reads");
        window.push_block(&block.expect("heights have no gap").block);
        first = first.next();
    }
    window
}

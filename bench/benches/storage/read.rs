//! `storage::read`: a rollup's batches, a page after the other as a stream's backlog asks for them, and
//! as many values of the same bytes (`limits::rocksdb_read`).

use std::cell::{Cell, LazyCell};

use bytes::Bytes;
use cloverleaf_bench::{Chain, is_trial, time_each};
use cloverleaf_storage::Store;
use cloverleaf_stream::limits::{PAGE_BYTES_MAX, PAGE_ITEMS_MAX};
use cloverleaf_types::{Batch, ChainId};
use criterion::Criterion;
use tempfile::TempDir;

use super::bare::Bare;
use super::{BLOCK_BYTES, ROLLUPS, commit_to, directory, one_by_one, workload};

/// Blocks in the store: as many batches as a page may have.
const BLOCKS: usize = PAGE_ITEMS_MAX;

/// What is read together: a rollup's batches from a number on.
#[derive(Clone)]
struct Page {
    chain_id: ChainId,
    batches: Vec<(u64, Bytes)>,
}

/// Two databases with the same batches, opened again after they were written.
struct Stored {
    store: Store,
    bare: Bare,
    pages: Vec<Page>,
    turn: Cell<usize>,
    _dirs: [TempDir; 2],
}

/// All pages of both, rollup by rollup.
pub(crate) fn pages(criterion: &mut Criterion) {
    let bytes = BLOCK_BYTES[BLOCK_BYTES.len() - 1];
    for rollups in ROLLUPS {
        let stored = LazyCell::new(|| Stored::new(bytes, rollups));
        let name = format!("bytes={bytes} rollups={rollups}");
        let mut group = one_by_one(criterion, "limits::rocksdb_read");
        group.bench_function(&name, |bencher| {
            let stored = &*stored;
            bencher.iter_custom(|iterations| {
                time_each(
                    iterations,
                    || stored.next_page(),
                    |page| (stored.read_bare(page), page),
                    |(values, page)| {
                        let expected = page.batches.iter().map(|(_, batch)| batch);
                        assert!(values.iter().eq(expected), "{}", page.chain_id);
                    },
                )
            });
        });
        group.finish();
        let mut group = one_by_one(criterion, "storage::read");
        group.bench_function(&name, |bencher| {
            let stored = &*stored;
            bencher.iter_custom(|iterations| {
                time_each(
                    iterations,
                    || stored.next_page(),
                    |page| (stored.read(page), page),
                    |(batches, page)| {
                        let batches = batches.into_iter();
                        let read: Vec<_> = batches.map(|it| (it.seq, it.bytes)).collect();
                        assert!(read == page.batches, "{}", page.chain_id);
                    },
                )
            });
        });
        group.finish();
    }
}

impl Stored {
    fn new(bytes: usize, rollups: usize) -> Self {
        let dirs = [directory(), directory()];
        let mut chain = Chain::new(workload(bytes, rollups));
        let network = chain.state().network();
        let open = || {
            let store = Store::open(dirs[0].path(), network);
            (
                store.expect("the directory is ours"),
                Bare::open(dirs[1].path()),
            )
        };
        let blocks = if is_trial() { 2 } else { BLOCKS };
        let mut rows = vec![Vec::new(); rollups];
        {
            let (store, bare) = open();
            for _ in 0..blocks {
                let commit = chain.decide_next();
                commit_to(&store, &commit);
                for (row, batch) in rows.iter_mut().zip(&commit.block.block.batches) {
                    bare.write(&key_of(batch), batch.encoded());
                    row.push(batch.clone());
                }
            }
        }
        let (store, bare) = open();
        Self {
            store,
            bare,
            pages: rows.iter().flat_map(|batches| in_pages(batches)).collect(),
            turn: Cell::new(0),
            _dirs: dirs,
        }
    }

    fn next_page(&self) -> &Page {
        let turn = self.turn.get();
        self.turn.set(turn + 1);
        &self.pages[turn % self.pages.len()]
    }

    fn read(&self, page: &Page) -> Vec<cloverleaf_storage::StoredBatch> {
        let (from, _) = page.batches[0];
        let batches = self
            .store
            .batches_from(page.chain_id, from, PAGE_ITEMS_MAX, PAGE_BYTES_MAX);
        batches.expect("a disk that reads")
    }

    fn read_bare(&self, page: &Page) -> Vec<Vec<u8>> {
        let numbers = page.batches.iter().map(|(seq, _)| *seq);
        let values = numbers.map(|seq| self.bare.read(&key(page.chain_id, seq)));
        values.collect()
    }
}

/// A rollup's batches as a reader of the backlog gets them.
fn in_pages(batches: &[Batch]) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    let mut room = 0;
    for batch in batches {
        let (header, bytes) = (batch.header(), batch.encoded());
        let fits = bytes.len() <= room;
        match pages
            .last_mut()
            .filter(|page| fits && page.batches.len() < PAGE_ITEMS_MAX)
        {
            Some(page) => page.batches.push((header.seq, bytes.clone())),
            None => {
                room = PAGE_BYTES_MAX;
                pages.push(Page {
                    chain_id: header.chain_id,
                    batches: vec![(header.seq, bytes.clone())],
                });
            }
        }
        room -= bytes.len().min(room);
    }
    pages
}

fn key_of(batch: &Batch) -> [u8; 16] {
    key(batch.header().chain_id, batch.header().seq)
}

/// As the store's: `chain_id ‖ seq`.
fn key(chain_id: ChainId, seq: u64) -> [u8; 16] {
    let pair = (u128::from(chain_id.0) << 64) | u128::from(seq);
    pair.to_be_bytes()
}

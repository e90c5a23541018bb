//! How often the bytes of transactions are copied on their way from a peer's message to the disk, and
//! how much memory ordering them takes: counted by the allocator, which a copy has to ask for room unless it
//! goes into a buffer that is used again.
//!
//! ```text
//!   message ─► parcel, prepared ─► lane log or parcel store ─► order ─► store
//!           0                   1: into the file's buffer    1: into batches   RocksDB's own
//! ```
//! Transactions are long here, so that what is computed of each (ids, hashes, places) is little beside
//! its bytes.

use std::sync::Arc;

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use cloverleaf_bench::{Chain, NextBlock, Workload, filled_window};
use cloverleaf_bundle::Prepared;
use cloverleaf_journal::{FileDisk, SegmentedJournal};
use cloverleaf_mempool::Message;
use cloverleaf_replica::{Intake, intake};
use cloverleaf_storage::{Commit, Store};
use cloverleaf_types::Secp256k1;

/// 4 MiB of transactions.
const LONG: Workload = Workload {
    transactions: 1_024,
    transaction_bytes: 4 * 1024,
    ..Workload::CENTRE
};

/// The least that copying all of the bytes once more would take.
const COPY: u64 = (LONG.transactions * LONG.transaction_bytes) as u64;

/// What is computed of transactions takes less than this, lists that grow included: a fifth of their bytes.
const COMPUTED: u64 = COPY / 5;

/// Longest file of a journal, in bytes: longer than all that is written here.
const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Runs it; what it asked the allocator for, and what it gave.
fn counted<T>(work: impl FnOnce() -> T) -> (AllocationInfo, T) {
    let mut done = None;
    let mut work = Some(work);
    let counted = measure(|| done = work.take().map(|work| work()));
    (counted, done.expect("it was run"))
}

fn bytes_of(ordered: &cloverleaf_bundle::Ordered) -> u64 {
    let batches = ordered.block.batches.iter();
    let lengths = batches.map(|batch| batch.encoded().len());
    u64::try_from(lengths.sum::<usize>()).expect("a block is limited")
}

#[test]
fn parcel_is_taken_in_without_a_copy_of_its_transactions() {
    let next = NextBlock::new(LONG);
    let parcels = next.parcels().into_iter();
    let messages: Vec<Bytes> = parcels
        .map(|parcel| Message::Parcel(parcel.encoded().clone()).encode())
        .collect();
    let network = next.parent.network();
    let (counted, taken) = counted(|| {
        let each = messages
            .iter()
            .map(|bytes| intake(bytes, network, &Secp256k1));
        each.collect::<Result<Vec<_>, _>>()
            .expect("they are well-formed")
    });
    assert!(counted.bytes_total < COMPUTED, "{counted:?} of {COPY}");
    let prepared = taken.iter().map(|taken| match taken {
        Intake::Parcel(prepared) => prepared.ids.len(),
        other => panic!("not a parcel: {other:?}"),
    });
    assert_eq!(prepared.sum::<usize>(), LONG.transactions);
}

#[test]
fn parcel_is_copied_once_into_the_buffer_of_its_file_which_is_used_again() {
    let next = NextBlock::new(LONG);
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let disk = FileDisk::open(dir.path()).unwrap();
    let opened = SegmentedJournal::open(disk, "parcels", SEGMENT_BYTES_MAX).unwrap();
    let mut journal = opened.journal;
    let parcels: Vec<Arc<Prepared>> = next.lanes.iter().flatten().cloned().collect();
    let mut write = || {
        for prepared in &parcels {
            journal.append(1, prepared.parcel.encoded()).unwrap();
            journal.sync().unwrap();
        }
    };
    let (first, ()) = counted(&mut write);
    assert!(first.bytes_total > COMPUTED / 4, "{first:?}: the buffer");
    let (again, ()) = counted(&mut write);
    assert!(again.bytes_total < COMPUTED, "{again:?} of {COPY}");
}

#[test]
fn order_copies_transactions_once_into_their_batches() {
    let next = NextBlock::new(LONG);
    let window = filled_window(1_000);
    let (counted, ordered) = counted(|| next.order(&window));
    assert!(bytes_of(&ordered) > COPY);
    assert!(
        counted.bytes_total < COPY + COMPUTED,
        "{counted:?} of {COPY}"
    );
}

#[test]
fn block_is_committed_without_a_copy_of_its_transactions_on_this_side_of_rocksdb() {
    let mut chain = Chain::new(LONG);
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store = Store::open(dir.path(), chain.state().network()).unwrap();
    let decided = chain.decide_next();
    let commit = Commit {
        block: &decided.block,
        ids: &decided.ids,
        branches: &decided.branches,
        state: &decided.state,
    };
    let (counted, ()) = counted(|| store.commit(&commit).unwrap());
    assert!(counted.bytes_total < COMPUTED, "{counted:?} of {COPY}");
    assert_eq!(
        store.tip(),
        Some((decided.block.height(), decided.block.block.hash()))
    );
}

/// Of the usual length, where what is computed counts; as many as one thread orders, since others are not counted.
#[test]
fn order_takes_at_most_twice_the_memory_of_its_block() {
    for transactions in [1_000, 10_000, 40_000] {
        let workload = Workload {
            transactions,
            ..Workload::CENTRE
        };
        let next = NextBlock::new(workload);
        let window = filled_window(1_000);
        let (counted, ordered) = counted(|| next.order(&window));
        let bytes = bytes_of(&ordered);
        assert!(counted.bytes_max <= 2 * bytes, "{counted:?} of {bytes}");
    }
}

//! What a look-up reads when tables have grown large.

use cloverleaf_types::{B256, ChainId, Height, transaction_id};
use rocksdb::perf::{PerfContext, PerfMetric, PerfStatsLevel, set_perf_stats};

use super::fixture::{Chain, NETWORK};
use super::{Home, Store};
use crate::column::Column;
use crate::memory::Memory;
use crate::places::TransactionPlace;
use crate::{Commit, keys};

/// As many as give a table a filter of more than half a megabyte, which is a part of the small cache.
const TRANSACTIONS: u64 = 500_000;

/// How many are put into one write.
const TOGETHER: u64 = 50_000;

/// A small cache, in bytes: four parts.
const CACHE_BYTES: usize = 2 * 1024 * 1024;

/// Ids that nobody has sent, and most bytes that are read for each.
const ABSENT: u64 = 200;
const EACH_BYTES_MAX: u64 = 64 * 1024;

const CHAIN: ChainId = ChainId(901);

fn id(number: u64) -> B256 {
    transaction_id(&number.to_be_bytes())
}

#[test]
fn look_up_of_an_absent_id_reads_little_however_many_there_are() {
    let home = Home::new();
    let store = home.open();
    let decided = Chain::new().next_usual();
    let commit: Commit<'_> = decided.commit();
    store.commit(&commit).unwrap();
    let place = keys::transaction_place(&TransactionPlace {
        height: Height(1),
        seq: 1,
        index: 0,
    });
    for first in (0..TRANSACTIONS).step_by(usize::try_from(TOGETHER).unwrap()) {
        let mut writes = store.database().writes();
        for number in first..first + TOGETHER {
            writes.put(
                Column::Transactions,
                &keys::transaction(CHAIN, id(number)),
                &place,
            );
        }
        store.database().write_synced(writes).unwrap();
    }
    store.database().compact(Column::Transactions).unwrap();
    drop(store);
    let memory = Memory {
        cache_bytes: CACHE_BYTES,
        ..Memory::default()
    };
    let store = Store::open_within(&home.path(), NETWORK, memory).unwrap();
    set_perf_stats(PerfStatsLevel::EnableCount);
    let mut perf = PerfContext::default();
    perf.reset();
    for number in TRANSACTIONS..TRANSACTIONS + ABSENT {
        assert_eq!(store.transaction(CHAIN, id(number)).unwrap(), None);
    }
    let read = perf.metric(PerfMetric::BlockReadByte);
    set_perf_stats(PerfStatsLevel::Disable);
    assert!(
        read / ABSENT <= EACH_BYTES_MAX,
        "{} bytes for each",
        read / ABSENT
    );
    assert!(store.transaction(CHAIN, id(7)).unwrap().is_some());
}

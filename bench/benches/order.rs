//! Ordering one block: preparing its parcels, `order`, and the window's advance.

use std::cell::LazyCell;
use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_bench::{AdvancingWindow, NextBlock, Workload, filled_window, time_each};
use cloverleaf_bundle::{Prepared, Window};
use cloverleaf_mempool::Message;
use cloverleaf_replica::{Intake, intake};
use cloverleaf_types::{NetworkId, Secp256k1};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Ids of earlier blocks in the window.
const WINDOW_IDS: usize = 1_000_000;

fn elements(count: usize) -> Throughput {
    Throughput::Elements(u64::try_from(count).expect("fits 64 bits"))
}

/// The centre, and one factor at a time.
fn workloads() -> [Workload; 5] {
    let centre = Workload::CENTRE;
    let of = |transactions| Workload {
        transactions,
        ..centre
    };
    let with = |bundled_percent| Workload {
        bundled_percent,
        ..centre
    };
    [centre, of(1_000), of(100_000), with(0), with(100)]
}

fn order(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bundle::order");
    let empty = LazyCell::new(|| filled_window(0));
    let full = LazyCell::new(|| filled_window(WINDOW_IDS));
    for workload in workloads() {
        let next = LazyCell::new(|| NextBlock::new(workload));
        let windows: [(usize, &dyn Fn() -> Window); 2] =
            [(0, &|| empty.clone()), (WINDOW_IDS, &|| full.clone())];
        for (ids, window) in windows {
            let Workload {
                transactions: txs,
                bundled_percent: bundled,
                ..
            } = workload;
            let prepared = LazyCell::new(|| {
                let window = window();
                let expected = next.checked(&window).block.header;
                (window, expected)
            });
            group.throughput(elements(txs));
            group.bench_function(
                format!("txs={txs} bundled={bundled} window={ids}"),
                |bencher| {
                    let (window, expected) = &*prepared;
                    bencher.iter_custom(|iterations| {
                        time_each(
                            iterations,
                            || (),
                            |()| next.order(window),
                            |ordered| assert_eq!(ordered.block.header, *expected),
                        )
                    });
                },
            );
        }
    }
    group.finish();
}

fn prepare(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bundle::prepare");
    for bundled in [0, 10, 100] {
        let workload = Workload {
            bundled_percent: bundled,
            ..Workload::CENTRE
        };
        let parcels = LazyCell::new(|| NextBlock::new(workload).parcels());
        let txs = workload.transactions;
        group.throughput(elements(txs));
        group.bench_function(format!("txs={txs} bundled={bundled}"), |bencher| {
            bencher.iter_custom(|iterations| {
                time_each(
                    iterations,
                    || parcels.clone(),
                    |parcels| parcels.into_iter().map(Prepared::new).collect::<Vec<_>>(),
                    |prepared| assert_eq!(ids(&prepared), txs),
                )
            });
        });
    }
    group.finish();
}

/// What a validator does with another's parcel before its replica sees it: decode, hash the body,
/// verify the author's signature, prepare.
fn take_in(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replica::intake");
    let workload = Workload::CENTRE;
    let messages = LazyCell::new(|| {
        let next = NextBlock::new(workload);
        (messages(&next), next.parent.network())
    });
    let txs = workload.transactions;
    group.throughput(elements(txs));
    group.bench_function(format!("txs={txs}"), |bencher| {
        let (messages, network) = &*messages;
        bencher.iter_custom(|iterations| {
            time_each(
                iterations,
                || (),
                |()| taken_in(messages, *network),
                |taken| assert_eq!(ids(taken.iter().map(|it| &**it)), txs),
            )
        });
    });
    group.finish();
}

/// The block's parcels as they come from the network.
fn messages(next: &NextBlock) -> Vec<Bytes> {
    let parcels = next.parcels().into_iter();
    let messages = parcels.map(|parcel| Message::Parcel(parcel.encoded().clone()));
    messages.map(|message| message.encode()).collect()
}

fn taken_in(messages: &[Bytes], network: NetworkId) -> Vec<Arc<Prepared>> {
    let taken = messages.iter().map(|bytes| {
        match intake(bytes, network, &Secp256k1).expect("they are well-formed") {
            Intake::Parcel(prepared) => prepared,
            other => panic!("not a parcel: {other:?}"),
        }
    });
    taken.collect()
}

fn ids<'a>(prepared: impl IntoIterator<Item = &'a Prepared>) -> usize {
    prepared
        .into_iter()
        .map(|prepared| prepared.ids.len())
        .sum()
}

/// A block from the parcels' bytes on: what is done when they arrive, `order`, the window's advance.
fn everything(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bundle::everything");
    let Workload {
        transactions: txs,
        bundled_percent: bundled,
        ..
    } = Workload::CENTRE;
    let next = LazyCell::new(|| NextBlock::new(Workload::CENTRE));
    let messages = LazyCell::new(|| messages(&next));
    let looked_in = LazyCell::new(|| filled_window(WINDOW_IDS));
    let advancing = LazyCell::new(|| std::cell::RefCell::new(AdvancingWindow::new(txs)));
    let expected = LazyCell::new(|| next.checked(&looked_in).block.header);
    group.throughput(elements(txs));
    group.bench_function(
        format!("txs={txs} bundled={bundled} window={WINDOW_IDS}"),
        |bencher| {
            bencher.iter_custom(|iterations| {
                time_each(
                    iterations,
                    || advancing.borrow().next_keys(),
                    |keys| {
                        let lanes = next.lanes_of(taken_in(&messages, next.parent.network()));
                        let ordered = next.order_lanes(&lanes, &looked_in);
                        // As many ids as the block's: its own are in it after the first time.
                        let placed = ordered.keys();
                        advancing.borrow_mut().push(&keys);
                        (ordered, placed)
                    },
                    |(ordered, placed)| {
                        assert_eq!(ordered.block.header, *expected);
                        assert_eq!(placed.len(), txs);
                    },
                )
            });
        },
    );
    group.finish();
}

fn advance(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bundle::window_push");
    let per_block = Workload::CENTRE.transactions;
    let window = LazyCell::new(|| std::cell::RefCell::new(AdvancingWindow::new(per_block)));
    group.throughput(elements(per_block));
    group.bench_function(format!("ids={per_block} window={WINDOW_IDS}"), |bencher| {
        bencher.iter_custom(|iterations| {
            time_each(
                iterations,
                || window.borrow().next_keys(),
                |keys| window.borrow_mut().push(&keys),
                |()| assert_eq!(window.borrow().ids(), WINDOW_IDS),
            )
        });
    });
    group.finish();
}

/// Invariant 5: what each commit looks at once more, that no id is placed twice.
fn look_for_repeats(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bundle::window_repeated");
    let per_block = Workload::CENTRE.transactions;
    let window = LazyCell::new(|| AdvancingWindow::new(per_block));
    group.throughput(elements(per_block));
    group.bench_function(format!("ids={per_block} window={WINDOW_IDS}"), |bencher| {
        let keys = window.next_keys();
        bencher.iter_custom(|iterations| {
            time_each(
                iterations,
                || (),
                |()| window.repeated(&keys),
                |repeated| assert_eq!(repeated, None),
            )
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = order, prepare, take_in, everything, advance, look_for_repeats
}
criterion_main!(benches);

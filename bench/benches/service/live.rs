//! `stream::fanout`: from the announcement of blocks until every subscriber has its batches of them; and
//! the same of one node beside a reader that never reads. An element is a message.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use cloverleaf_api::proto::stream::v1::BatchItem;
use cloverleaf_bench::{is_trial, time_each};
use cloverleaf_replica::Commit;
use cloverleaf_types::ChainId;
use criterion::{Criterion, SamplingMode, Throughput};
use tokio::runtime::Runtime;
use tonic::Streaming;

use super::bare::Bare;
use super::node::Node;
use super::readers::{Read, Readers, connect, subscribe};
use super::{BATCH_TRANSACTIONS, runtime, workload};

/// Rollups, and how many blocks with a batch for each are announced together.
const ROLLUPS: [(usize, usize); 4] = [(1, 256), (10, 64), (100, 16), (1_000, 2)];

/// Subscribers of each rollup.
const SUBSCRIBERS: [usize; 2] = [1, 4];

/// Rollups whose only subscribers are measured again beside a slow reader.
const BESIDE_SLOW: usize = 100;

/// What is streamed to whom.
#[derive(Clone, Copy)]
struct Case {
    rollups: usize,
    blocks: usize,
    /// Of each rollup.
    subscribers: usize,
}

/// tonic alone, and those who read.
struct Limit {
    bare: Bare,
    readers: Cell<Option<Readers>>,
}

/// A node, and those who read.
struct Served {
    node: RefCell<Node>,
    readers: Cell<Option<Readers>>,
    /// Nobody asks it for a message.
    slow: Option<Streaming<BatchItem>>,
}

/// All numbers of rollups and subscribers, each after its limit.
pub(crate) fn fanout(criterion: &mut Criterion) {
    for case in cases() {
        limit(criterion, case);
        ours(criterion, case);
    }
}

fn cases() -> impl Iterator<Item = Case> {
    let most = if is_trial() { 10 } else { usize::MAX };
    let few = ROLLUPS
        .into_iter()
        .filter(move |(rollups, _)| *rollups <= most);
    few.flat_map(|(rollups, blocks)| {
        SUBSCRIBERS.map(|subscribers| Case {
            rollups,
            blocks,
            subscribers,
        })
    })
}

fn limit(criterion: &mut Criterion, case: Case) {
    let (runtime, mut limit) = (runtime(), None);
    let mut group = criterion.benchmark_group("limits::tonic");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(case.messages());
    group.bench_function(case.name(), |bencher| {
        let limit = limit.get_or_insert_with(|| runtime.block_on(Limit::new(case)));
        bencher.iter_custom(|iterations| limit.time(&runtime, iterations, case));
    });
    group.finish();
}

fn ours(criterion: &mut Criterion, case: Case) {
    let (runtime, mut served) = (runtime(), None);
    let mut group = criterion.benchmark_group("stream::fanout");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(case.messages());
    group.bench_function(case.name(), |bencher| {
        let served = served.get_or_insert_with(|| runtime.block_on(Served::new(case)));
        bencher.iter_custom(|iterations| served.time(&runtime, iterations, case));
    });
    if (case.rollups, case.subscribers) == (BESIDE_SLOW, 1) {
        group.bench_function(case.name() + " slow=1", |bencher| {
            let served = served.get_or_insert_with(|| runtime.block_on(Served::new(case)));
            runtime.block_on(served.begin_slow());
            bencher.iter_custom(|iterations| served.time(&runtime, iterations, case));
        });
    }
    group.finish();
    if let Some(Served { node, .. }) = served {
        runtime.block_on(node.into_inner().stop());
    }
}

impl Case {
    fn name(self) -> String {
        format!("rollups={} subscribers={}", self.rollups, self.subscribers)
    }

    fn streams(self) -> usize {
        self.rollups * self.subscribers
    }

    fn messages(self) -> Throughput {
        let count = u64::try_from(self.blocks * self.streams());
        Throughput::Elements(count.expect("fits 64 bits"))
    }
}

impl Limit {
    async fn new(case: Case) -> Self {
        let bare = Bare::start(workload(case.rollups, BATCH_TRANSACTIONS), case.blocks).await;
        let chains = vec![ChainId::CONTROL; case.rollups];
        let readers = Readers::open(&bare.endpoint(), &chains, case.subscribers).await;
        Self {
            bare,
            readers: Cell::new(Some(readers)),
        }
    }

    fn time(&self, runtime: &Runtime, iterations: u64, case: Case) -> Duration {
        let _inside = runtime.enter();
        time_each(
            iterations,
            || taken(&self.readers).read(case.blocks),
            |reading| {
                self.bare.announce();
                runtime.block_on(reading.finish())
            },
            |(again, all)| {
                let messages: usize = all.iter().map(Vec::len).sum();
                assert_eq!(messages, case.blocks * case.streams());
                self.readers.set(Some(again));
            },
        )
    }
}

impl Served {
    async fn new(case: Case) -> Self {
        let node = Node::start(workload(case.rollups, BATCH_TRANSACTIONS), 0).await;
        let (endpoint, chains) = (node.endpoint(), node.chains());
        let readers = Readers::open(&endpoint, &chains, case.subscribers).await;
        Self {
            node: RefCell::new(node),
            readers: Cell::new(Some(readers)),
            slow: None,
        }
    }

    /// Subscribes one more, on a connection of its own, that wants what comes next and never reads.
    async fn begin_slow(&mut self) {
        if self.slow.is_none() {
            let node = self.node.get_mut();
            let client = connect(&node.endpoint(), 0).await;
            let (chain_id, next) = node.first();
            self.slow = Some(subscribe(&client, chain_id, next).await);
        }
    }

    fn time(&self, runtime: &Runtime, iterations: u64, case: Case) -> Duration {
        let _inside = runtime.enter();
        time_each(
            iterations,
            || {
                let blocks = self.node.borrow_mut().decide(case.blocks);
                (blocks, taken(&self.readers).read(case.blocks))
            },
            |(blocks, reading)| {
                let node = self.node.borrow();
                blocks.iter().for_each(|block| node.announce(block));
                (runtime.block_on(reading.finish()), blocks)
            },
            |((again, all), blocks)| {
                let chains = self.node.borrow().chains();
                let each = chains
                    .iter()
                    .flat_map(|chain| vec![chain; case.subscribers]);
                assert_eq!(all.len(), case.streams());
                for (chain_id, read) in each.zip(&all) {
                    check(*chain_id, read, &blocks);
                }
                self.readers.set(Some(again));
            },
        )
    }
}

/// A subscriber has its rollup's batch of every block, in order, with a proof.
pub(crate) fn check(chain_id: ChainId, read: &Read, blocks: &[Commit]) {
    assert_eq!(read.len(), blocks.len(), "{chain_id}");
    for (item, commit) in read.iter().zip(blocks) {
        let batch = commit.block.block.batch(chain_id);
        let batch = batch.expect("every block has a batch for every rollup");
        assert!(item.batch == batch.encoded(), "{chain_id}");
        assert!(item.proof.is_some(), "{chain_id}");
    }
}

fn taken(readers: &Cell<Option<Readers>>) -> Readers {
    readers.take().expect("put back after each time")
}

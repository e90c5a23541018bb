//! The proof that no schedule makes a gap or a repeat.

use std::collections::VecDeque;
use std::sync::Arc;

use cloverleaf_types::{ChainId, Height};
use futures::FutureExt;
use proptest::prelude::*;
use tokio::runtime::Builder;

use super::Memory;
use crate::{Hub, Limits, Positioned, StreamBlock, StreamItem, Subscription};

const ROLLUPS: u64 = 3;

/// One thing that can happen next.
#[derive(Clone, Debug)]
enum Step {
    /// A block becomes durable, with a batch for each rollup whose bit is set.
    Commit(u8),
    /// The oldest durable block that was not announced yet is announced.
    Announce,
    /// Somebody subscribes to a rollup, at a position relative to its head.
    Subscribe(u64, i64),
    /// Somebody subscribes to blocks, at a height relative to the tip.
    SubscribeBlocks(i64),
    /// A subscriber pulls some items.
    Pull(prop::sample::Index, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..8).prop_map(Step::Commit),
        4 => Just(Step::Announce),
        1 => (1..=ROLLUPS, -6_i64..3).prop_map(|(rollup, offset)| Step::Subscribe(rollup, offset)),
        1 => (-6_i64..3).prop_map(Step::SubscribeBlocks),
        5 => (any::<prop::sample::Index>(), 1_u8..6).prop_map(|(who, n)| Step::Pull(who, n)),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let sizes = (0_usize..6_000, 1_usize..5, 1_usize..3);
    sizes.prop_map(|(recent_bytes_max, page_items_max, reads_max)| Limits {
        recent_bytes_max,
        page_items_max,
        page_bytes_max: usize::MAX,
        pages_bytes_max: recent_bytes_max,
        reads_max,
    })
}

/// A subscriber, and what it must see next.
struct Reader<T: Positioned> {
    subscription: Subscription<T>,
    /// None: blocks.
    rollup: Option<ChainId>,
    expected: u64,
}

impl<T: Positioned> Reader<T> {
    /// Pulls once; true if something came. What comes must be due, and durable; what was announced
    /// must come.
    async fn pull(&mut self, durable: u64, announced: u64) -> bool {
        let at_once = self.subscription.next().now_or_never();
        let item = match at_once {
            Some(item) => item.unwrap(),
            None if self.expected <= announced => self.subscription.next().await.unwrap(),
            None => return false,
        };
        assert_eq!(item.position(), self.expected, "a gap or a repeat");
        assert!(self.expected <= durable, "announced before it was durable");
        self.expected += 1;
        assert_eq!(self.subscription.position(), self.expected);
        true
    }
}

/// A hub, its storage and its subscribers.
struct World {
    memory: Arc<Memory>,
    hub: Hub,
    unannounced: VecDeque<(Height, Vec<Arc<StreamItem>>)>,
    batch_readers: Vec<Reader<StreamItem>>,
    block_readers: Vec<Reader<StreamBlock>>,
}

impl World {
    fn new(limits: Limits) -> Self {
        let memory = Memory::new(ROLLUPS);
        Self {
            hub: memory.hub(limits),
            memory,
            unannounced: VecDeque::new(),
            batch_readers: Vec::new(),
            block_readers: Vec::new(),
        }
    }

    fn durable(&self, rollup: Option<ChainId>) -> u64 {
        let durable = self.memory.durable.lock().unwrap();
        let count = match rollup {
            Some(chain_id) => durable.batches[&chain_id].len(),
            None => durable.blocks.len(),
        };
        u64::try_from(count).unwrap()
    }

    fn announced(&self, rollup: Option<ChainId>) -> u64 {
        let waiting = self.unannounced.iter().filter(|(_, items)| match rollup {
            Some(chain_id) => items.iter().any(|item| item.chain_id == chain_id),
            None => true,
        });
        self.durable(rollup) - u64::try_from(waiting.count()).unwrap()
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Commit(mask) => {
                let chosen = (1..=ROLLUPS).filter(|rollup| mask & (1 << (rollup - 1)) != 0);
                let rollups: Vec<_> = chosen.map(ChainId).collect();
                self.unannounced.push_back(self.memory.commit(&rollups));
            }
            Step::Announce => {
                if let Some((height, items)) = self.unannounced.pop_front() {
                    self.hub.announce(height, items);
                }
            }
            Step::Subscribe(rollup, offset) => {
                let rollup = ChainId(rollup);
                let from = self.durable(Some(rollup)).saturating_add_signed(offset);
                self.batch_readers.push(Reader {
                    subscription: self.hub.subscribe(rollup, from).unwrap(),
                    rollup: Some(rollup),
                    expected: from.max(1),
                });
            }
            Step::SubscribeBlocks(offset) => {
                let from = self.durable(None).saturating_add_signed(offset);
                self.block_readers.push(Reader {
                    subscription: self.hub.subscribe_blocks(Height(from)).unwrap(),
                    rollup: None,
                    expected: from.max(1),
                });
            }
            Step::Pull(who, count) => {
                let readers = self.batch_readers.len() + self.block_readers.len();
                if readers > 0 {
                    self.pull(who.index(readers), count).await;
                }
            }
        }
    }

    async fn pull(&mut self, who: usize, count: u8) -> bool {
        let batch_readers = self.batch_readers.len();
        let rollup = self.batch_readers.get(who).and_then(|reader| reader.rollup);
        let (durable, announced) = (self.durable(rollup), self.announced(rollup));
        let mut came = true;
        for _ in 0..count {
            came = match self.batch_readers.get_mut(who) {
                Some(reader) => reader.pull(durable, announced).await,
                None => {
                    let reader = &mut self.block_readers[who - batch_readers];
                    reader.pull(durable, announced).await
                }
            };
        }
        came
    }

    /// Everything is announced, and everybody reads to the end.
    async fn finish(mut self) {
        while !self.unannounced.is_empty() {
            self.take(Step::Announce).await;
        }
        for who in 0..self.batch_readers.len() + self.block_readers.len() {
            while self.pull(who, 1).await {}
        }
        let batches = self.batch_readers.iter().map(|r| (r.rollup, r.expected));
        let blocks = self.block_readers.iter().map(|r| (r.rollup, r.expected));
        for (rollup, expected) in batches.chain(blocks) {
            assert!(expected > self.durable(rollup), "the tip was not reached");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    // celo-org/optimism#516: after a restart a reader was stuck for ever, since nothing kept batches in order.
    #[test]
    fn every_subscriber_sees_every_position_once_and_in_order_whatever_happens_when(
        limits in limits(), steps in prop::collection::vec(step(), 1..120),
    ) {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(limits);
            for step in steps {
                world.take(step).await;
            }
            world.finish().await;
        });
    }
}

// Nitro#4744: between its backlog and its live feed a client missed messages in silence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_subscribers_see_what_a_running_committer_announces() {
    const BLOCKS: u64 = 400;
    let memory = Memory::new(1);
    let limits = Limits {
        recent_bytes_max: 4_000,
        page_items_max: 7,
        ..Limits::default()
    };
    let hub = Arc::new(memory.hub(limits));
    let subscribe = |from| hub.subscribe(ChainId(1), from).unwrap();
    let readers = (1..=8).map(|from| async move { (from, subscribe(from)) });
    let reading = futures::future::join_all(readers.map(|reader| async {
        let (from, mut subscription) = reader.await;
        for seq in from..=BLOCKS {
            assert_eq!(subscription.next().await.unwrap().seq, seq);
        }
    }));
    let committing = async {
        for _ in 0..BLOCKS {
            let (height, items) = memory.commit(&[ChainId(1)]);
            tokio::task::yield_now().await;
            hub.announce(height, items);
        }
    };
    futures::join!(reading, committing);
}

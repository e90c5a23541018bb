//! The block store of one machine: in memory, kept over restarts, written whole or not at all.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cloverleaf_bundle::{State, Window};
use cloverleaf_replica::{BlockRange, Commit, PlacedIndex};
use cloverleaf_stream::StreamItem;
use cloverleaf_types::{ChainId, CommitCertificate, DecidedBlock, Genesis, Height, TransactionKey};

/// What is durable.
#[derive(Clone, Debug, Default)]
struct Content {
    blocks: BTreeMap<Height, Bytes>,
    state: Option<Vec<u8>>,
    placed: HashMap<TransactionKey, Height>,
    /// By rollup and number.
    batches: BTreeMap<(ChainId, u64), Arc<StreamItem>>,
    /// The latest batch of every registered rollup, 0 before its first.
    heads: BTreeMap<ChainId, u64>,
}

/// A handle to the store; clones are handles to the same one.
#[derive(Clone, Debug)]
pub(crate) struct Store(Arc<Mutex<Content>>);

impl Store {
    /// An empty one of a network.
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let rollups = genesis.rollups.iter().map(|rollup| rollup.chain_id);
        let rollups = rollups.chain([ChainId::CONTROL]);
        let content = Content {
            heads: rollups.map(|chain_id| (chain_id, 0)).collect(),
            ..Content::default()
        };
        Self(Arc::new(Mutex::new(content)))
    }

    /// Makes a block, the state after it and its index entries durable; returns what streams carry of
    /// it.
    pub(crate) fn write(&self, commit: &Commit) -> Vec<Arc<StreamItem>> {
        let mut content = self.lock();
        let height = commit.block.height();
        content.blocks.insert(height, commit.block.encode());
        content.state = Some(commit.state.clone());
        for (batch, ids) in commit.block.block.batches.iter().zip(&commit.ids) {
            let chain_id = batch.header().chain_id;
            for id in ids {
                content.placed.insert((chain_id, *id), height);
            }
        }
        content.follow_registry(commit);
        let items = StreamItem::of_block(&commit.block, &commit.branches);
        for item in &items {
            let place = (item.chain_id, item.seq);
            content.batches.insert(place, Arc::clone(item));
            content.heads.insert(item.chain_id, item.seq);
        }
        items
    }

    /// The height of the latest block.
    pub(crate) fn tip(&self) -> Height {
        let content = self.lock();
        let latest = content.blocks.last_key_value();
        latest.map_or(Height::GENESIS, |(height, _)| *height)
    }

    /// The number of a rollup's latest batch, 0 before its first; nothing if nobody registered it.
    pub(crate) fn seq(&self, chain_id: ChainId) -> Option<u64> {
        self.lock().heads.get(&chain_id).copied()
    }

    /// As many batches of a rollup as there are from a number on, up to a count.
    pub(crate) fn batches_from(
        &self,
        chain_id: ChainId,
        from_seq: u64,
        items_max: usize,
    ) -> Vec<Arc<StreamItem>> {
        let content = self.lock();
        let batches = content
            .batches
            .range((chain_id, from_seq)..=(chain_id, u64::MAX));
        batches
            .take(items_max)
            .map(|(_, item)| Arc::clone(item))
            .collect()
    }

    /// A store of its own that holds the same.
    pub(crate) fn copy(&self) -> Self {
        let content = self.lock().clone();
        Self(Arc::new(Mutex::new(content)))
    }

    /// The certificate of a block.
    pub(crate) fn certificate(&self, height: Height) -> Option<CommitCertificate> {
        let encoded = self.lock().blocks.get(&height).cloned()?;
        let decided = DecidedBlock::decode(encoded).expect("the store holds what was written");
        Some(decided.claimed().certificate.clone())
    }

    /// As many of the first blocks of a range as there are and fit.
    pub(crate) fn read(&self, range: &BlockRange) -> Vec<Bytes> {
        let content = self.lock();
        let mut bytes = 0;
        let blocks = content.blocks.range(range.from..=range.to);
        let fits = |block: &&Bytes| {
            bytes += block.len();
            bytes == block.len() || bytes <= range.bytes_max
        };
        blocks
            .map(|(_, block)| block)
            .take_while(fits)
            .cloned()
            .collect()
    }

    /// The state after the latest block; nothing before the first.
    pub(crate) fn state(&self) -> Option<State> {
        let encoded = self.lock().state.clone()?;
        Some(State::decode(&encoded).expect("the store holds what was written"))
    }

    /// The replay window at the tip, from the blocks (W1).
    pub(crate) fn window(&self, state: &State) -> Window {
        let content = self.lock();
        let mut window = Window::new(state.parameters().replay_window_ms);
        let (tip, tip_ms) = (state.height(), state.timestamp_ms());
        let decoded = content.blocks.values().rev().map(|encoded| {
            let decoded = DecidedBlock::decode(encoded.clone());
            let block = decoded.expect("the store holds what was written");
            block.claimed().block.clone()
        });
        let reached: Vec<_> = decoded
            .take_while(|block| {
                let header = &block.header;
                window.reaches(header.height, header.timestamp_ms, tip, tip_ms)
            })
            .collect();
        for block in reached.iter().rev() {
            window.push_block(block);
        }
        window
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    /// S1: what chain 0 registers in this block has a stream from the next on.
    fn follow_registry(&mut self, commit: &Commit) {
        if commit.block.block.batch(ChainId::CONTROL).is_none() {
            return;
        }
        let state = State::decode(&commit.state).expect("a replica encodes its state");
        for registered in state.rollups() {
            let head = registered.head;
            self.heads.entry(head.chain_id).or_insert(head.seq);
        }
    }
}

impl PlacedIndex for Store {
    fn placed(&self, key: &TransactionKey) -> Option<Height> {
        self.lock().placed.get(key).copied()
    }
}

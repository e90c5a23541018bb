//! The replay window: ids of the latest blocks, so that nothing is placed twice (W1).

use std::collections::VecDeque;

use cloverleaf_types::limits::REPLAY_WINDOW_BLOCKS_MIN;
use cloverleaf_types::{Block, Height, TransactionKey};

use crate::key_set::{KeyHash, KeySet};

/// What one block placed.
#[derive(Clone, Debug)]
struct Placed {
    height: Height,
    timestamp_ms: u64,
    count: usize,
}

/// The ids of the blocks of the last `replay_window_ms` of block time, and of at least the last 64
/// blocks. It follows from the blocks alone: no clock enters.
#[derive(Clone, Debug)]
pub struct Window {
    blocks: VecDeque<Placed>,
    keys: KeySet,
    replay_window_ms: u64,
}

impl Window {
    /// The window before the first block.
    #[must_use]
    pub fn new(replay_window_ms: u64) -> Self {
        Self {
            blocks: VecDeque::new(),
            keys: KeySet::default(),
            replay_window_ms,
        }
    }

    /// True if the window holds the id.
    #[must_use]
    pub fn contains(&self, key: &TransactionKey) -> bool {
        self.keys.contains(self.keys.hash(key), key)
    }

    /// Of transactions the hashes in the window and in sets beside it, and whether the window holds their
    /// ids.
    pub(crate) fn look_up(
        &self,
        keys: impl Iterator<Item = TransactionKey> + Clone,
    ) -> Vec<(KeyHash, bool)> {
        self.keys.look_up(keys)
    }

    /// An empty set whose hashes are the window's, with room for so many.
    pub(crate) fn set_beside(&self, capacity: usize) -> KeySet {
        self.keys.beside(capacity)
    }

    /// How many ids it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// True without an id.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if every id that was placed after `seen` is in the window, so that a parcel made with
    /// that knowledge cannot bring an old id back.
    #[must_use]
    pub fn covers(&self, seen: Height) -> bool {
        self.blocks
            .front()
            .is_none_or(|oldest| seen.next() >= oldest.height)
    }

    /// The first of a block's ids that stands in the block before, or in the window: no block may place
    /// it (W1, B7). As much work as taking the block in.
    #[must_use]
    pub fn repeated(&self, keys: &[TransactionKey]) -> Option<TransactionKey> {
        let mut placed = self.set_beside(keys.len());
        let looked_up = self.look_up(keys.iter().copied()).into_iter();
        let mut looked_up = looked_up.zip(keys);
        let repeated = looked_up.find(|((hash, is_known), key)| {
            let is_repeated = *is_known || placed.contains(*hash, key);
            placed.push(*hash, **key);
            is_repeated
        });
        repeated.map(|(_, key)| *key)
    }

    /// Takes in a block's ids and forgets those that are no longer needed.
    pub fn push(&mut self, height: Height, timestamp_ms: u64, keys: &[TransactionKey]) {
        self.keys.push_all(keys);
        self.blocks.push_back(Placed {
            height,
            timestamp_ms,
            count: keys.len(),
        });
        let window_ms = self.replay_window_ms;
        let is_over = |oldest: &mut Placed| {
            let (of, at_ms) = (oldest.height, oldest.timestamp_ms);
            !must_hold(of, at_ms, height, timestamp_ms, window_ms)
        };
        while let Some(oldest) = self.blocks.pop_front_if(is_over) {
            self.keys.remove_oldest(oldest.count);
        }
    }

    /// Takes in a whole block, computing its ids.
    pub fn push_block(&mut self, block: &Block) {
        let header = &block.header;
        self.push(header.height, header.timestamp_ms, &keys(block));
    }

    /// True if the window at a tip must hold a block: how far back a node reads at start.
    #[must_use]
    pub fn reaches(&self, height: Height, timestamp_ms: u64, tip: Height, tip_ms: u64) -> bool {
        must_hold(height, timestamp_ms, tip, tip_ms, self.replay_window_ms)
    }
}

/// The ids that a block placed, in the order of its batches.
#[must_use]
pub fn keys(block: &Block) -> Vec<TransactionKey> {
    let batches = block.batches.iter();
    batches
        .flat_map(|batch| {
            let ids = batch.ids().into_iter();
            ids.map(|id| (batch.header().chain_id, id))
        })
        .collect()
}

fn must_hold(height: Height, at_ms: u64, tip: Height, tip_ms: u64, window_ms: u64) -> bool {
    height > tip.back(REPLAY_WINDOW_BLOCKS_MIN) || at_ms.saturating_add(window_ms) >= tip_ms
}

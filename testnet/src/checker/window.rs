//! Nothing is placed twice within the replay window (W1).

use std::collections::HashMap;

use cloverleaf_types::limits::REPLAY_WINDOW_BLOCKS_MIN;
use cloverleaf_types::{Block, Height, TransactionKey, transaction_id};

use super::Violation;

/// Where every transaction was placed last.
pub struct Window {
    replay_window_ms: u64,
    placed: HashMap<TransactionKey, (Height, u64)>,
}

impl Window {
    /// Knows the network's window, in milliseconds.
    #[must_use]
    pub fn new(replay_window_ms: u64) -> Self {
        Self {
            replay_window_ms,
            placed: HashMap::new(),
        }
    }

    /// Follows the next block.
    ///
    /// # Errors
    /// A transaction is there twice within the window.
    pub fn follow(&mut self, block: &Block) -> Result<(), Violation> {
        let (height, now_ms) = (block.header.height, block.header.timestamp_ms);
        for batch in &block.batches {
            let chain_id = batch.header().chain_id;
            for raw in batch.transactions() {
                let id = transaction_id(raw);
                let before = self.placed.insert((chain_id, id), (height, now_ms));
                let Some((first, first_ms)) = before else {
                    continue;
                };
                let near = height.0 - first.0 < REPLAY_WINDOW_BLOCKS_MIN
                    || now_ms - first_ms < self.replay_window_ms;
                if near {
                    return Err(Violation::Twice {
                        chain_id,
                        id,
                        first,
                        second: height,
                    });
                }
            }
        }
        Ok(())
    }

    /// The block that placed a transaction last.
    #[must_use]
    pub fn placed(&self, key: &TransactionKey) -> Option<Height> {
        self.placed.get(key).map(|(height, _)| *height)
    }
}

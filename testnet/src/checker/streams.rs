//! Every rollup's stream: numbered without gaps, chained, bound to its certified block.

use std::collections::BTreeMap;

use cloverleaf_types::batch::empty_head;
use cloverleaf_types::merkle::{leaf_hash, root};
use cloverleaf_types::{
    Action, Batch, Block, ChainId, ControlTransaction, Genesis, Head, NetworkId, TransactionId,
    transaction_id,
};

use super::Violation;

/// The heads of all rollups, as their streams alone show them.
pub struct Streams {
    /// In order of registration, chain 0 first (M3).
    order: Vec<ChainId>,
    network: NetworkId,
    heads: BTreeMap<ChainId, Head>,
}

impl Streams {
    /// Knows genesis.
    #[must_use]
    pub fn new(genesis: &Genesis) -> Self {
        let registered = genesis.rollups.iter().map(|rollup| rollup.chain_id);
        let order: Vec<ChainId> = std::iter::once(ChainId::CONTROL)
            .chain(registered)
            .collect();
        let network: NetworkId = genesis.network();
        let mut streams = Self {
            order: Vec::new(),
            network,
            heads: BTreeMap::new(),
        };
        order
            .into_iter()
            .for_each(|chain_id| streams.register(chain_id));
        streams
    }

    fn register(&mut self, chain_id: ChainId) {
        let head = Head {
            chain_id,
            seq: 0,
            batch_hash: empty_head(self.network, chain_id),
        };
        self.order.push(chain_id);
        self.heads.insert(chain_id, head);
    }

    /// S1: what chain 0's stream registers has a head from this block on, and batches from the next.
    fn follow_control(&mut self, batch: &Batch) {
        for raw in batch.transactions() {
            let decoded = ControlTransaction::decode(raw);
            if let Ok(Action::RegisterRollup(entry)) =
                decoded.map(|it| it.claimed().draft.action.clone())
            {
                self.register(entry.chain_id);
            }
        }
    }

    /// Follows the batches of the next block.
    ///
    /// # Errors
    /// What breaks a stream.
    pub fn follow(&mut self, block: &Block) -> Result<(), Violation> {
        for batch in &block.batches {
            self.follow_batch(block, batch)?;
        }
        if let Some(batch) = block.batch(ChainId::CONTROL) {
            self.follow_control(batch);
        }
        let leaves = self.order.iter().map(|chain_id| {
            let head = &self.heads[chain_id];
            leaf_hash(&alloy_rlp::encode(head))
        });
        if root(leaves.collect()) != block.header.heads_root {
            return Err(Violation::Stream {
                chain_id: ChainId::CONTROL,
                height: block.header.height,
                what: "the certified header does not commit to the heads".to_owned(),
            });
        }
        Ok(())
    }

    fn follow_batch(&mut self, block: &Block, batch: &Batch) -> Result<(), Violation> {
        let header = batch.header();
        let (chain_id, height) = (header.chain_id, block.header.height);
        let broken = |what: &str| {
            Err(Violation::Stream {
                chain_id,
                height,
                what: what.to_owned(),
            })
        };
        let Some(head) = self.heads.get_mut(&chain_id) else {
            return broken("nobody registered it");
        };
        if header.seq != head.seq + 1 || header.prev_batch_hash != head.batch_hash {
            return broken("the batch does not continue it");
        }
        if header.height != height || header.timestamp_ms != block.header.timestamp_ms {
            return broken("the batch names another block");
        }
        let ids: Vec<TransactionId> = batch
            .transactions()
            .iter()
            .map(|raw| transaction_id(raw))
            .collect();
        let leaves = ids.iter().map(|id| leaf_hash(id.as_slice())).collect();
        if root(leaves) != header.txs_root || ids.is_empty() {
            return broken("the batch holds other transactions than it says");
        }
        *head = Head {
            chain_id,
            seq: header.seq,
            batch_hash: header.hash(),
        };
        Ok(())
    }
}

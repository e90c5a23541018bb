//! The executed blocks that are kept in memory, and the state after the last of them.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use alloy_primitives::B256;

use crate::{
    block::Block,
    executor::Parent,
    limits::{ANCESTORS_MAX, BLOCKS_KEPT_MAX, STATES_KEPT_MAX, TRANSACTIONS_KEPT_MAX},
    state::State,
};

/// Blocks by number and hash, transactions by hash. The genesis block is always kept, of the
/// others the latest.
#[derive(Debug)]
pub(crate) struct Chain {
    genesis: Arc<Block>,
    /// Without gaps, by rising number.
    blocks: VecDeque<Arc<Block>>,
    /// States after the latest blocks; the last one is the head's.
    states: VecDeque<State>,
    ancestors: Arc<BTreeMap<u64, B256>>,
    numbers: HashMap<B256, u64>,
    transactions: HashMap<B256, Place>,
    transactions_kept: usize,
}

/// Where a transaction is.
#[derive(Clone, Copy, Debug)]
struct Place {
    number: u64,
    index: usize,
}

impl Chain {
    /// A chain of the genesis block alone.
    pub(crate) fn new(genesis: Block, state: State) -> Self {
        let ancestors = BTreeMap::from([(genesis.number(), genesis.hash())]);
        let genesis = Arc::new(genesis);
        Self {
            numbers: HashMap::from([(genesis.hash(), genesis.number())]),
            genesis,
            blocks: VecDeque::new(),
            states: VecDeque::from([state]),
            ancestors: Arc::new(ancestors),
            transactions: HashMap::new(),
            transactions_kept: 0,
        }
    }

    /// The last block.
    pub(crate) fn head(&self) -> &Arc<Block> {
        self.blocks.back().unwrap_or(&self.genesis)
    }

    /// The genesis block.
    pub(crate) fn genesis(&self) -> &Arc<Block> {
        &self.genesis
    }

    /// What the next block stands on.
    pub(crate) fn parent(&self) -> Parent {
        Parent {
            header: self.head().header.clone(),
            state: self.head_state().clone(),
            ancestors: self.ancestors.clone(),
        }
    }

    /// The state after the head.
    pub(crate) fn head_state(&self) -> &State {
        self.states
            .back()
            .expect("the head's state is never dropped")
    }

    /// Number of the block from which on all are kept.
    pub(crate) fn oldest_kept(&self) -> u64 {
        let genesis = self.genesis.number();
        match self.blocks.front() {
            Some(block) if block.number() > genesis + 1 => block.number(),
            _ => genesis,
        }
    }

    /// The block with this number, unless it is not there yet or no longer.
    pub(crate) fn block(&self, number: u64) -> Option<&Arc<Block>> {
        if number == self.genesis.number() {
            return Some(&self.genesis);
        }
        let index = number.checked_sub(self.blocks.front()?.number())?;
        self.blocks.get(usize::try_from(index).ok()?)
    }

    /// The block with this hash.
    pub(crate) fn block_by_hash(&self, hash: &B256) -> Option<&Arc<Block>> {
        self.block(*self.numbers.get(hash)?)
    }

    /// The block that a transaction is in, and its index there.
    pub(crate) fn transaction(&self, hash: &B256) -> Option<(&Arc<Block>, usize)> {
        let place = self.transactions.get(hash)?;
        Some((self.block(place.number)?, place.index))
    }

    /// The state after block `number`, if it is still kept.
    pub(crate) fn state(&self, number: u64) -> Option<&State> {
        let behind = usize::try_from(self.head().number().checked_sub(number)?).ok()?;
        self.states.get(self.states.len().checked_sub(behind + 1)?)
    }

    /// Hashes of the last blocks by number.
    pub(crate) fn ancestors(&self) -> &Arc<BTreeMap<u64, B256>> {
        &self.ancestors
    }

    /// Puts a block on the head, with the state after it. Drops what is too old to be kept.
    pub(crate) fn push(&mut self, block: Block, state: State) {
        self.push_block(block);
        self.states.push_back(state);
        if self.states.len() > STATES_KEPT_MAX {
            self.states.pop_front();
        }
    }

    /// Puts on a block that was executed before this start; the state after the last such block
    /// follows by [`Chain::resume`].
    pub(crate) fn push_block(&mut self, block: Block) {
        let number = block.number();
        self.numbers.insert(block.hash(), number);
        for (index, included) in block.included.iter().enumerate() {
            self.transactions
                .insert(*included.transaction.tx_hash(), Place { number, index });
        }
        let ancestors = Arc::make_mut(&mut self.ancestors);
        ancestors.insert(number, block.hash());
        if ancestors.len() > ANCESTORS_MAX {
            ancestors.pop_first();
        }
        self.transactions_kept += block.included.len();
        self.blocks.push_back(Arc::new(block));
        while self.blocks.len() > ANCESTORS_MAX
            && (self.blocks.len() > BLOCKS_KEPT_MAX
                || self.transactions_kept > TRANSACTIONS_KEPT_MAX)
        {
            self.drop_oldest();
        }
    }

    /// Takes `state` as the state after the head, in place of all earlier ones.
    pub(crate) fn resume(&mut self, state: State) {
        self.states = VecDeque::from([state]);
    }

    fn drop_oldest(&mut self) {
        let Some(block) = self.blocks.pop_front() else {
            return;
        };
        self.numbers.remove(&block.hash());
        for included in &block.included {
            self.transactions.remove(included.transaction.tx_hash());
        }
        self.transactions_kept -= block.included.len();
    }
}

#[cfg(test)]
mod tests {
    use alloy_consensus::Header;
    use reth_primitives::SealedHeader;

    use super::*;

    fn empty_block(number: u64) -> Block {
        let header = Header {
            number,
            ..Header::default()
        };
        Block {
            header: SealedHeader::seal_slow(header),
            included: Vec::new(),
            output: None,
        }
    }

    #[test]
    fn the_oldest_blocks_go_when_there_are_too_many_and_genesis_stays() {
        let mut chain = Chain::new(empty_block(0), State::default());
        let last = u64::try_from(BLOCKS_KEPT_MAX).unwrap() + 10;
        for number in 1..=last {
            chain.push(empty_block(number), State::default());
        }
        assert_eq!(chain.oldest_kept(), 11);
        assert!(chain.block(0).is_some());
        assert!(chain.block(10).is_none());
        assert!(chain.block_by_hash(&empty_block(10).hash()).is_none());
        assert_eq!(chain.block(11).unwrap().number(), 11);
        assert_eq!(chain.head().number(), last);
        assert!(chain.block(last + 1).is_none());

        let ancestors = chain.ancestors();
        assert_eq!(ancestors.len(), ANCESTORS_MAX);
        assert_eq!(ancestors[&last], chain.head().hash());
        let kept = u64::try_from(STATES_KEPT_MAX).unwrap();
        assert!(chain.state(last + 1 - kept).is_some());
        assert!(chain.state(last - kept).is_none());
        assert!(chain.state(last + 1).is_none());
    }
}

//! The applied tip: the state and the replay window that the next block is judged by.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloverleaf_bundle::{LaneSlice, Ordered, State, Window, order};
use cloverleaf_types::{B256, Bound, Height, Plan, TransactionKey};

/// Blocks computed for the next height and not decided yet: one per proposed value. A height sees
/// few, since a new value needs a new round; the oldest go first beyond this.
const CANDIDATES_MAX: usize = 16;

/// Computes the block of a checked plan: [`order`], but where a test of the network's judge puts a
/// faulty one in its place.
pub type Order = fn(&State, &Window, &Plan, &[LaneSlice]) -> Ordered;

/// What every judgement of the next height starts from.
#[derive(Debug)]
pub(crate) struct Chain {
    state: State,
    window: Window,
    order: Order,
    /// Nobody looks at what was ordered.
    is_unwatched: bool,
    /// By block hash, so that a value is computed once however often it is proposed.
    candidates: BTreeMap<B256, Arc<Ordered>>,
    arrival: Vec<B256>,
}

impl Chain {
    pub(crate) fn new(state: State, window: Window) -> Self {
        Self {
            state,
            window,
            order,
            is_unwatched: false,
            candidates: BTreeMap::new(),
            arrival: Vec::new(),
        }
    }

    pub(crate) fn order_by(&mut self, order: Order) {
        self.order = order;
    }

    pub(crate) fn unwatch(&mut self) {
        self.is_unwatched = true;
    }

    /// The block of a checked plan on this tip.
    pub(crate) fn order(&self, plan: &Plan, lanes: &[LaneSlice]) -> Arc<Ordered> {
        Arc::new((self.order)(&self.state, &self.window, plan, lanes))
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    pub(crate) fn height(&self) -> Height {
        self.state.height()
    }

    /// How many computed blocks are kept, and at most.
    pub(crate) fn bound(&self) -> Bound {
        Bound::new("candidates", self.candidates.len(), CANDIDATES_MAX)
    }

    pub(crate) fn candidate(&self, block_hash: B256) -> Option<&Arc<Ordered>> {
        self.candidates.get(&block_hash)
    }

    pub(crate) fn keep(&mut self, block_hash: B256, ordered: Arc<Ordered>) {
        if self.candidates.insert(block_hash, ordered).is_none() {
            self.arrival.push(block_hash);
        }
        if self.arrival.len() > CANDIDATES_MAX {
            let oldest = self.arrival.remove(0);
            self.candidates.remove(&oldest);
        }
    }

    /// The first of the next block's ids that it may not place (W1, B7).
    pub(crate) fn repeated(&self, keys: &[TransactionKey]) -> Option<TransactionKey> {
        let repeated = self.window.repeated(keys);
        repeated.filter(|_| !self.is_unwatched)
    }

    /// Takes a decided block as the new tip; all other candidates are void.
    pub(crate) fn advance(&mut self, state: State, keys: &[TransactionKey]) {
        self.window.push(state.height(), state.timestamp_ms(), keys);
        self.state = state;
        self.candidates.clear();
        self.arrival.clear();
    }
}

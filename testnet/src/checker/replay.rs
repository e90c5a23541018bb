//! The block follows from its cut: computed again from the parcels that nodes made durable.
//!
//! Followers of a network do not learn what a block left out, and why. Whoever holds the parcels can
//! compute it: here that decides what became of every item.

use std::collections::HashMap;
use std::sync::Arc;

use cloverleaf_bundle::{LaneSlice, Ordered, Prepared, State, Window, check_plan, order};
use cloverleaf_types::{B256, Block, CutEntry, DropReason, Genesis, Height, Parcel, Verified};

use super::Violation;

/// An item that a block left out.
#[derive(Clone, Debug)]
pub struct Left {
    /// The parcel that holds it.
    pub parcel: Arc<Prepared>,
    /// Its position.
    pub item: usize,
    /// Why.
    pub reason: DropReason,
}

/// State and window, by the blocks alone, and the parcels that may be cut.
pub struct Replay {
    state: State,
    window: Window,
    parcels: HashMap<B256, Arc<Prepared>>,
}

impl Replay {
    /// Knows genesis.
    ///
    /// # Panics
    /// No network can begin like this.
    #[must_use]
    pub fn new(genesis: &Genesis) -> Self {
        Self {
            state: State::genesis(genesis).expect("a genesis that networks begin with"),
            window: Window::new(genesis.parameters.replay_window_ms),
            parcels: HashMap::new(),
        }
    }

    /// Somebody holds a parcel; true when it was not known before.
    pub fn hold(&mut self, parcel: &Arc<Verified<Parcel>>) -> bool {
        let before = self.parcels.len();
        self.parcels
            .entry(parcel.hash())
            .or_insert_with(|| Arc::new(Prepared::new(Arc::clone(parcel))));
        self.parcels.len() > before
    }

    /// The state after the latest block.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Computes the next block again, and says what it left out.
    ///
    /// # Errors
    /// The block is not what its cut leads to.
    pub fn follow(&mut self, block: &Block) -> Result<Vec<Left>, Violation> {
        let height = block.header.height;
        let broken = |what: String| Violation::Replay { height, what };
        let lanes = self.lanes(&block.cut).map_err(broken)?;
        let plan = block.value().plan();
        check_plan(&self.state, &plan, &lanes).map_err(|error| broken(error.to_string()))?;
        let ordered = order(&self.state, &self.window, &plan, &lanes);
        if ordered.block != *block {
            return Err(broken("its cut leads to another block".to_owned()));
        }
        conserved(&ordered, &lanes).map_err(broken)?;
        let left = self.left(&ordered, &lanes);
        let keys = ordered.keys();
        self.window.push(height, block.header.timestamp_ms, &keys);
        self.state = ordered.state;
        for prepared in lanes.iter().flatten() {
            self.parcels.remove(&prepared.parcel.hash());
        }
        Ok(left)
    }

    fn lanes(&self, cut: &[CutEntry]) -> Result<Vec<LaneSlice>, String> {
        cut.iter().map(|entry| self.lane(entry)).collect()
    }

    /// From the parcel that the cut names down to the last cut.
    fn lane(&self, entry: &CutEntry) -> Result<LaneSlice, String> {
        let author = self.state.author_of(entry).ok_or("a lane without author")?;
        let bottom = self
            .state
            .last_cut(author)
            .filter(|cut| cut.epoch == entry.epoch)
            .map_or(B256::ZERO, |cut| cut.hash);
        let mut slice = LaneSlice::new();
        let mut hash = entry.parcel_hash;
        while hash != bottom {
            let Some(prepared) = self.parcels.get(&hash) else {
                return Err(format!("nobody holds parcel {hash}"));
            };
            slice.push(Arc::clone(prepared));
            hash = prepared.parcel.header().prev;
        }
        slice.reverse();
        Ok(slice)
    }

    fn left(&self, ordered: &Ordered, lanes: &[LaneSlice]) -> Vec<Left> {
        let drops = ordered.drops.iter().filter_map(|dropped| {
            let mut parcels = lanes.iter().flatten();
            let parcel = parcels.find(|prepared| prepared.parcel.slot() == dropped.slot)?;
            Some(Left {
                parcel: Arc::clone(parcel),
                item: dropped.item,
                reason: dropped.reason,
            })
        });
        drops.collect()
    }

    /// The height of the latest block.
    #[must_use]
    pub fn height(&self) -> Height {
        self.state.height()
    }
}

/// Placed and dropped are all that was given.
fn conserved(ordered: &Ordered, lanes: &[LaneSlice]) -> Result<(), String> {
    let given: usize = lanes
        .iter()
        .flatten()
        .map(|prepared| prepared.items.len())
        .sum();
    let in_spans: u32 = ordered
        .block
        .batches
        .iter()
        .flat_map(|batch| batch.spans())
        .map(|span| span.count)
        .sum();
    let all = ordered.block.transaction_count();
    let alone = all - usize::try_from(in_spans).expect("a count");
    let placed = alone + ordered.block.manifests.len();
    if placed + ordered.drops.len() == given {
        Ok(())
    } else {
        let dropped = ordered.drops.len();
        Err(format!(
            "{given} items given, {placed} placed, {dropped} dropped"
        ))
    }
}

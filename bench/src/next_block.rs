//! A chain at its genesis, and all that its next block orders.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloverleaf_bundle::order::linear_order;
use cloverleaf_bundle::{LaneSlice, Ordered, Prepared, State, Window, apply, check_plan, order};
use cloverleaf_consensus::LocalSigner;
use cloverleaf_types::weight::item_weight;
use cloverleaf_types::{
    B256, ChainId, CutEntry, Epoch, Height, Item, L1Ref, Parameters, Parcel, ParcelDraft, Plan,
    Round, Signer, Slot, TransactionId, TransactionKey, Verified, transaction_id,
};

use crate::workload::{BLOCK_WEIGHT, GENESIS_MS, Workload, keys, network};

/// Time between the parent and the block, in milliseconds.
const BLOCK_MS: u64 = 1_000;

/// Most weight of a parcel here (W4): full ones, with room for the item that fills them.
const PARCEL_WEIGHT: u64 = 500 * 1024;

/// Blocks of an advancing window: more than the 64 that it must hold, so that time alone ends them.
const WINDOW_BLOCKS: u64 = 100;

/// The parent state, a plan and the parcels that it cuts.
#[derive(Clone, Debug)]
pub struct NextBlock {
    /// What it orders.
    pub workload: Workload,
    /// The state before it.
    pub parent: State,
    /// What is to be ordered.
    pub plan: Plan,
    /// The parcels of every lane.
    pub lanes: Vec<LaneSlice>,
}

impl NextBlock {
    /// Seals the workload into parcels of its lanes, under real signatures.
    #[must_use]
    pub fn new(workload: Workload) -> Self {
        let keys = keys(workload.lanes);
        let parameters = Parameters {
            block_weight: BLOCK_WEIGHT,
            ..Parameters::default()
        };
        let genesis = network(&keys, workload.rollups, parameters);
        let parent = State::genesis(&genesis).expect("a genesis that can begin");
        Self::after(parent, &keys, workload, 0)
    }

    /// The same after any block, under the keys of its validators by rising address; transactions are
    /// named from `first` on.
    pub(crate) fn after(
        parent: State,
        keys: &[Arc<LocalSigner>],
        workload: Workload,
        first: usize,
    ) -> Self {
        let mut items: Vec<Vec<Item>> = vec![Vec::new(); workload.lanes];
        for (position, item) in workload.items_from(first).into_iter().enumerate() {
            items[position % workload.lanes].push(item);
        }
        let lanes: Vec<LaneSlice> = keys
            .iter()
            .zip(items)
            .map(|(key, items)| seal_lane(&parent, key.as_ref(), items))
            .collect();
        let cut = (0..).zip(&lanes).filter_map(|(lane, slice)| {
            let last = &slice.last()?.parcel;
            Some(CutEntry {
                lane,
                epoch: last.header().epoch,
                seq: last.header().seq,
                parcel_hash: last.hash(),
                seen: last.header().seen,
            })
        });
        let plan = Plan {
            height: parent.height().next(),
            round: Round::FIRST,
            timestamp_ms: parent.timestamp_ms() + BLOCK_MS,
            l1: L1Ref::default(),
            cut: cut.collect(),
        };
        assert_eq!(check_plan(&parent, &plan, &lanes), Ok(()));
        Self {
            workload,
            parent,
            plan,
            lanes,
        }
    }

    /// All parcels, as they are before they are prepared.
    #[must_use]
    pub fn parcels(&self) -> Vec<Arc<Verified<Parcel>>> {
        let parcels = self.lanes.iter().flatten();
        parcels
            .map(|prepared| Arc::clone(&prepared.parcel))
            .collect()
    }

    /// Orders it.
    #[must_use]
    pub fn order(&self, window: &Window) -> Ordered {
        order(&self.parent, window, &self.plan, &self.lanes)
    }

    /// The lanes of parcels that came in, lane by lane.
    #[must_use]
    pub fn lanes_of(&self, parcels: Vec<Arc<Prepared>>) -> Vec<LaneSlice> {
        let mut parcels = parcels.into_iter();
        let lane = |lane: &LaneSlice| parcels.by_ref().take(lane.len()).collect();
        self.lanes.iter().map(lane).collect()
    }

    /// Orders parcels of its plan.
    #[must_use]
    pub fn order_lanes(&self, lanes: &[LaneSlice], window: &Window) -> Ordered {
        order(&self.parent, window, &self.plan, lanes)
    }

    /// Orders it, and checks everything about the outcome: the count, the order and the roots. What is
    /// timed is then compared with this block's header, which commits to all of it.
    ///
    /// # Panics
    /// The block is not the right one.
    #[must_use]
    pub fn checked(&self, window: &Window) -> Ordered {
        let ordered = self.order(window);
        let block = &ordered.block;
        assert_eq!(
            block.transaction_count(),
            self.workload.transactions,
            "count"
        );
        assert_eq!(block.manifests.len(), self.workload.bundles(), "bundles");
        assert!(ordered.drops.is_empty(), "drops: {:?}", ordered.drops);
        let placed = block.batches.iter().zip(&ordered.ids);
        let placed: BTreeMap<ChainId, Vec<TransactionId>> = placed
            .map(|(batch, ids)| (batch.header().chain_id, ids.clone()))
            .collect();
        assert_eq!(placed, self.expected(), "order");
        let applied = apply(&self.parent, block).expect("the block follows from its parent");
        assert_eq!(applied, ordered.state, "roots");
        ordered
    }

    /// The ids of every rollup in the linear order of all items.
    fn expected(&self) -> BTreeMap<ChainId, Vec<TransactionId>> {
        let mut expected: BTreeMap<ChainId, Vec<TransactionId>> = BTreeMap::new();
        for parcel in linear_order(&self.parent, &self.plan, &self.lanes) {
            for leg in &parcel.prepared.legs {
                let ids = parcel.prepared.ids(leg);
                expected.entry(leg.chain_id).or_default().extend(ids);
            }
        }
        expected
    }
}

/// A window with so many ids of others in it.
#[must_use]
pub fn filled_window(ids: usize) -> Window {
    let mut window = Window::new(Parameters::default().replay_window_ms);
    window.push(Height::GENESIS, GENESIS_MS, &foreign_keys(0, ids));
    assert_eq!(window.len(), ids);
    window
}

/// A window in its steady state: with every block that it takes in, it forgets its oldest one.
#[derive(Clone, Debug)]
pub struct AdvancingWindow {
    window: Window,
    tip: u64,
    per_block: usize,
}

impl AdvancingWindow {
    /// A window of a hundred blocks of so many ids each.
    #[must_use]
    pub fn new(per_block: usize) -> Self {
        let mut advancing = Self {
            window: Window::new((WINDOW_BLOCKS - 1) * BLOCK_MS),
            tip: 0,
            per_block,
        };
        for _ in 0..WINDOW_BLOCKS {
            advancing.push(&advancing.next_keys());
        }
        advancing
    }

    /// The ids of the next block.
    #[must_use]
    pub fn next_keys(&self) -> Vec<TransactionKey> {
        let tip = usize::try_from(self.tip).expect("fits an address");
        foreign_keys(tip * self.per_block, self.per_block)
    }

    /// Takes in the ids of the next block.
    pub fn push(&mut self, keys: &[TransactionKey]) {
        self.tip += 1;
        self.window
            .push(Height(self.tip), self.tip * BLOCK_MS, keys);
    }

    /// The first of a block's ids that it may not place.
    #[must_use]
    pub fn repeated(&self, keys: &[TransactionKey]) -> Option<TransactionKey> {
        self.window.repeated(keys)
    }

    /// How many ids it holds.
    #[must_use]
    pub fn ids(&self) -> usize {
        self.window.len()
    }
}

/// Ids like any others, named from `first` on.
fn foreign_keys(first: usize, count: usize) -> Vec<TransactionKey> {
    let id = |name: usize| transaction_id(&name.to_be_bytes());
    (first..first + count)
        .map(|name| (ChainId(1), id(name)))
        .collect()
}

fn seal_lane(parent: &State, author: &dyn Signer, items: Vec<Item>) -> LaneSlice {
    let mut slice = LaneSlice::new();
    let (mut waiting, mut weight) = (Vec::new(), 0);
    for item in items {
        weight += item_weight(&item);
        waiting.push(item);
        if weight >= PARCEL_WEIGHT {
            slice.push(seal(parent, author, &slice, std::mem::take(&mut waiting)));
            weight = 0;
        }
    }
    if !waiting.is_empty() {
        slice.push(seal(parent, author, &slice, waiting));
    }
    slice
}

/// The lane's next parcel. Lanes seal a parcel every 20 ms, so that their parcels interleave.
fn seal(
    parent: &State,
    author: &dyn Signer,
    before: &LaneSlice,
    items: Vec<Item>,
) -> Arc<Prepared> {
    let position = u64::try_from(before.len()).expect("fits 64 bits");
    let cut = parent.last_cut(author.address());
    let cut = cut.map(|cut| (cut.seq + 1, cut.hash));
    let (first, cut_hash) = cut.unwrap_or((0, B256::ZERO));
    let slot = Slot {
        author: author.address(),
        epoch: Epoch(0),
        seq: first + position,
    };
    let draft = ParcelDraft {
        network: parent.network(),
        slot,
        prev: before.last().map_or(cut_hash, |last| last.parcel.hash()),
        seen: parent.height(),
        time_ms: parent.timestamp_ms() + 20 * (position + 1),
        items,
    };
    Arc::new(Prepared::new(Arc::new(Parcel::seal(draft, author))))
}

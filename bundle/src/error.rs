//! What a block or a plan can do wrong. `order` itself never fails (O2).

use cloverleaf_types::{ChainId, Height, Slot};

/// A block that does not follow from its parent's state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// It is not the next one.
    #[error("block {height} came where block {expected} is next")]
    OutOfOrder {
        /// Its height.
        height: Height,
        /// The next height.
        expected: Height,
    },
    /// A header's field is not what the state says.
    #[error("block {height}: its {field} does not follow from the state before it")]
    Mismatch {
        /// Its height.
        height: Height,
        /// The field.
        field: &'static str,
    },
    /// Its cut names a lane that does not exist.
    #[error("block {height}: its cut names a lane that does not exist")]
    UnknownLane {
        /// Its height.
        height: Height,
    },
    /// A batch for a rollup that is not registered.
    #[error("block {height}: it has a batch for rollup {chain_id}, which is not registered")]
    UnknownRollup {
        /// Its height.
        height: Height,
        /// The rollup.
        chain_id: ChainId,
    },
    /// A batch that does not continue its rollup's chain.
    #[error(
        "block {height}: its batch for rollup {chain_id} does not continue that rollup's chain"
    )]
    BatchChain {
        /// Its height.
        height: Height,
        /// The rollup.
        chain_id: ChainId,
    },
}

/// A plan that no correct proposer makes (V2): a pure function of parent state, plan and parcels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// It is for another height than the next.
    #[error("the plan is for height {found}, the next is {expected}")]
    WrongHeight {
        /// The plan's.
        found: Height,
        /// The next.
        expected: Height,
    },
    /// Its time does not rise (T1).
    #[error("the plan's time {found} ms is not after its parent's {parent} ms")]
    TimeFalls {
        /// The plan's.
        found: u64,
        /// The parent's.
        parent: u64,
    },
    /// Its layer-1 block is not the parent's: this network has no layer 1.
    #[error("the plan names a layer-1 block, but this network has no layer 1")]
    UnexpectedL1,
    /// A cut entry names a lane that does not exist, or the same lane twice.
    #[error("the plan's cut names a lane that does not exist, or one twice")]
    BadLane,
    /// A lane does not go from its last cut to the parcel that the cut names (L2).
    #[error("the plan's cut of the lane to {slot} breaks at its last cut or inside")]
    BrokenChain {
        /// The parcel that the cut names.
        slot: Slot,
    },
    /// `seen` falls in a lane, or is not below the height (L2).
    #[error("parcel {slot} claims to have seen height {seen}")]
    BadSeen {
        /// The parcel.
        slot: Slot,
        /// Its claim.
        seen: Height,
    },
    /// More parcels of one lane than a lane may hold (L2).
    #[error("the plan's cut of the lane to {slot} takes {count} parcels")]
    TooManyParcels {
        /// The parcel that the cut names.
        slot: Slot,
        /// How many it takes.
        count: usize,
    },
    /// Heavier than a block may be (W4).
    #[error("the plan's parcels weigh {weight}; a block holds {weight_max}")]
    TooHeavy {
        /// Together.
        weight: u64,
        /// The limit.
        weight_max: u64,
    },
    /// The header is not the one that the plan leads to.
    #[error("the header's {field} is not what the plan leads to")]
    WrongHeader {
        /// The first field that differs.
        field: &'static str,
    },
}

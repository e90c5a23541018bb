//! What a block, a plan or a control transaction can do wrong. `order` itself never fails (O2).

use cloverleaf_types::error::DecodeError;
use cloverleaf_types::genesis::ParameterError;
use cloverleaf_types::rollup::RollupError;
use cloverleaf_types::validator::ValidatorSetError;
use cloverleaf_types::{Address, ChainId, Height, Slot};

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
    /// Its batches lead to other heads than its header says.
    #[error("block {height}: its batches lead to other heads than its header says")]
    OtherHeads {
        /// Its height.
        height: Height,
    },
    /// Its cut names a lane that does not exist.
    #[error("block {height}: its cut names a lane that does not exist")]
    UnknownLane {
        /// Its height.
        height: Height,
    },
    /// Chain 0's batch holds a control transaction that the state does not allow.
    #[error("block {height}: control transaction {position}: {source}")]
    Control {
        /// Its height.
        height: Height,
        /// The transaction's position in the batch.
        position: usize,
        /// What is wrong.
        source: ControlError,
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

impl BlockError {
    /// Whether other batches with the same header could be right: batches are tied to a header by the
    /// heads that they lead to (M3), and by nothing before. Then a certificate says nothing of these,
    /// and whoever sent them is at fault.
    #[must_use]
    pub fn is_of_batches(&self) -> bool {
        match self {
            Self::Control { .. }
            | Self::UnknownRollup { .. }
            | Self::BatchChain { .. }
            | Self::OtherHeads { .. } => true,
            Self::OutOfOrder { .. } | Self::Mismatch { .. } | Self::UnknownLane { .. } => false,
        }
    }
}

/// A control transaction that the state does not allow (S1). Its signer is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Bytes that are no control transaction.
    #[error("it is no control transaction: {0}")]
    Decode(#[from] DecodeError),
    /// Signed by somebody who may not.
    #[error("{signer} signed it; only {needed} may")]
    NotAllowed {
        /// Who signed.
        signer: Address,
        /// Who may.
        needed: &'static str,
    },
    /// Not its signer's next one.
    #[error("its nonce is {found}; the next of {signer} is {expected}")]
    Nonce {
        /// Who signed.
        signer: Address,
        /// The transaction's.
        found: u64,
        /// The next one.
        expected: u64,
    },
    /// Chain 0 cannot be changed.
    #[error("chain 0 is the network's own and cannot be changed")]
    ControlChain,
    /// The rollup is registered already.
    #[error("rollup {chain_id} is registered already; change it instead")]
    RollupExists {
        /// The rollup.
        chain_id: ChainId,
    },
    /// No such rollup.
    #[error("rollup {chain_id} is not registered")]
    UnknownRollup {
        /// The rollup.
        chain_id: ChainId,
    },
    /// The registry is full; retired rollups count.
    #[error("the registry is full: a network has at most 1024 rollups, retired ones included")]
    TooManyRollups,
    /// An entry that no network takes.
    #[error(transparent)]
    Rollup(#[from] RollupError),
    /// A retired rollup stays as it is, and none is registered as retired.
    #[error("rollup {chain_id} is retired, which is final")]
    Retired {
        /// The rollup.
        chain_id: ChainId,
    },
    /// A field that this action cannot change.
    #[error("the {field} of rollup {chain_id} cannot be changed with its entry")]
    Fixed {
        /// The rollup.
        chain_id: ChainId,
        /// The field.
        field: &'static str,
    },
    /// A parameter out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The replay window is as long as genesis says.
    #[error("replay_window_ms is fixed at genesis; leave it {expected}")]
    ReplayWindow {
        /// What it is.
        expected: u64,
    },
    /// A validator change with less than two heights' notice.
    #[error(
        "the change is for height {effective}; the next block can change {earliest} at the earliest"
    )]
    TooSoon {
        /// The change's height.
        effective: Height,
        /// The earliest possible.
        earliest: Height,
    },
    /// Too many changes wait.
    #[error("128 validator changes wait for their height already; try again after one of them")]
    TooManyChanges,
    /// A removal of somebody who will be no validator then.
    #[error("{address} is no validator at that height")]
    NotAValidator {
        /// Who.
        address: Address,
    },
    /// No peer id where one is needed, or one where none belongs.
    #[error("the change of {address} needs a peer id in base58, and none if it is a removal")]
    PeerId {
        /// Who.
        address: Address,
    },
    /// More than a third of the power would change at one height.
    #[error(
        "at height {height} power of {changed_power} would change; at most a third of {total_power} \
         may: spread the changes over more heights"
    )]
    TooMuchPower {
        /// The height.
        height: Height,
        /// What would change: added, removed and moved power together.
        changed_power: u64,
        /// The power before.
        total_power: u64,
    },
    /// A set that cannot be.
    #[error(transparent)]
    Validators(#[from] ValidatorSetError),
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

//! What can be wrong with what comes in. Every refusal is the submitter's to mend, but for the
//! limits, which ask for patience.

use cloverleaf_bundle::ControlError;
use cloverleaf_types::error::{BundleError, DecodeError};
use cloverleaf_types::{Address, ChainId, Slot, TransactionId};

/// Why a transaction or bundle was not admitted. [`Refusal::reason`] is its name on every interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are not a canonical transaction.
    #[error("the transaction does not decode: {what}")]
    MalformedRlp {
        /// What is wrong.
        what: String,
    },
    /// The transaction is for another chain than it was sent to.
    #[error("invalid chain id for signer: have {found} want {expected}")]
    WrongChainId {
        /// The transaction's.
        found: ChainId,
        /// The endpoint's.
        expected: ChainId,
    },
    /// A transaction of a bundle is for another chain than its leg.
    #[error("leg {leg}: its transaction is for chain {found}, the leg for {expected}")]
    LegChainMismatch {
        /// The leg's position.
        leg: usize,
        /// The transaction's chain.
        found: ChainId,
        /// The leg's.
        expected: ChainId,
    },
    /// A blob, a deposit, or a type that nobody knows yet.
    #[error("transaction type not supported: {kind:#04x}; types 0, 1, 2 and 4 are")]
    TransactionTypeNotSupported {
        /// The type byte.
        kind: u8,
    },
    /// A legacy transaction without a chain id: anybody could play it on another chain.
    #[error("only replay-protected (EIP-155) transactions allowed over RPC")]
    NotReplayProtected,
    /// Longer than a transaction may be.
    #[error("oversized data: transaction size {bytes}, limit {bytes_max}")]
    OversizedData {
        /// Its length in bytes.
        bytes: usize,
        /// The limit in bytes.
        bytes_max: usize,
    },
    /// Heavier than one block gives its rollup (W4): it could never be placed.
    #[error(
        "oversized data: it weighs {weight} for rollup {chain_id}, of which a block holds {limit}"
    )]
    TooHeavy {
        /// The rollup.
        chain_id: ChainId,
        /// What it weighs against the rollup's limit.
        weight: u64,
        /// The limit.
        limit: u64,
    },
    /// It cannot pay for its own bytes.
    #[error("intrinsic gas too low: gas {gas}, minimum needed {needed}")]
    IntrinsicGasTooLow {
        /// Its gas limit.
        gas: u64,
        /// What it needs before it does anything.
        needed: u64,
    },
    /// It promises a tip above all that it pays.
    #[error(
        "max priority fee per gas higher than max fee per gas: \
         maxPriorityFeePerGas: {tip}, maxFeePerGas: {fee_cap}"
    )]
    FeeCapBelowTip {
        /// Most that it pays per gas, in wei.
        fee_cap: u128,
        /// What it promises of it, in wei.
        tip: u128,
    },
    /// No key can have made the signature.
    #[error("invalid sender")]
    InvalidSender,
    /// A signature in a bundle that no key can have made.
    #[error("leg {leg}: its transaction {transaction} has an invalid signature")]
    LegBadSignature {
        /// The leg's position.
        leg: usize,
        /// The transaction's position in the leg.
        transaction: usize,
    },
    /// The sender's nonce is used: committed, or sealed.
    #[error("nonce too low: next nonce {expected}, tx nonce {nonce}")]
    NonceTooLow {
        /// The transaction's.
        nonce: u64,
        /// The sender's next.
        expected: u64,
    },
    /// What holds the sender's nonce pays about as much (B8).
    #[error("replacement transaction underpriced; pay at least 10 % more for both fees")]
    ReplacementUnderpriced {
        /// What holds the nonce.
        pooled: TransactionId,
    },
    /// A transaction of the bundle is pooled or placed already, alone or in another bundle.
    #[error("transaction {id} is pooled or placed already, alone or in another bundle")]
    DuplicateTransaction {
        /// The transaction.
        id: TransactionId,
    },
    /// The bundle breaks B1.
    #[error("{0}")]
    Bundle(#[from] BundleError),
    /// The bundle could wait for too long.
    #[error(
        "maxTimestamp {max_timestamp_ms} ms is too far ahead; at most {limit_ms} ms is allowed"
    )]
    WindowTooFar {
        /// The bundle's last block time.
        max_timestamp_ms: u64,
        /// The latest that is allowed.
        limit_ms: u64,
    },
    /// The bundle's window has passed (B11).
    #[error("the bundle's window has passed")]
    Expired,
    /// Nobody registered the rollup.
    #[error("rollup {chain_id} is not registered")]
    UnknownRollup {
        /// The chain id.
        chain_id: ChainId,
    },
    /// The rollup is paused or retired.
    #[error("rollup {chain_id} is not active")]
    InactiveRollup {
        /// The chain id.
        chain_id: ChainId,
    },
    /// The rollup takes no bundles of this atomicity (B2).
    #[error("rollup {chain_id} takes no bundles of this atomicity")]
    AtomicityRefused {
        /// The chain id.
        chain_id: ChainId,
    },
    /// A control transaction that the network does not allow (S1).
    #[error("bad control transaction: {what}")]
    BadControl {
        /// What is wrong.
        what: String,
    },
    /// The node has no lane: it is no validator, or is about to be none (L2).
    #[error("this node is no validator, or its removal is scheduled; send to another node")]
    NotValidator,
    /// The pool holds as much as it may, and nothing in it gives way.
    #[error("the pool is full; pay more than the cheapest pooled transaction, or try again later")]
    PoolFull {
        /// When to come back, in milliseconds: a hundredth of the pool has left by then.
        retry_after_ms: u64,
    },
    /// The pool is full, the rollup holds its share of it, and nothing of the rollup gives way.
    #[error("the rollup's share of the pool is full: rollup {chain_id} holds as much as it may")]
    RollupShareFull {
        /// The rollup.
        chain_id: ChainId,
        /// When to come back, in milliseconds: a hundredth of what it holds has left by then.
        retry_after_ms: u64,
    },
    /// The pool is full, and blocks take nothing of this node's lane, which is full too.
    #[error("this node's lane is full; send to another node, or try again later")]
    LaneFull {
        /// When to come back, in milliseconds: a block may have cut the lane by then.
        retry_after_ms: u64,
    },
    /// The node's disk is nearly full (D6).
    #[error("this node's disk is nearly full; send to another node, or try again later")]
    DiskLow {
        /// When to come back, in milliseconds: somebody may have made room by then.
        retry_after_ms: u64,
    },
    /// The sender has as many transactions waiting as it may.
    #[error("sender {sender} may have {limit} transactions waiting, from nonce {expected} on")]
    SenderFull {
        /// The sender.
        sender: Address,
        /// Its next nonce.
        expected: u64,
        /// How many.
        limit: u64,
        /// When to come back, in milliseconds: what waits before them has left by then, unless the
        /// sender's own next nonce is missing.
        retry_after_ms: u64,
    },
}

impl Refusal {
    /// Its name on every interface.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::MalformedRlp { .. } => "malformedRlp",
            Self::WrongChainId { .. } => "wrongChainId",
            Self::LegChainMismatch { .. } => "legChainMismatch",
            Self::TransactionTypeNotSupported { .. } => "transactionTypeNotSupported",
            Self::NotReplayProtected => "notReplayProtected",
            Self::OversizedData { .. } | Self::TooHeavy { .. } => "oversizedData",
            Self::IntrinsicGasTooLow { .. } => "intrinsicGasTooLow",
            Self::FeeCapBelowTip { .. } => "feeCapBelowTip",
            Self::InvalidSender => "invalidSender",
            Self::LegBadSignature { .. } => "legBadSignature",
            Self::NonceTooLow { .. } => "nonceTooLow",
            Self::ReplacementUnderpriced { .. } => "replacementUnderpriced",
            Self::DuplicateTransaction { .. } => "duplicateTransaction",
            Self::Bundle(error) => bundle_reason(error),
            Self::WindowTooFar { .. } => "windowTooFar",
            Self::Expired => "expired",
            Self::UnknownRollup { .. } => "unknownRollup",
            Self::InactiveRollup { .. } => "inactiveRollup",
            Self::AtomicityRefused { .. } => "atomicityRefused",
            Self::BadControl { .. } => "badControl",
            Self::NotValidator => "notValidator",
            Self::PoolFull { .. } => "poolFull",
            Self::RollupShareFull { .. } => "rollupShareFull",
            Self::LaneFull { .. } => "laneFull",
            Self::DiskLow { .. } => "diskLow",
            Self::SenderFull { .. } => "senderFull",
        }
    }
}

const fn bundle_reason(error: &BundleError) -> &'static str {
    match error {
        BundleError::ZeroLegs => "zeroLegs",
        BundleError::TooManyLegs { .. } => "tooManyLegs",
        BundleError::EmptyLeg { .. } => "emptyLeg",
        BundleError::TooManyTransactions { .. } => "tooManyTransactions",
        BundleError::TooLarge { .. } => "bundleTooLarge",
        BundleError::DuplicateRollup { .. } => "duplicateRollup",
        BundleError::DuplicateTransaction { .. } => "duplicateTransaction",
        BundleError::ControlLeg => "controlLeg",
        BundleError::WindowEmpty { .. } => "windowEmpty",
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Self::MalformedRlp {
            what: error.to_string(),
        }
    }
}

impl From<ControlError> for Refusal {
    fn from(error: ControlError) -> Self {
        Self::BadControl {
            what: error.to_string(),
        }
    }
}

/// A lane log that this node must not go on with: it would sign a slot twice (L3). The node then
/// does what the spec's rule D4 says of amnesia.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaneLogError {
    /// A parcel of somebody else, or of another epoch.
    #[error("the lane log holds parcel {slot}, which is not of this lane and epoch")]
    Foreign {
        /// The parcel.
        slot: Slot,
    },
    /// A parcel does not follow the one before it.
    #[error("the lane log breaks at parcel {slot}")]
    Broken {
        /// The parcel.
        slot: Slot,
    },
    /// A block has taken parcels that the log does not hold.
    #[error("the lane log is older than the decided blocks, which took parcel {slot}")]
    Behind {
        /// The last parcel that was taken.
        slot: Slot,
    },
}

//! What a network must never do.

use cloverleaf_mempool::Name;
use cloverleaf_types::{Address, B256, ChainId, Height, Slot, TransactionId};

/// A broken invariant, with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Two blocks at one height.
    #[error("agreement: {node} has block {found} at height {height}, others have {expected}")]
    Disagreement {
        /// Who differs.
        node: Address,
        /// Where.
        height: Height,
        /// Its block.
        found: B256,
        /// The others'.
        expected: B256,
    },
    /// A node decided a height that does not follow its last.
    #[error("order: {node} decided height {found} where {expected} is next")]
    OutOfOrder {
        /// Who.
        node: Address,
        /// The height that it decided.
        found: Height,
        /// The next.
        expected: Height,
    },
    /// A node lost a block that it said is durable.
    #[error("durability: {node} starts at height {tip}, after it said that {expected} is durable")]
    Forgotten {
        /// Who.
        node: Address,
        /// What it has.
        tip: Height,
        /// What it had.
        expected: Height,
    },
    /// A block does not continue the chain.
    #[error("chain: block {height} breaks the chain: {what}")]
    Chain {
        /// The block.
        height: Height,
        /// How.
        what: String,
    },
    /// A certificate proves nothing.
    #[error("certificate of height {height}: {what}")]
    Certificate {
        /// The height.
        height: Height,
        /// Why.
        what: String,
    },
    /// A rollup's stream breaks.
    #[error("stream of rollup {chain_id} at height {height}: {what}")]
    Stream {
        /// The rollup.
        chain_id: ChainId,
        /// Where.
        height: Height,
        /// How.
        what: String,
    },
    /// A reader was not given every batch once and in order.
    #[error("delivery of rollup {chain_id} to a reader: {what}")]
    Delivery {
        /// The rollup.
        chain_id: ChainId,
        /// How.
        what: String,
    },
    /// A bundle is not whole.
    #[error("atomicity at height {height}: {what}")]
    Atomicity {
        /// Where.
        height: Height,
        /// What is missing.
        what: String,
    },
    /// A transaction was placed twice.
    #[error("window: {id} of rollup {chain_id} was placed at {first} and again at {second}")]
    Twice {
        /// The rollup.
        chain_id: ChainId,
        /// The transaction.
        id: TransactionId,
        /// The first block.
        first: Height,
        /// The second block.
        second: Height,
    },
    /// A block is not what its cut leads to.
    #[error("replay of height {height}: {what}")]
    Replay {
        /// The height.
        height: Height,
        /// How it differs.
        what: String,
    },
    /// A node holds a parcel that marks what its claimed sender did not sign.
    #[error("parcel {slot} is held, though its sender of {id} in rollup {chain_id} did not sign")]
    FalseMark {
        /// The parcel.
        slot: Slot,
        /// The rollup.
        chain_id: ChainId,
        /// The transaction.
        id: TransactionId,
    },
    /// A correct key signed two values in one slot.
    #[error("double signing by {signer}: {slot}")]
    SignedTwice {
        /// Whose key.
        signer: Address,
        /// Where.
        slot: String,
    },
    /// Something available has neither been committed nor dropped.
    #[error("lost: {name}, which {node} said is available, was neither committed nor dropped")]
    Lost {
        /// Who said so.
        node: Address,
        /// What, in words.
        name: String,
        /// What.
        item: Name,
    },
    /// Whoever hears a correct proof of an equivocation keeps it.
    #[error("{node} heard two votes of {accused} in one slot, and has no evidence of it")]
    NoEvidence {
        /// Who heard them.
        node: Address,
        /// Who signed them.
        accused: Address,
    },
    /// Somebody who is correct is accused, or evidence does not hold.
    #[error("false evidence against {accused}: {what}")]
    FalseEvidence {
        /// Who.
        accused: Address,
        /// Of what.
        what: String,
    },
    /// A correct node did what no correct node does.
    #[error("node {node}: {what}")]
    Node {
        /// Which.
        node: Address,
        /// What it did.
        what: String,
    },
    /// Nothing goes on.
    #[error("liveness: {what}")]
    Stalled {
        /// What was waited for, and how far each node is.
        what: String,
    },
    /// The same seed led to two different runs.
    #[error("determinism: one seed gave digest {first} and then {second}")]
    Undetermined {
        /// Of the first run.
        first: String,
        /// Of the second run.
        second: String,
    },
}

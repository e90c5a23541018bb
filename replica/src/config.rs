//! What a replica is made from.

use std::sync::Arc;

use cloverleaf_bundle::{Prepared, State, Window};
use cloverleaf_consensus::Halt as ConsensusHalt;
use cloverleaf_types::{B256, ChainId, Height, Recover, Signer, Slot, TransactionId};

/// Who a replica is, and what it found on its disk.
pub struct Recovered {
    /// Signs votes and parcels; its address names the replica.
    pub signer: Arc<dyn Signer>,
    /// Checks signatures.
    pub recover: Arc<dyn Recover>,
    /// The state after the latest durable block, or genesis.
    pub state: State,
    /// The replay window at that block, recomputed from the blocks (W1).
    pub window: Window,
    /// From which height on the key signs, as [`crate::signs_from`] finds in the vote journal; nothing
    /// with amnesia (D4).
    pub signs_from: Option<Height>,
    /// With amnesia: the height from which the operators let the key sign whatever it has signed. It
    /// holds only if exactly the block before it is the tip.
    pub amnesia_accepted: Option<Height>,
    /// What the own lane log holds, in its order.
    pub logged: Vec<Arc<Prepared>>,
    /// What the parcel store holds, in its order.
    pub stored: Vec<Arc<Prepared>>,
}

/// Why a replica must not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// Consensus must not go on.
    #[error(transparent)]
    Consensus(#[from] ConsensusHalt),
    /// More than two thirds of the power decided a block that does not follow from this state: this
    /// node's software or disk is at fault, or more than f validators are.
    #[error(
        "block {height} is certified, but does not follow from this node's state: {reason}; keep \
         the data directory and compare it with another node's"
    )]
    CertifiedBlockRefused {
        /// Its height.
        height: Height,
        /// What does not follow.
        reason: String,
    },
    /// A block would place something that it, or a block that the replay window holds, has placed
    /// (W1, B7): whoever ordered it does not do as the rules say.
    #[error(
        "block {block_hash} of height {height} places transaction {id} of rollup {chain_id} once \
         more; keep the data directory and compare it with another node's"
    )]
    PlacedTwice {
        /// The block's height.
        height: Height,
        /// The block.
        block_hash: B256,
        /// The transaction's rollup.
        chain_id: ChainId,
        /// The transaction.
        id: TransactionId,
    },
    /// The disk told of a block that it was not given.
    #[error("told that block {height} is durable, which was not being written")]
    NotBeingWritten {
        /// The height that was named.
        height: Height,
    },
    /// This key has signed another parcel for the slot of one that was sealed here: another process has
    /// it, or an older lane log was put back. The parcel did not leave.
    #[error(
        "refused to sign the own parcel {slot}: this key has signed another one for that slot; is the key \
         in use twice, or was an older disk put back?"
    )]
    OwnSlotTaken {
        /// The slot.
        slot: Slot,
    },
    /// The own lane does not take the parcel that follows in it: lane and log have come apart. The
    /// parcel did not leave.
    #[error("the own parcel {slot} does not follow in the own lane: {why}")]
    OwnParcelRefused {
        /// Its slot.
        slot: Slot,
        /// What stands against it.
        why: &'static str,
    },
}

//! What happens to a replica.

use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_bundle::Prepared;
use cloverleaf_consensus::JournalEntry;
use cloverleaf_mempool::parcels::FalseSender;
use cloverleaf_mempool::{AckEntry, Fetch};
use cloverleaf_types::{Address, B256, Height};

use crate::output::BlockRange;
use crate::room::Room;

/// Something that happened. Messages come from authenticated validators, each named by its address.
#[derive(Debug)]
pub enum Input {
    /// The node starts; the first input, or the first after [`Input::Disk`].
    Start {
        /// What the vote journal holds, in its order.
        votes: Vec<JournalEntry>,
        /// The lowest height that the store keeps.
        first_kept: Height,
    },
    /// The store has removed old blocks.
    Pruned {
        /// The lowest height that it keeps.
        first_kept: Height,
    },
    /// The room on the disk is another than before (D6).
    Disk(Room),
    /// The time of [`crate::Replica::next_wake_ms`] has come.
    Tick,
    /// A connection to a validator was made.
    Connected(Address),
    /// A connection to a validator ended.
    Disconnected(Address),
    /// A message came on the votes stream.
    Votes {
        /// Who sent it.
        from: Address,
        /// The message.
        bytes: Bytes,
    },
    /// A message came on the parcels stream, and went through [`crate::intake()`].
    Parcels {
        /// Who sent it.
        from: Address,
        /// The message.
        message: Intake,
    },
    /// A message came on the sync stream.
    Sync {
        /// Who sent it.
        from: Address,
        /// The message.
        bytes: Bytes,
    },
    /// An own parcel is durable in the lane log.
    ParcelLogged {
        /// The parcel.
        hash: B256,
    },
    /// Another's parcel is durable in the parcel store.
    ParcelStored {
        /// The parcel.
        hash: B256,
    },
    /// A block, its certificate and the state after it are durable.
    Committed {
        /// Its height.
        height: Height,
    },
    /// Blocks were read for a peer: as many of the first ones as there are and fit.
    BlocksRead {
        /// What was asked for.
        range: BlockRange,
        /// The encoded blocks, of rising heights.
        blocks: Vec<Bytes>,
        /// How many bytes were read for that: none of a long block that was at hand.
        read_bytes: usize,
    },
}

/// A message of the parcels stream, decoded, its parcels well-formed (L5).
#[derive(Debug)]
pub enum Intake {
    /// A parcel, with what `order` needs of it.
    Parcel(Arc<Prepared>),
    /// What is durable at the sender (A1).
    Ack(Vec<AckEntry>),
    /// The sender lacks a piece of a lane.
    Fetch(Fetch),
    /// The answer to a fetch.
    Reply {
        /// What was asked for.
        hash: B256,
        /// What the sender has of it, newest first.
        parcels: Vec<Arc<Prepared>>,
    },
    /// A parcel whose author marked a transaction that its sender did not sign (L1).
    FalseSender(FalseSender),
    /// The answer to a fetch of what a block took: the sender has that block.
    Decided {
        /// What was asked for.
        hash: B256,
        /// The height that the sender has applied.
        height: Height,
    },
}

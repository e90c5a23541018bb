//! What a replica wants done.
//!
//! The outputs of one input are released in their order. [`Output::Journal`] holds back everything
//! after it until its records are durable (D1); the other writes are answered by an input when they
//! are durable, and nothing waits for them meanwhile.

use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_bundle::Dropped;
use cloverleaf_mempool::pool::{Name, State};
use cloverleaf_types::merkle::Branch;
use cloverleaf_types::{Address, DecidedBlock, Height, Parcel, TransactionId, Verified};

use crate::config::Halt;
use crate::misdeed::Misdeed;

/// What a replica wants done.
#[derive(Debug)]
pub enum Output {
    /// Append these records to the vote journal and sync it before anything after this (D1, D2).
    Journal(Vec<JournalRecord>),
    /// Send a message; it may be lost.
    Send {
        /// To whom.
        to: Recipient,
        /// As what.
        class: Class,
        /// The message.
        bytes: Bytes,
    },
    /// Append the own parcel to the lane log and sync it, then say [`crate::Input::ParcelLogged`]
    /// (L3).
    LogParcel(KeptParcel),
    /// Append another's parcel to the parcel store and sync it, then say
    /// [`crate::Input::ParcelStored`] (L4).
    StoreParcel(KeptParcel),
    /// Write the block and all that belongs to it, synced, then say [`crate::Input::Committed`].
    Commit(Arc<Commit>),
    /// Read decided blocks for a peer, then say [`crate::Input::BlocksRead`].
    ReadBlocks(BlockRange),
    /// The vote journal may forget the records of heights below this.
    ForgetVotes(Height),
    /// Parcel store and lane log may forget the parcels that were kept at heights below this.
    ForgetParcels {
        /// For the parcel store.
        stored_below: Height,
        /// For the lane log.
        logged_below: Height,
    },
    /// Keep evidence durably; nothing waits for it.
    KeepEvidence {
        /// What was done.
        misdeed: Arc<Misdeed>,
        /// The range of [`crate::MISDEED_HEIGHTS`] in which it was seen, of which one is kept.
        range: u64,
    },
    /// An item's status changed.
    Progress {
        /// Which.
        name: Name,
        /// What it is now.
        state: State,
    },
    /// The node must end: its exit code says why, and nothing after this is released.
    Halt(Halt),
}

/// A record of the vote journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRecord {
    /// The height that it belongs to.
    pub height: Height,
    /// Its bytes.
    pub bytes: Bytes,
}

/// A parcel on its way to the disk.
#[derive(Clone, Debug)]
pub struct KeptParcel {
    /// The height under which it is kept, for [`Output::ForgetParcels`].
    pub height: Height,
    /// The parcel.
    pub parcel: Arc<Verified<Parcel>>,
}

/// To whom a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// Every other validator.
    All,
    /// One of them.
    One(Address),
}

/// Which stream a message travels on, so that votes never wait behind bulk data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Proposals, votes and their certificates.
    Votes,
    /// Parcels, acknowledgements and fetches.
    Parcels,
    /// Statuses and decided blocks.
    Sync,
}

/// A decided block and everything that is written with it, in one synced write.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The block with its certificate.
    pub block: DecidedBlock,
    /// The ids of each batch's transactions.
    pub ids: Vec<Vec<TransactionId>>,
    /// From each batch's head to `heads_root`.
    pub branches: Vec<Branch>,
    /// The state after it, encoded.
    pub state: Vec<u8>,
    /// What was left out, known when the block was computed here.
    pub drops: Option<Vec<Dropped>>,
}

/// Blocks that a peer asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRange {
    /// Who asked.
    pub peer: Address,
    /// The first height.
    pub from: Height,
    /// The last height.
    pub to: Height,
    /// The most bytes to answer with.
    pub bytes_max: usize,
}

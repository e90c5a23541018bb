//! What goes into block sync and what comes out.

use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_types::{Address, DecidedBlock, Height, ValidatorSet, Verified};

use super::SyncMessage;
use crate::driver::To;

/// Something that happened to the node.
#[derive(Clone, Debug)]
pub enum SyncInput {
    /// A block is applied and durable, however it came; also given once when the node starts.
    Applied {
        /// The highest height applied.
        tip: Height,
        /// The lowest height kept.
        first: Height,
        /// Who decides `tip + 1`.
        validators: Arc<ValidatorSet>,
        /// The longest that the block of `tip + 1` may be, encoded, in bytes.
        block_bytes_max: usize,
    },
    /// The store has removed old blocks.
    Kept {
        /// The lowest height kept.
        first: Height,
    },
    /// The block of the last [`SyncOutput::Apply`] has other batches than its header says.
    Refused {
        /// What is wrong with them.
        what: String,
    },
    /// A message from an authenticated peer.
    Message {
        /// Who sent it.
        from: Address,
        /// The message.
        message: SyncMessage,
    },
    /// A connection to a peer was made.
    Connected {
        /// The peer.
        peer: Address,
    },
    /// A connection to a peer ended.
    Disconnected {
        /// The peer.
        peer: Address,
    },
    /// The blocks that [`SyncOutput::Read`] asked for, or as many of the first ones as are there.
    Blocks {
        /// For whom they were read.
        peer: Address,
        /// The first height.
        from: Height,
        /// Encoded blocks of rising heights.
        blocks: Vec<Bytes>,
    },
    /// The time of the last [`SyncOutput::WakeAt`] has come.
    Tick,
}

/// Something that the node must do.
#[derive(Clone, Debug)]
pub enum SyncOutput {
    /// Send a message.
    Send {
        /// To whom.
        to: To,
        /// The message.
        message: SyncMessage,
    },
    /// Read blocks from the store, about [`super::RESPONSE_BYTES_MAX`] bytes at most, and give them as
    /// [`SyncInput::Blocks`]. May take its time; a peer has one such read at a time.
    Read {
        /// Who asked.
        peer: Address,
        /// The first height.
        from: Height,
        /// How many heights.
        count: u64,
    },
    /// A certificate for a height is verified: tell the driver (C4).
    Certified {
        /// The height.
        height: Height,
    },
    /// The block of `tip + 1`: its certificate is verified, its parts agree with each other. Apply it,
    /// then give [`SyncInput::Applied`]. If its batches are not those of its header, which only the
    /// state shows, give [`SyncInput::Refused`]; if they are and it does not apply, the network decided
    /// what this node takes for wrong: stop.
    Apply(Box<Verified<DecidedBlock>>),
    /// A peer sent something false and is not asked for a minute.
    Lied {
        /// The peer.
        peer: Address,
        /// What was false.
        what: String,
    },
    /// Give [`SyncInput::Tick`] at this time, in milliseconds; it replaces the time before.
    WakeAt(u64),
}

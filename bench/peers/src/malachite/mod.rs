//! malachite's engine as it is published: four validators in one process, with its own network, its own
//! write-ahead log and its own sync, and the smallest application that works.
//!
//! ```text
//!  engine ─► GetValue               application: a block, its hash as the value, its parts published
//!         ─► ReceivedProposalPart   parts put together; the hash is compared with the proposal's
//!         ─► Decided                the block and its certificate, one synced write
//!         ─► Finalized              the next height at once
//! ```
//! What is in its favour: the block is not made durable before it is voted on, though the engine's log has
//! only its hash; parts carry no signature; no height waits for a target time; the limit of connections
//! from one address does not bind. All other settings are the engine's own.

mod application;
mod assembly;
mod codec;
mod context;
mod network;
mod signing;
mod store;
mod types;

pub use network::{Malachite, Protocol};

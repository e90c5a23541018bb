//! Hold what rollups forward, and share it in lanes, until it is ordered.
//!
//! # Guarantees
//! * What was admitted is in exactly one state of its life, and reaches an end or stays looked after:
//!   nothing is lost between pool, lane and block ([`pool`]).
//! * A sender's nonces leave this node in order, whatever is dropped on the way (A2, O4).
//! * One slot of the own lane has one parcel, and the same slot re-sends the same bytes (L3, [`lane`]).
//! * Of the parcels of a slot that may still be ordered at most one is acknowledged here, and only once
//!   it is durable (L4, A1, [`parcels`]).
//! * Nothing here reads a clock, a socket, a disk or a random number: time comes in as an argument,
//!   what must be durable is handed out first and confirmed later.
//!
//! # Design
//! ```text
//!  rpc ─► decode, recover ─► Pool ── take ──► Lane ── seal ──► (log) ─► all validators
//!                             ▲                ▲ acks                        │
//!                             │ decided        └──────────────┐              ▼
//!  block ◄─ order ◄─ cut ◄────┴──────── Parcels: accept, stored, ack, fetch, plan_cut, resolve
//! ```
//!
//! # Limits
//! Every limit is a named constant of its part, or a parameter of the network.
//!
//! # Not here
//! Cancellation and replacement of bundles by their submitter (B10); what a block makes of a cut (`bundle`), and who decides it (`consensus`).
#![forbid(unsafe_code)]

mod holding;
#[cfg(test)]
mod testing;

pub mod error;
pub mod lane;
pub mod parcels;
pub mod pool;

pub use error::{LaneLogError, Refusal};
pub use lane::{Due, Lane, LaneConfig};
pub use parcels::{Accept, AckEntry, Fetch, Message, Parcels, ParcelsConfig, Resolved, View};
pub use pool::{
    Admission, BundleDraft, Change, Decision, Envelope, Gap, Limits, Name, Pool, PooledBundle,
    PooledTransaction, State, Submission,
};

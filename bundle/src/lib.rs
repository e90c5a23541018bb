//! Order transactions and place cross-rollup bundles atomically.
//!
//! # Guarantees
//! * [`order::order`] is pure and total: the same parent state, plan and parcels give the same block
//!   on every machine, in whatever order the parcels arrived, and no input makes it fail (O1, O2).
//! * A bundle's legs are all in one block, each contiguous, or the block is byte for byte as if the
//!   bundle had not been there (B5, B12).
//! * No id is placed twice within the replay window (W1); every item is placed, or dropped with the
//!   first reason that applies.
//! * [`state::apply`] reads nothing but the decided block (S2): who has no parcels arrives at the
//!   same state.
//!
//! # Design
//! ```text
//!   parcel ─ prepare ─┐
//!   state, window ────┤
//!   plan ─ check_plan ┴─► order ─► block ─► apply ─► state
//! ```
//! Cost: one pass over the items; the look-ups of the window dominate. What depends on a parcel alone
//! is computed when it arrives ([`prepare`]).
//!
//! # Not here
//! Which parcels to propose and when (`mempool`), whether a plan is ready (`replica`), and agreement
//! on it (`consensus`).
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]

pub mod error;
mod key_set;
pub mod order;
pub mod plan;
pub mod prepare;
pub mod state;
pub mod window;

pub use error::{BlockError, ControlError, PlanError};
pub use order::{DropPlace, Dropped, Ordered, order};
pub use plan::{LaneSlice, check_header, check_plan};
pub use prepare::Prepared;
pub use state::{LastCut, State, apply};
pub use window::Window;

//! Measure the ordering hot path.
//!
//! # Design
//! ```text
//!   Workload ─► NextBlock ─► benches/order.rs      what one block costs
//!       └─────► Cluster ───► benches/height.rs     what a height costs four replicas, without I/O
//!       └─────► Decided ───► benches/verify.rs     what a verifier does
//!       └─────► Chain ─────► benches/storage/      what a block costs on the disk
//!                    └─────► benches/service/      what a block costs for its subscribers
//!   Forwarded ─────────────► benches/pool.rs       what a pool takes in and seals
//!   Wallet ────────────────► benches/ingest.rs     what is done for what wallets send
//!   benches/limits.rs                              what this machine can do at best
//! ```
//! Work is checked outside of the time that is taken: count, order and root. Nothing asserts a time.
#![forbid(unsafe_code)]

mod chain;
mod cluster;
mod decided;
mod forwarded;
mod next_block;
mod stopwatch;
mod wallet;
mod workload;

pub use chain::Chain;
pub use cluster::{Burst, Cluster};
pub use decided::Decided;
pub use forwarded::{Forwarded, Pattern};
pub use next_block::{AdvancingWindow, NextBlock, filled_window};
pub use stopwatch::{is_trial, time_each};
pub use wallet::Wallet;
pub use workload::{Workload, keys, network};

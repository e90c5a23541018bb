//! Run a sequencer.
//!
//! # Guarantees
//! * Nothing is acknowledged before it is durable as section 8 of the protocol asks; a durable write
//!   that fails ends the process with its own [exit code](exit), before anything later is released.
//! * The public ports only decode, check and ask: what they do cannot hold up a vote.
//!
//! # Design
//! ```text
//!  cli ─┬─► service ─┬─► sequencer: the replica's thread, its disks, its network
//!       │            └─► rpc, rest, grpc: the public ports, over one desk and the same streams
//!       └─► embedded: an EVM rollup that follows through the public port
//! ```
//! This crate is the only wiring: the seams of the crates below meet here, in `adapters` and `sequencer`.
#![forbid(unsafe_code)]

pub mod cli;
pub mod exit;
pub mod home;
pub mod sequencer;
pub mod service;

mod adapters;
mod clock;
mod embedded;
mod grpc;
mod health;
mod metrics;
mod misdeed;
mod operator;
mod rest;
mod rpc;
mod snapshot;
mod streams;
mod terminal;

#[cfg(test)]
mod manual;

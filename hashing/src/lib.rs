//! Hash many short messages at once.
//!
//! # Guarantees
//! * Each function gives what hashing its messages one by one gives, on every machine.
//! * `unsafe` is only the call of a function that was compiled for instructions which the machine was
//!   just seen to have. Nothing here reads or writes through a pointer.
//!
//! # Design
//! ```text
//!   keccak256_each ─┬─ AVX-512: eight messages, one in each 64-bit lane of the registers
//!                   ├─ AVX2: four
//!                   └─ else one by one
//!   sha256_each ─────┬─ SHA-NI: two messages, whose rounds wait for each other and not for memory
//!   leaves, parents ─┤
//!                    └─ else one by one
//! ```
//! One message alone leaves most of a core idle: keccak has no instruction that works on more than a
//! 64-bit lane of one state, and a round of SHA-256 waits for the one before it.
//!
//! # Not here
//! What is hashed and why: formats and trees are `types`'.
#![warn(missing_docs)]

mod keccak;
mod sha256;

pub use keccak::keccak256_each;
pub use sha256::{leaves, parents, sha256_each};

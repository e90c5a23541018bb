//! Users of a network: a steady stream of transactions and bundles, and what they were told of each.
//!
//! # Design
//! ```text
//!   Plan ─► workers ─► Submit(AVAILABLE), JSON-RPC batches, SubmitBundle(AVAILABLE) ─► Answers
//!                                                                                        │
//!                                        promises: one line per acknowledgement ◄────────┘
//! ```
//! A worker uses an account at one node until that does not answer: what became of its last
//! transaction is then unknown, so a new account goes on at the next node.
//!
//! Accounts have no money: their transactions are ordered, and skipped when executed. What is tested is
//! the order.

mod answers;
mod node;
mod promises;
pub mod steady;
mod users;
mod wallet;

pub use answers::{Answers, Lives, Told};
pub use node::{Answer, Grpc, progress, send_batch};
pub use promises::{Promise, read_promises, write_promises};
pub use users::{Group, Load, Plan, Targets, bundle_legs};
pub use wallet::{Signed, Wallet};

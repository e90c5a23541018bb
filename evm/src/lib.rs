//! Execute ordered batches in an embedded EVM rollup.
//!
//! The demo rollup of `cloverleaf dev`, the oracle of its tests and audits, and an example of how
//! little a rollup needs from the sequencer: its batches, in order.
//!
//! # Guarantees
//! * The same batches give the same blocks everywhere: execution is a pure function of the parent
//!   block, its state and the batch.
//! * One block per batch, number = `seq`, timestamp = the sequencer's block time in seconds,
//!   `prevrandao` = batch hash, Prague's rules. Header fields are Ethereum's: true state,
//!   transactions and receipts roots, bloom, EIP-1559 base fee from 1 gwei.
//! * An invalid transaction is skipped and recorded with its [`SkipReason`]; it never stops a
//!   batch, and is never executed later.
//! * A block is durable before a reader can see it: after a crash at any point the rollup comes
//!   back with all that it had shown, and goes on from the stream.
//!
//! # Design
//! ```text
//! BatchSource ─► Rollup::execute ─► executor (pure) ─► block log ─► chain in memory
//!  (verified)     (one at a time)     state = trie      (synced)     │ snapshots of states
//!                                     with free copies               └─► rpc: readers
//! ```
//! The state is a persistent trie: a block is executed on the side, then put in place under a lock
//! held for microseconds; readers take a copy of the state, which is one pointer.
//!
//! # Limits
//! [`limits`]. Blocks beyond those kept in memory are answered with an error that says so. A block
//! holds 30 M gas; what does not fit is skipped (`gasLimitReached`).
//!
//! # Not here
//! A listener (`node` has the one with the limits), ordering and pending transactions (which are
//! handed on to the sequencer), blobs, withdrawals, beacon roots (EIP-4788), traces, filters, subscriptions.
//!
//! # References
//! Ethereum yellow paper, appendix D (trie); EIP-1559, EIP-2718, EIP-2935, EIP-7685, EIP-7702.
#![forbid(unsafe_code)]

mod trie;

mod state;

mod machine;
mod skip;
mod transaction;

mod block;
mod executor;

mod block_log;
mod chain;
mod genesis;
mod record;
mod rollup;
mod snapshot;
mod store;

mod simulate;

mod error;
mod follow;
pub mod limits;
mod rpc;

pub use error::Error;
pub use follow::{BatchSource, follow};
pub use genesis::{DEV_ACCOUNTS, DEV_BALANCE_ETH, DEV_MNEMONIC, FAUCET_BALANCE_ETH};
pub use rollup::{Rollup, RollupConfig};
pub use rpc::router;
pub use skip::SkipReason;

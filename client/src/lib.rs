//! Submit, subscribe and verify from the rollup's side.
//!
//! # Guarantees
//! * What [`Follower`] yields was decided by more than two thirds of the trusted power, comes in
//!   order without gaps, and is yielded once; whatever fewer than a third of the validators and any
//!   number of upstreams do. A wrong item costs its upstream, never the rollup.
//! * What it says about bundles is proven too: each span's manifest is in the batch's own block,
//!   names this leg in this place, and its hash covers exactly these transactions.
//! * [`verify`], [`audit`] and the choice of upstreams are pure: no clock, socket or file.
//!
//! # Design
//! ```text
//!   trust root ─► certificate ─► header ─► head branch ─► batch ─► ids          verify
//!                                   └────► bundle branch ─► manifest ─► leg
//!   upstreams ─► StreamBatches ─► check (off the async threads) ─► chain ─► next()   follower
//!   JSON-RPC ─► rpc            outputs ⋈ manifests ─► audit            files, chain 0 ─► trust
//! ```
//! A batch names the one before it, so one proof verifies any number of batches and of heights in
//! which the rollup had none.
//!
//! When validators change, the root learns of it from chain 0, whose batches are proven like any
//! rollup's: [`trust`]. An upstream that shows a set which chain 0 does not lead to is wrong.
//!
//! # Limits
//! A trust root ends its trust period after the last block that it verified: a batch's, or while
//! there is none that of a head proof, for which a follower asks whoever is silent. One that was away
//! for longer has to be given a newer root.
//!
//! # Not here
//! Executing batches (`evm`), TLS (a proxy's work), durable cursors.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod clock;
mod error;
mod upstreams;

pub mod audit;
pub mod blocks;
pub mod follower;
pub mod rpc;
pub mod submit;
pub mod trust;
pub mod verify;

pub use blocks::Blocks;
pub use error::{Error, ItemFault};
pub use follower::{Contact, Follower, FollowerConfig, Timing, endpoint};
pub use rpc::RpcClient;
pub use submit::{Replies, Submitted, Submitter};
pub use trust::{Proven, advance_trust, load_trust, save_trust, verify_proof};
pub use verify::{Chain, VerifiedBatch};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod servers;

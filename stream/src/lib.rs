//! Stream ordered batches to each rollup.
//!
//! # Guarantees
//! * A subscriber sees position `from`, `from + 1`, … without a gap and without a repeat, whenever
//!   it subscribes and however slowly it reads; a position means a batch's `seq` or a block's
//!   height.
//! * Nothing leaves before it is durable: the committer announces a block after its synced write.
//! * A slow consumer costs its cursor and at most one page, or one item when pages are many; it never
//!   slows the node or another consumer.
//! * What storage no longer has is an answer, [`StreamError::Pruned`], never silence or a gap.
//!
//! # Design
//! ```text
//!   committer ──announce──► tip ────────────► Subscription { next } ──► consumer pulls
//!                            └─► recent ring ────┘  ▲
//!   storage ─────────────────────── a page ─────────┘
//! ```
//! A subscription is one number, the next position. Ring and storage are both functions from a
//! position to its item, so it does not matter which of them answers, and there is no moment of
//! switching from backlog to live: each pull waits until the tip has reached `next`, then asks the
//! ring, then storage. The cursor moves by one with each item handed out, and only then.
//!
//! # Limits
//! [`Limits`]: bytes of recent items over all rollups, the size of a page and of all pages, concurrent
//! reads of the backlog; [`Hub::held`] says what is held. The number of subscriptions is limited where connections are.
//!
//! # Not here
//! The wire: encoding and flow control belong to the service that pulls. Durable cursors of
//! consumers.
//!
//! # References
//! `docs/spec/`: section 9 of the protocol; invariants 3, 4 and 7.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod error;
mod item;
mod source;

pub mod limits;
mod ring;

mod backlog;
mod feed;
mod hub;
mod page;
mod proofs;
mod subscription;

pub use error::{SourceError, StreamError};
pub use item::{Inclusion, Positioned, StreamBlock, StreamItem, bundles_of};
pub use source::{BatchSource, BlockSource, Read};

pub use hub::{Held, Hub};
pub use limits::Limits;
pub use proofs::Proofs;
pub use subscription::Subscription;

#[cfg(test)]
mod tests;

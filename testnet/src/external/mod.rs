//! Judge a network from outside, by what crosses its ports: blocks, batches, answers.
//!
//! # Guarantees
//! * The judging is the [`checker`](crate::checker)'s, which judges simulated networks too.
//! * Nothing is believed that a certificate does not cover: registry and validator sets follow from
//!   genesis and the blocks alone (S2).
//! * What was compared is counted. Where nothing was, nothing is said to be right.
//!
//! # Design
//! ```text
//!   node 0, 1, … ─► StreamBlocks  ─► watch ─┐
//!   node 0, 1, … ─► StreamBatches ─► audit ─┼─► seen ─► Report
//!   promises, and what nodes say of them ───┤
//!   evidence, and what queues hold ─► selves ┘
//! ```

mod audit;
mod gauges;
mod report;
mod seen;
mod selves;
mod watch;

pub use audit::{Network, NodeUrls, audit};
pub use report::{Counts, Report};
pub use seen::{FollowerId, Node, Seen, Shown, Totals};
pub use watch::Watched;

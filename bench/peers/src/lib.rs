//! Measure what others' engines, pools, servers and stores do with the same work.
//!
//! # Design
//! ```text
//!   BareLoop, malachite ─► Progress ─► benches/heights.rs    what a height takes four validators
//!   pools ───────────────────────────► benches/pools.rs      transactions in, and out in their order
//!   servers ─────────────────────────► benches/requests.rs   an empty request, an empty item
//!   BareStore ───────────────────────► benches/writes.rs     a value that is synced
//! ```
//! Each is built as its own documentation has it, with limits that do not bind here; where there is a
//! choice it is made in its favour, and said beside it. Work is checked outside of the time that is taken.
#![forbid(unsafe_code)]

pub mod malachite;
pub mod pools;
pub mod servers;

mod bare_loop;
mod bare_store;
mod journal;
mod payload;
mod progress;
mod stopwatch;

pub use bare_loop::BareLoop;
pub use bare_store::BareStore;
pub use payload::payload;
pub use progress::{Progress, QUORUM, VALIDATORS};
pub use stopwatch::time_each;

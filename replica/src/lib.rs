//! Run one validator as a state machine.
//!
//! # Guarantees
//! * Deterministic: the same inputs at the same times give the same outputs. No clock, no I/O, no
//!   chance; a node and a simulator run the same code.
//! * What must be durable before something leaves is asked for before it: own parcels (L3), parcels
//!   before their acks (L4), the vote journal before messages (D2), a block before the next height and
//!   before anybody is told (D1).
//!
//! # Design
//! ```text
//!   submission ─► pool ─► lane ─► LogParcel ─► parcel to all ─► acks ─► available
//!   parcel ─► parcels ─► StoreParcel ─► ack to all
//!                 │
//!                 ▼ plan, resolve
//!   votes ◄─► driver ◄─► planner ─► bundle::order
//!                 │ decided                          sync ─► apply
//!                 ▼                                    │
//!               Commit ◄──────────────────────────────┘ ─► next height
//! ```
//! [`Replica::handle`] takes an [`Input`] and returns [`Output`]s, to be done in their order. The files
//! follow the arrows: `submit`, `lanes`, `consensus_flow` with `planner`, `sync_flow`, `commit`;
//! `membership`, `amnesia` with `vote_journal`, and `room` say when a node takes part.
//!
//! # Not here
//! Threads, files and sockets (`node`), virtual ones (`testnet`). Verifying a parcel's signature takes
//! longer than a vote may wait: [`intake()`] does it on the caller's own thread.
#![forbid(unsafe_code)]

mod clock;
mod config;
mod index;
mod input;
mod intake;
mod kept;
mod misdeed;
mod misdeeds;
mod output;
mod served;

mod replica;

mod amnesia;
mod chain;
mod commit;
mod consensus_flow;
mod lanes;
mod membership;
mod observation;
mod planner;
mod restore;
mod room;
mod submit;
mod sync_flow;
mod vote_journal;

pub use chain::Order;
pub use clock::SteadyClock;
pub use config::{Halt, Recovered};
pub use index::PlacedIndex;
pub use input::{Input, Intake};
pub use intake::{IntakeError, Lately, Step, Unverified, decode, intake};
pub use misdeed::{
    MISDEED_BYTES_MAX, Misdeed, MisdeedKind, NotProven, SignedHeader, SignedMisdeed,
};
pub use misdeeds::MISDEED_HEIGHTS;
pub use observation::Observation;
pub use output::{BlockRange, Class, Commit, JournalRecord, KeptParcel, Output, Recipient};
pub use replica::Replica;
pub use room::Room;
pub use vote_journal::{Decided, signing_record, signs_from};

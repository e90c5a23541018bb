//! Run many sequencers on one machine, simulated and real, and judge them.
//!
//! # Guarantees
//! * A simulated network is a function of its [`Config`](simulation::Config): the same seed gives the
//!   same digest of everything that happened, on every machine.
//! * What runs in it is the shipped code: [`cloverleaf_replica::Replica`] whole, and the journals of
//!   [`cloverleaf_journal`] over a disk that loses and tears what was not synced.
//! * The [`checker`] judges by what nodes emit, and knows nothing of how they work: it serves for
//!   virtual and, through [`external`], for real networks alike.
//!
//! # Design
//! ```text
//!   workload ─► hosts ◄─► links      one queue of events in virtual time
//!   faults  ──►  │ replica, journals, block store
//!                ▼
//!             checker ─► Report or Violation
//! ```
//!
//! ```text
//!   processes, containers ─► load, perturb      the same binary over real sockets
//!                │ blocks, batches, answers
//!                ▼
//!            external ─► checker ─► Report      of a network that is there
//!                         stage ─► Fault        of one that is broken on purpose
//! ```
//!
//! # References
//! The invariants and the fault programme: `docs/spec/`.
#![forbid(unsafe_code)]

pub mod checker;
pub mod containers;
pub mod disks;
pub mod external;
pub mod hostile;
pub mod links;
pub mod load;
pub mod process;
pub mod simulation;
pub mod stage;

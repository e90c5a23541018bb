//! A network of validators in virtual time: the shipped state machine, simulated machines around it.
//!
//! ```text
//!  queue ─► world ─┬─► host: replica, journals, block store    crash between any two outputs
//!                  ├─► links: delay, loss, duplication, partitions in one or both directions
//!                  ├─► readers: of the rollups' streams, with cursors
//!                  ├─► workload: senders and bundlers, and what becomes of what they sent
//!                  ├─► faults: what breaks next, and when it is repaired
//!                  ├─► membership: validators that join, leave and change their power
//!                  └─► checker
//! ```
//! One event at a time, by time and then by order of scheduling; all chance comes from the seed. A
//! Byzantine validator is a host whose messages pass through a behaviour, or one of two with one key.

mod alarms;
pub mod byzantine;
pub mod config;
pub mod counts;
mod disk;
mod faults;
pub mod faulty;
mod files;
mod host;
mod links;
mod membership;
mod memo;
pub mod negative;
mod network;
mod queue;
pub mod random;
mod readers;
pub mod script;
pub mod steps;
mod store;
pub mod suite;
mod workload;
mod world;

pub use config::{Config, Controls};
pub use counts::Counts;
pub use faults::Lost;
pub use memo::Memo;
pub use network::keys;
pub use world::{Posted, Report, Simulation, VoteJournal};

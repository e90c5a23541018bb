//! Run networks of real processes: start the `cloverleaf` binary, kill it, start it again.
//!
//! # Guarantees
//! * Every process that was started here ends with its owner, however a test ends.
//! * Whatever a process wrote to its standard error is in `<name>.log` of its directory, over all its
//!   lives; what it said last is part of every error about it.
//! * Networks of one machine get ports that nobody listens on and that the system gives to no
//!   connection by itself.
//!
//! # Design
//! ```text
//!   Binary ─► Process ─► "ready" line       one child: start, kill -9, SIGTERM, wait
//!      └────► Network ─► nodes, rollups     `testnet init`, one Process each
//!                └─ PortBase                where they listen
//! ```
//! What processes do is judged from outside, by whoever talks to their ports: see
//! [`checker`](crate::checker).

mod binary;
mod child;
mod error;
mod metric;
mod network;
mod ports;
mod wait;

pub use binary::{Binary, Finished};
pub use child::{Process, STOP_TIMEOUT};
pub use error::Error;
pub use network::{Joiner, Network, NetworkPlan, Started};
pub use ports::PortBase;
pub use wait::{Stopwatch, wait_until};

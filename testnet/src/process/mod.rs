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
//!                ├─ PortBase                where they listen
//!                └─ Host                    in which network namespace, if not this one
//! ```
//! What processes do is judged from outside, by whoever talks to their ports: see
//! [`checker`](crate::checker).

mod binary;
mod child;
mod error;
mod network;
mod operator;
mod plan;
mod ports;
mod usage;
mod wait;

pub use binary::{Binary, Finished};
pub use child::{Process, STOP_TIMEOUT};
pub use error::Error;
pub use network::{Joiner, Network, Started};
pub use operator::get;
pub use plan::{Host, NetworkPlan};
pub use ports::PortBase;
pub use usage::{TICKS_PER_S, Usage, cpu_seconds, folder_bytes};
pub use wait::{Stopwatch, pause, wait_until};

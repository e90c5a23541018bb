//! Break disks on purpose: disks of a size, disks whose power is cut, calls of the system that fail.
//!
//! # Guarantees
//! * What was mounted is unmounted and its loop device let go when its owner ends. What a killed process
//!   left goes when its directory is used again ([`sweep`]).
//! * Nothing but files of the caller's directory is written, and no disk of the machine is touched.
//!
//! # Design
//! ```text
//!   LoopDisk   image ─► loop device ─► ext4              a disk of a size
//!   CutDisk    image ─► ext4 ─► image ─► ext4            the outer one is frozen, the inner image copied
//!   Injection  strace -D -e inject=…                     the n-th call of a thread fails, or kills
//! ```
//! All of it wants root; [`lacking`] says what a machine has not.

mod commands;
mod cut_disk;
mod injection;
mod loop_disk;

pub use commands::{lacking, sweep};
pub use cut_disk::CutDisk;
pub use injection::{Effect, Injected, Injection};
pub use loop_disk::LoopDisk;

//! Validators that are stepped by hand: real replicas, disks whose writes wait for the test, links that
//! the test can cut, one virtual clock.

mod logs;
mod machine;
mod names;
mod network;

pub(crate) use logs::Logs;
pub(crate) use machine::{Did, Disk, What, Write};
pub(crate) use names::{NARROW, NARROW_ONCE, ONCE, WIDE, authority, parameters};
pub(crate) use network::{Frame, Network};

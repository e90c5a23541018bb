//! Everything that is broken on purpose, a file each, cheapest first.

mod disk_full;
mod power_cuts;
mod simulation;
mod syscalls;

use super::row::Row;

/// Threads that share what is simulated.
const THREADS: usize = 2;

pub(crate) const ALL: &[Row] = &[
    simulation::ROW,
    power_cuts::ROW,
    syscalls::ROW,
    disk_full::ROW,
];

//! Everything that is broken on purpose, a file each, cheapest first.

mod controls;
mod disk_full;
mod fuzz;
mod power_cuts;
mod simulation;
mod steps;
mod syscalls;
mod twins;

use super::row::Row;

/// Threads that share what is simulated.
const THREADS: usize = 2;

pub(crate) const ALL: &[Row] = &[
    controls::ROW,
    twins::ROW,
    steps::ROW,
    simulation::ROW,
    fuzz::PARCEL_AND_BLOCK,
    fuzz::MESSAGES,
    fuzz::RPC,
    fuzz::JOURNAL,
    fuzz::STREAM,
    fuzz::ORDER,
    power_cuts::ROW,
    syscalls::ROW,
    disk_full::ROW,
];

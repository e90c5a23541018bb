//! Everything that is broken on purpose, a file each, cheapest first.

mod controls;
mod simulation;
mod twins;

use super::row::Row;

/// Threads that share what is simulated.
const THREADS: usize = 2;

pub(crate) const ALL: &[Row] = &[controls::ROW, twins::ROW, simulation::ROW];

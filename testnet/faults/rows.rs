//! Everything that is broken on purpose, a file each, cheapest first.

mod bit_rot;
mod simulation;

use super::row::Row;

/// Threads that share what is simulated.
const THREADS: usize = 2;

pub(crate) const ALL: &[Row] = &[simulation::ROW, bit_rot::ROW];

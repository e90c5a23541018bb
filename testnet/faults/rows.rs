//! Everything that is broken on purpose, a file each, cheapest first.

mod clients;
mod peers;
mod siege;
mod simulation;

use super::row::Row;

/// Threads that share what is simulated.
const THREADS: usize = 2;

pub(crate) const ALL: &[Row] = &[clients::ROW, peers::ROW, simulation::ROW];

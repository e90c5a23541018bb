//! Everything that is broken on purpose, a file each, cheapest first.

mod kills;
mod membership;
mod partitions;
mod simulation;
mod soak;

use cloverleaf_testnet::simulation::random::Random;
use cloverleaf_testnet::stage::VALIDATORS;

use super::row::Row;

/// Threads that share what is simulated.
const THREADS: usize = 2;

pub(crate) const ALL: &[Row] = &[
    simulation::ROW,
    kills::ROW,
    membership::ROW,
    partitions::ROW,
    soak::ROW,
];

/// All nodes, in an order of chance.
fn shuffled(random: &mut Random) -> [usize; VALIDATORS] {
    let mut nodes: [usize; VALIDATORS] = std::array::from_fn(|node| node);
    for last in (1..nodes.len()).rev() {
        nodes.swap(last, random.index(last + 1));
    }
    nodes
}

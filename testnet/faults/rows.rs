//! Everything that is broken on purpose, a file each, cheapest first.

mod bit_rot;
mod clients;
mod containers;
mod controls;
mod disk_full;
mod fuzz;
mod kills;
mod membership;
mod partitions;
mod peers;
mod power_cuts;
mod siege;
mod simulation;
mod soak;
mod steps;
mod syscalls;
mod twins;
mod upgrade;

use std::time::Duration;

use cloverleaf_testnet::links;
use cloverleaf_testnet::simulation::random::Random;
use cloverleaf_testnet::stage::VALIDATORS;

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
    bit_rot::ROW,
    power_cuts::ROW,
    syscalls::ROW,
    disk_full::ROW,
    kills::ROW,
    membership::ROW,
    partitions::ROW,
    upgrade::ROW,
    containers::ROW,
    clients::ROW,
    peers::ROW,
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

/// What a row runs this program for again: it holds packets back until it is killed.
pub(crate) fn hold_back(delay_ms: u64) -> Result<bool, String> {
    let ended = links::hold_back(Duration::from_millis(delay_ms));
    ended.map_or_else(
        |error| Err(format!("holding packets back: {error}")),
        |()| Ok(true),
    )
}

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

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Runs every unit, so many at a time; what each led to, by unit.
fn side_by_side<T: Send>(
    units: Range<u64>,
    at_a_time: usize,
    each: impl Fn(u64) -> T + Sync,
) -> Vec<(u64, T)> {
    let next = AtomicU64::new(units.start);
    let work = || {
        let numbers = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
        let mine = numbers.take_while(|unit| *unit < units.end);
        mine.map(|unit| (unit, each(unit))).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..at_a_time).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(|worker| worker.join());
        ended
            .flat_map(|done| done.expect("a unit tells what is wrong"))
            .collect()
    });
    all.sort_by_key(|(unit, _)| *unit);
    all
}

/// What a row runs this program for again: it holds packets back until it is killed.
pub(crate) fn hold_back(delays: &str) -> Result<bool, String> {
    let ended = links::hold_back(delays);
    ended.map_or_else(
        |error| Err(format!("holding packets back: {error}")),
        |()| Ok(true),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_runs_once_however_many_run_at_a_time() {
        for at_a_time in [1, 3, 9] {
            let all = side_by_side(5..12, at_a_time, |unit| unit * 2);
            let expected: Vec<_> = (5..12).map(|unit| (unit, unit * 2)).collect();
            assert_eq!(all, expected);
        }
    }
}

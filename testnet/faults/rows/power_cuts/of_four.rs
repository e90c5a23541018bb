//! One of four dies of a cut, and comes back with what its disk had among those that heard it.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use cloverleaf_testnet::disks::CutDisk;
use cloverleaf_testnet::load::{Load, Told};
use cloverleaf_testnet::process::NetworkPlan;

use super::{DISK_MIB, Met, OFFERED, write_for_a_while};
use crate::stage::{Stage, Verdict, text};

/// Makes the accounts that show that it takes part others than the load's.
const TAKES_PART: u64 = 1 << 32;

/// A network under load whose node 0 has a disk that can be cut.
pub(super) struct OfFour {
    load: Load,
    promised: Vec<Told>,
    stage: Stage,
    disk: CutDisk,
}

impl OfFour {
    /// Cuts the disk of node 0 of the network, which is made when there is none; the node dies of it.
    pub(super) fn cut(network: &mut Option<Self>, dir: &Path, unit: u64) -> Verdict<Met> {
        if network.is_none() {
            *network = Some(Self::make(&dir.join("four"), unit)?);
        }
        let four = network.as_mut().expect("it was just made");
        write_for_a_while(unit);
        let image = dir.join("cut-of-four.img");
        four.stage.end_life(0);
        let (disk, nodes) = (&four.disk, &mut four.stage.network);
        let struck = disk.cut(&image, || nodes.strike(0)).map_err(text)?;
        struck.map_err(text)?;
        // It hung in a write that was never to end; now it can die.
        four.stage.network.kill(0).map_err(text)?;
        let announced = four.stage.seen().tip_of(0);
        four.disk.go_on_with(&image).map_err(text)?;
        four.stage.check_store(&four.disk.path().join("node0"))?;
        let found = four.stage.start(0)?;
        four.promised.extend(four.load.take().available);
        let seen = four.stage.seen();
        four.promised
            .retain(|told| seen.place_of(&told.name).is_none());
        drop(seen);
        let unplaced = four.promised.len();
        four.stage.wait_until_it_takes_part(0, TAKES_PART + unit)?;
        four.stage.keep(&four.promised)?;
        four.promised.clear();
        four.stage.nobody_signed_twice()?;
        let tip = four.stage.seen().tip_of(0);
        Ok(Met {
            announced,
            unplaced: u64::try_from(unplaced).unwrap_or(u64::MAX),
            resigned: tip.saturating_sub(found),
        })
    }

    fn make(dir: &Path, seed: u64) -> Verdict<Self> {
        let _what_a_broken_one_left = std::fs::remove_dir_all(dir);
        let disk = CutDisk::make(&dir.join("cut"), DISK_MIB).map_err(text)?;
        let plan = NetworkPlan {
            validators: 4,
            block_time_ms: None,
        };
        let mut stage = Stage::make(&dir.join("network"), plan)?;
        stage.set_floors(0, 0, 0)?;
        let (home, on_disk) = (dir.join("network/node0"), disk.path().join("node0"));
        move_to(&home, &on_disk)?;
        stage.start_all()?;
        let load = stage.load(seed, OFFERED)?;
        Ok(Self {
            load,
            promised: Vec::new(),
            stage,
            disk,
        })
    }
}

/// Moves a node's directory to a disk.
fn move_to(home: &Path, on_disk: &Path) -> Verdict {
    let moved = Command::new("mv").args([home, on_disk]).status();
    let moved = moved.map_err(text)?;
    if !moved.success() {
        return Err(format!("{} cannot be moved", home.display()));
    }
    // What a node finds at its start must not be lost by this move, whose files nobody synced.
    let synced = Command::new("sync").arg("-f").arg(on_disk).status();
    if !synced.map_err(text)?.success() {
        return Err(format!("{} cannot be synced", on_disk.display()));
    }
    symlink(on_disk, home).map_err(text)
}

//! One of four dies of a cut, and comes back with what its disk had among those that heard it.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use cloverleaf_testnet::disks::CutDisk;
use cloverleaf_testnet::load::{Answers, Load};
use cloverleaf_testnet::process::{Binary, Error};
use cloverleaf_testnet::stage::{Fault, Signatures, Stage, VALIDATORS};

use super::{DISK_MIB, Met, plan, run_command, sync, users, write_for_a_while};

/// A network under load whose node 0 has a disk that can be cut.
pub(super) struct OfFour {
    load: Load,
    signatures: Signatures,
    stage: Stage,
    disk: CutDisk,
}

impl OfFour {
    /// Cuts the disk of node 0 of the network, which is made when there is none; the node dies of it.
    pub(super) fn cut(
        network: &mut Option<Self>,
        binary: &Binary,
        dir: &Path,
        unit: u64,
    ) -> Result<Met, Fault> {
        if network.is_none() {
            *network = Some(Self::make(binary, &dir.join("four"), unit)?);
        }
        let four = network.as_mut().expect("it was just made");
        write_for_a_while(unit);
        let announced = four.take_power(&dir.join("cut-of-four.img"))?;
        // What the others heard of it, and what its disk still knows.
        four.stage.read_all_signatures(&mut four.signatures)?;
        four.stage.check_store(&four.disk.path().join("node0"))?;
        let found = four.stage.restart(0)?.height;
        let answers = four.load.take();
        let unplaced = four.unplaced(&answers);
        four.stage.wait_until_it_takes_part(0)?;
        four.stage.judge_promises(&answers)?;
        four.stage.nobody_signed_twice()?;
        four.stage.read_all_signatures(&mut four.signatures)?;
        let tip = four.stage.seen().tip_of(0);
        Ok(Met {
            announced,
            unplaced: u64::try_from(unplaced).unwrap_or(u64::MAX),
            resigned: tip.saturating_sub(found),
            compared: four.signatures.take_compared(),
        })
    }

    fn make(binary: &Binary, dir: &Path, seed: u64) -> Result<Self, Fault> {
        let _what_a_broken_one_left = std::fs::remove_dir_all(dir);
        let disk = CutDisk::make(&dir.join("cut"), DISK_MIB)?;
        let mut stage = Stage::make(binary, &dir.join("network"), plan(VALIDATORS))?;
        let (home, on_disk) = (dir.join("network/node0"), disk.path().join("node0"));
        move_to(&home, &on_disk)?;
        stage.start_all()?;
        let load = stage.load(users(seed), VALIDATORS)?;
        Ok(Self {
            load,
            signatures: stage.signatures(),
            stage,
            disk,
        })
    }

    /// Cuts the disk, and goes on with the copy; the node is dead. The height that it had announced.
    fn take_power(&mut self, image: &Path) -> Result<u64, Fault> {
        let (disk, nodes) = (&self.disk, self.stage.network());
        let struck = disk.cut(image, || nodes.strike(0))?;
        struck?;
        // It hung in a write that was never to end; now it can die.
        self.stage.kill(0)?;
        self.disk.go_on_with(image)?;
        Ok(self.stage.seen().tip_of(0))
    }

    fn unplaced(&self, answers: &Answers) -> usize {
        let (seen, promised) = (self.stage.seen(), answers.available.iter());
        let unplaced = promised.filter(|told| seen.place_of(&told.name).is_none());
        unplaced.count()
    }
}

/// Moves a node's directory to a disk.
fn move_to(home: &Path, on_disk: &Path) -> Result<(), Fault> {
    run_command(Command::new("mv").args([home, on_disk]))?;
    // What a node finds at its start must not be lost by this move, whose files nobody synced.
    sync(on_disk)?;
    let what = format!("linking {}", home.display());
    Ok(symlink(on_disk, home).map_err(Error::system(what))?)
}

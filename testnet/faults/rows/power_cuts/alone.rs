//! The only validator of a network, and what each cut left of its disk, started beside it.

use std::ffi::OsString;
use std::path::Path;

use cloverleaf_api::State;
use cloverleaf_api::json::Progress;
use cloverleaf_testnet::disks::{CutDisk, LoopDisk};
use cloverleaf_testnet::external::Shown;
use cloverleaf_testnet::load::{Load, Told};
use cloverleaf_testnet::process::{Binary, PortBase, Process, wait_until};
use cloverleaf_testnet::stage::{Fault, SOON, Stage};
use cloverleaf_types::B256;

use super::{DISK_MIB, Met, plan, sync, users, without_floors, write_for_a_while};

/// A node under load, on a disk that can be cut.
pub(super) struct Alone {
    load: Load,
    /// What was promised and was in no block when it was last looked.
    open: Vec<Told>,
    stage: Stage,
    disk: CutDisk,
}

/// What had left the node before a cut.
struct Left {
    hashes: Vec<B256>,
    unplaced: Vec<Told>,
    shown: Shown,
}

impl Alone {
    /// Cuts the disk of the network, which is made when there is none, and judges what is left.
    pub(super) fn cut(
        network: &mut Option<Self>,
        binary: &Binary,
        dir: &Path,
        unit: u64,
    ) -> Result<Met, Fault> {
        if network.is_none() {
            *network = Some(Self::make(binary, &dir.join("alone"), unit)?);
        }
        let alone = network.as_mut().expect("it was just made");
        write_for_a_while(unit);
        let image = dir.join("cut.img");
        let left = alone.take_power(&image)?;
        let disk = LoopDisk::attach(&image, &dir.join("cut"))?;
        let home = disk.path().join("network/node0");
        // The original goes on and may sign otherwise: only what had left it, or is on the disk, binds.
        let mut signatures = alone.stage.signatures();
        signatures.compare(&left.shown)?;
        signatures.read(&home.join("journal"))?;
        let ports = PortBase::free()?;
        let resigned = alone.judge(&home, dir, &ports, &left)?;
        // A start cuts off what the power cut kept a part of.
        alone.stage.check_store(&home)?;
        signatures.read(&home.join("journal"))?;
        Ok(Met {
            announced: u64::try_from(left.hashes.len()).unwrap_or(u64::MAX),
            unplaced: u64::try_from(left.unplaced.len()).unwrap_or(u64::MAX),
            resigned,
            compared: signatures.compared(),
        })
    }

    fn make(binary: &Binary, dir: &Path, seed: u64) -> Result<Self, Fault> {
        let _what_a_broken_one_left = std::fs::remove_dir_all(dir);
        let disk = CutDisk::make(dir, DISK_MIB)?;
        let mut stage = Stage::make(binary, &disk.path().join("network"), plan(1))?;
        sync(disk.path())?;
        stage.start_all()?;
        let load = stage.load(users(seed), 1)?;
        Ok(Self {
            load,
            open: Vec::new(),
            stage,
            disk,
        })
    }

    /// Copies the disk; what had left the node by then.
    fn take_power(&mut self, image: &Path) -> Result<Left, Fault> {
        let (load, stage, open) = (&self.load, &self.stage, &mut self.open);
        let left = self.disk.cut(image, || {
            // Nothing becomes durable before the cut is over, so all of this was.
            let seen = stage.seen();
            let hashes = (1..=seen.tip_of(0)).map(|height| seen.hash(height));
            let hashes: Vec<B256> = hashes.collect::<Option<_>>().unwrap_or_default();
            open.extend(load.take().available);
            open.retain(|told| seen.place_of(&told.name).is_none());
            Left {
                hashes,
                unplaced: open.clone(),
                shown: seen.shown(),
            }
        });
        self.stage.check()?;
        Ok(left?)
    }

    /// Starts a node on what is left: it has all that was announced, goes on signing, and keeps what
    /// was promised. How many heights it signed.
    fn judge(&self, home: &Path, dir: &Path, ports: &PortBase, left: &Left) -> Result<u64, Fault> {
        let words = ["node", "--home"].map(OsString::from);
        let base = format!("--port_base={}", ports.number());
        let flags = without_floors().into_iter().chain([base]);
        let arguments = words
            .into_iter()
            .chain([home.into()])
            .chain(flags.map(OsString::from));
        let binary = self.stage.binary();
        let mut process = Process::start(binary, "cut", dir, arguments)?;
        let ready = process.ready()?;
        let found = ready["height"].as_u64().unwrap_or(0);
        let url = ports.http_url(0);
        for (height, hash) in (1..).zip(&left.hashes) {
            let there = self.stage.hash_at(&url, height)?;
            if there != Some(*hash) {
                return Err(Fault::broken(format!(
                    "block {height} was announced as {hash}; the disk has {found} heights, and \
                     {there:?} there"
                )));
            }
        }
        let mut tip = 0;
        let goes_on = wait_until("a height signed after the cut", SOON, || {
            tip = self.stage.height_at(&url).unwrap_or(0);
            tip > found
        });
        goes_on.map_err(|late| {
            let log = process.log();
            Fault::broken(format!("{late}; it says:\n{log}"))
        })?;
        let mut open = left.unplaced.clone();
        let kept = wait_until("every promise is kept", SOON, || {
            open.retain(|told| {
                let progress = self.stage.progress(&url, &told.name).ok().flatten();
                let is_placed = |it: &Progress| it.state == State::Committed;
                let is_told = |it: &Progress| it.state.is_final() && it.reason.is_some();
                !progress.is_some_and(|it| is_placed(&it) || is_told(&it))
            });
            open.is_empty()
        });
        kept.map_err(|late| {
            let (count, first) = (open.len(), &open[0]);
            Fault::broken(format!("{late}; {count} are lost, such as {first:?}"))
        })?;
        process.kill()?;
        Ok(tip - found)
    }
}

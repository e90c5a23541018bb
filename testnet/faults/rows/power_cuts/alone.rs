//! The only validator of a network, and what each cut left of its disk, started beside it.

use std::path::Path;

use cloverleaf_client::RpcClient;
use cloverleaf_testnet::disks::{CutDisk, LoopDisk};
use cloverleaf_testnet::load::{Load, Told};
use cloverleaf_testnet::process::{NetworkPlan, PortBase, Process, wait_until};
use cloverleaf_types::B256;

use super::{DISK_MIB, Met, OFFERED, write_for_a_while};
use crate::stage::{SOON, Stage, Verdict, text};

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
}

impl Alone {
    /// Cuts the disk of the network, which is made when there is none, and judges what is left.
    pub(super) fn cut(network: &mut Option<Self>, dir: &Path, unit: u64) -> Verdict<Met> {
        if network.is_none() {
            *network = Some(Self::make(&dir.join("alone"), unit)?);
        }
        let alone = network.as_mut().expect("it was just made");
        write_for_a_while(unit);
        let image = dir.join("cut.img");
        let left = alone.take_power(&image)?;
        let disk = LoopDisk::attach(&image, &dir.join("cut")).map_err(text)?;
        let home = disk.path().join("network/node0");
        alone.stage.check_store(&home)?;
        let ports = PortBase::free().map_err(text)?;
        let resigned = alone.judge(&home, dir, ports, &left)?;
        Ok(Met {
            announced: u64::try_from(left.hashes.len()).unwrap_or(u64::MAX),
            unplaced: u64::try_from(left.unplaced.len()).unwrap_or(u64::MAX),
            resigned,
        })
    }

    fn make(dir: &Path, seed: u64) -> Verdict<Self> {
        let _what_a_broken_one_left = std::fs::remove_dir_all(dir);
        let disk = CutDisk::make(dir, DISK_MIB).map_err(text)?;
        let plan = NetworkPlan {
            validators: 1,
            block_time_ms: None,
        };
        let mut stage = Stage::make(&disk.path().join("network"), plan)?;
        stage.set_floors(0, 0, 0)?;
        stage.start_all()?;
        let load = stage.load(seed, OFFERED)?;
        Ok(Self {
            load,
            open: Vec::new(),
            stage,
            disk,
        })
    }

    /// Copies the disk; what had left the node by then.
    fn take_power(&mut self, image: &Path) -> Verdict<Left> {
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
            }
        });
        self.stage.check()?;
        left.map_err(text)
    }

    /// Starts a node on what is left: it has all that was announced, goes on signing, and keeps what
    /// was promised. How many heights it signed.
    fn judge(&self, home: &Path, dir: &Path, ports: PortBase, left: &Left) -> Verdict<u64> {
        let base = ports.number().to_string();
        let arguments: [&std::ffi::OsStr; 5] = [
            "node".as_ref(),
            "--home".as_ref(),
            home.as_os_str(),
            "--port_base".as_ref(),
            base.as_ref(),
        ];
        let binary = self.stage.binary();
        let mut process = Process::start(binary, "cut", dir, arguments).map_err(text)?;
        let ready = process.ready().map_err(text)?;
        let found = ready["height"].as_u64().unwrap_or(0);
        let url = ports.http_url(0);
        let client = RpcClient::new(&url).map_err(text)?;
        for (height, hash) in (1..).zip(&left.hashes) {
            let there = self.stage.hash_at(&client, height)?;
            if there != Some(*hash) {
                return Err(format!(
                    "block {height} was announced as {hash}; the disk has {found} heights, and \
                     {there:?} there"
                ));
            }
        }
        let mut tip = 0;
        let goes_on = wait_until("a height signed after the cut", SOON, || {
            let info = self.stage.runtime().block_on(client.network_info());
            tip = info.map_or(0, |info| info.height.0);
            tip > found
        });
        goes_on.map_err(|late| format!("{late}; it says:\n{}", process.log()))?;
        let mut open = left.unplaced.clone();
        let kept = wait_until("every promise is kept", SOON, || {
            open.retain(|told| {
                let progress = self.stage.progress(&url, &told.name);
                !progress.is_some_and(|it| it.state.is_final())
            });
            open.is_empty()
        });
        kept.map_err(|late| format!("{late}; {} are lost, such as {:?}", open.len(), open[0]))?;
        process.kill().map_err(text)?;
        Ok(tip - found)
    }
}

//! A disk that fills under one of four (D6): it takes nothing in, then writes nothing, and goes on by
//! itself when there is room; the others do not wait for it. Filled at once, it may die of it instead.

use std::fs;
use std::ops::Range;
use std::os::unix::fs::symlink;
use std::path::Path;

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_testnet::disks::{LoopDisk, lacking};
use cloverleaf_testnet::load::{Answer, Answers, Load, Plan, Wallet};
use cloverleaf_testnet::process::{Binary, Error, Stopwatch, get, wait_until};
use cloverleaf_testnet::stage::{CHAINS, Dir, Fault, SOON, Stage, StagePlan, VALIDATORS};

use crate::row::{Counts, Ended, Row, Tally};

pub(crate) const ROW: Row = Row {
    name: "disk_full",
    unit: "disks filled past both floors, emptied, and filled at once",
    counts: Counts {
        short: 1,
        long: 3,
        full: 10,
        slice: 1,
    },
    run,
};

/// Whose disk fills.
const NODE: usize = 3;

const MIB: u64 = 1024 * 1024;

/// Size of its disk, in MiB: 75 are taken by an empty store.
const DISK_MIB: u64 = 512;

/// The floors of all nodes, in bytes: the usual ones are above all that a small disk has.
const SOFT_FLOOR_BYTES: u64 = 200 * MIB;
const HARD_FLOOR_BYTES: u64 = 100 * MIB;

/// What is left when a floor is passed, in bytes: half-way to what is below.
const BELOW_SOFT_BYTES: u64 = 150 * MIB;
const BELOW_HARD_BYTES: u64 = 50 * MIB;

/// What a disk without room may still take, in bytes: what RocksDB does by itself, and its log.
const BY_ITSELF_BYTES: u64 = 8 * MIB;

/// Blocks that the others decide meanwhile: every proposer's turn comes four times.
const BLOCKS_WITHOUT: u64 = 16;

/// What users offer in a second: transactions and bundles.
const OFFERED: (usize, usize) = (100, 4);

/// The exit code of a node whose durable write failed.
const DISK_EXIT: i32 = 70;

/// A network under load, one of whose nodes has a disk of its own.
struct Filled {
    load: Load,
    answers: Answers,
    stage: Stage,
    disk: LoopDisk,
}

fn run(units: Range<u64>) -> Ended {
    let found = Binary::find().and_then(|binary| {
        let dir = Dir::beside_executable("faults-disk-full")?;
        Ok((binary, dir))
    });
    let (binary, dir) = match found {
        Ok(found) => found,
        Err(missing) => return Ended::Skipped(missing.to_string()),
    };
    if let Some(reason) = lacking(&["losetup", "mkfs.ext4", "fallocate"], dir.path()) {
        return Ended::Skipped(reason);
    }
    let mut tally = Tally::default();
    for unit in units {
        let filled = fill_one(
            &binary,
            &dir.path().join(unit.to_string()),
            unit,
            &mut tally,
        );
        if let Err(what) = filled {
            tally.break_at(unit, what);
        }
    }
    Ended::Done(tally)
}

fn fill_one(binary: &Binary, dir: &Path, unit: u64, tally: &mut Tally) -> Result<(), Fault> {
    let mut network = Filled::make(binary, dir, unit)?;
    network.pass_the_soft_floor(unit)?;
    tally.meet("soft floors passed", 1);
    tally.meet(
        "blocks of the others below a hard floor",
        network.pass_the_hard_floor()?,
    );
    let watch = Stopwatch::start();
    network.make_room()?;
    let back = format!("{:.1}", watch.elapsed().as_secs_f64());
    tally.figure("seconds until it is back", back);
    let died = network.fill_at_once()?;
    tally.meet("disks filled at once", 1);
    let died = if died { "died" } else { "stopped in time" };
    tally.figure("filled at once, it", died);
    let promised = network.answers.available.len();
    tally.meet(
        "promises, all kept",
        u64::try_from(promised).unwrap_or(u64::MAX),
    );
    network.end()
}

/// Journals and store on the small disk; the log of the process is not.
fn move_to(home: &Path, disk: &Path) -> std::io::Result<()> {
    for part in ["journal", "db"] {
        let (here, there) = (home.join(part), disk.join(part));
        fs::create_dir(&there)?;
        for file in fs::read_dir(&here).into_iter().flatten() {
            let file = file?;
            fs::copy(file.path(), there.join(file.file_name()))?;
        }
        let _is_not_there_yet = fs::remove_dir_all(&here);
        symlink(&there, &here)?;
    }
    Ok(())
}

impl Filled {
    fn make(binary: &Binary, dir: &Path, seed: u64) -> Result<Self, Fault> {
        let what = || format!("making {}", dir.display());
        fs::create_dir_all(dir).map_err(Error::system(what()))?;
        let disk = LoopDisk::make(&dir.join("disk.img"), DISK_MIB, &dir.join("disk"))?;
        let floors = [("soft", SOFT_FLOOR_BYTES), ("hard", HARD_FLOOR_BYTES)];
        let flags = floors.map(|(name, bytes)| format!("--store.disk_{name}_floor_bytes={bytes}"));
        let plan = StagePlan {
            flags: flags.to_vec(),
            ..StagePlan::default()
        };
        let mut stage = Stage::make(binary, &dir.join("network"), plan)?;
        let home = dir.join(format!("network/node{NODE}"));
        move_to(&home, disk.path()).map_err(Error::system(what()))?;
        stage.start_all()?;
        let load = stage.load(Plan::of_rates(seed, OFFERED.0, OFFERED.1), VALIDATORS)?;
        Ok(Self {
            load,
            answers: Answers::default(),
            stage,
            disk,
        })
    }

    /// It refuses what is new, says so, and goes on voting.
    fn pass_the_soft_floor(&mut self, unit: u64) -> Result<(), Fault> {
        self.disk.fill("some", BELOW_SOFT_BYTES)?;
        self.wait_until_unready("store.disk_soft_floor_bytes")?;
        // No load has such a seed.
        let signed = Wallet::seeded(!unit, NODE, 0).transfer(CHAINS[0], 0);
        match self.stage.answer(NODE, &signed, Wait::Received) {
            Answer::Refused(reason) if reason == "diskLow" => {}
            other => {
                let what = format!("below its soft floor it says {other:?}");
                return Err(Fault::broken(what));
            }
        }
        let tip = self.stage.seen().tip();
        self.stage.wait("it follows below its soft floor", |seen| {
            seen.tip_of(NODE) >= tip + BLOCKS_WITHOUT
        })
    }

    /// It writes nothing and serves what it has; the others go on, so many blocks.
    fn pass_the_hard_floor(&mut self) -> Result<u64, Fault> {
        self.disk.fill("more", BELOW_HARD_BYTES)?;
        self.wait_until_unready("store.disk_hard_floor_bytes")?;
        let url = self.stage.http_url(NODE);
        let (others, free) = (self.stage.seen().tip(), self.disk.free_bytes()?);
        // A block may have been on its way to the disk.
        let limit = self.stage.height_at(&url)? + 1;
        self.stage.wait("the others go on", |seen| {
            seen.tip() >= others + BLOCKS_WITHOUT
        })?;
        let height = self.stage.height_at(&url)?;
        if height > limit {
            let what = format!("it went on to {height} below its hard floor");
            return Err(Fault::broken(what));
        }
        let left = self.disk.free_bytes()?;
        if left + BY_ITSELF_BYTES < free {
            return Err(Fault::broken(format!("it wrote {} bytes", free - left)));
        }
        // It serves what it has.
        let known = self.stage.seen().hash(height);
        if self.stage.hash_at(&url, height)? != known {
            return Err(Fault::broken(format!("it has another block {height}")));
        }
        self.stage.check()?;
        Ok(self.stage.seen().tip() - height)
    }

    /// It comes back by itself.
    fn make_room(&mut self) -> Result<(), Fault> {
        self.disk.empty("more")?;
        self.disk.empty("some")?;
        self.wait_until_ready()?;
        self.stage.wait_until_it_takes_part(NODE)
    }

    /// Nobody can stop in time for this: it writes no more, or ends as after any failed write. True if
    /// it ended; it is started again then.
    fn fill_at_once(&mut self) -> Result<bool, Fault> {
        self.disk.fill_up("all")?;
        let tip = self.stage.seen().tip();
        let ended = self
            .stage
            .wait_while_it_may_end(NODE, "the others go on", |seen| {
                seen.tip() >= tip + BLOCKS_WITHOUT
            })?;
        self.disk.empty("all")?;
        if let Some(status) = ended {
            self.stage.end_life(NODE);
            if status.code() != Some(DISK_EXIT) {
                let what = format!("a full disk ended it with {status}");
                return Err(Fault::broken(what));
            }
            self.stage.restart(NODE)?;
        }
        self.wait_until_ready()?;
        self.stage.wait_until_it_takes_part(NODE)?;
        self.answers = self.load.take();
        self.stage.judge_promises(&self.answers)?;
        Ok(ended.is_some())
    }

    /// All that was promised is there, nobody signed twice, and the store is whole.
    fn end(mut self) -> Result<(), Fault> {
        let answers = self.stage.runtime().block_on(self.load.stop());
        self.stage.judge_promises(&answers)?;
        self.stage.nobody_signed_twice()?;
        self.stage.wait_until_all_agree()?;
        self.stage.stop(NODE)?;
        let mut signatures = self.stage.signatures();
        self.stage.read_all_signatures(&mut signatures)?;
        let home = self.stage.network().dir().join(format!("node{NODE}"));
        self.stage.check_store(&home)
    }

    fn wait_until_unready(&mut self, why: &str) -> Result<(), Fault> {
        self.wait_for_readiness(|status, body| status == 503 && body.contains(why))
    }

    fn wait_until_ready(&mut self) -> Result<(), Fault> {
        self.wait_for_readiness(|status, _| status == 200)
    }

    fn wait_for_readiness(&mut self, is_so: impl Fn(u16, &str) -> bool) -> Result<(), Fault> {
        let url = self.stage.network().metrics_url(NODE);
        let mut last = String::new();
        let waited = wait_until("what /readyz should say", SOON, || {
            let Ok((status, body)) = get(&url, "/readyz") else {
                return false;
            };
            let so = is_so(status, &body);
            last = body;
            so
        });
        waited.map_err(|late| Fault::broken(format!("{late}; it says {last}")))
    }
}

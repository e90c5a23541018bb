//! A disk that fills under one of four (D6): it takes nothing in, then writes nothing, and goes on by
//! itself when there is room; the others do not wait for it. Filled at once, it may die of it instead.

use std::fs;
use std::ops::Range;
use std::os::unix::fs::symlink;
use std::path::Path;

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_client::RpcClient;
use cloverleaf_testnet::disks::{LoopDisk, lacking};
use cloverleaf_testnet::load::{Answer, Load, Told};
use cloverleaf_testnet::process::{NetworkPlan, Stopwatch, get, wait_until};

use crate::row::{Counts, Ended, Row, Tally};
use crate::stage::{Dir, SOON, Stage, Verdict, text};

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

/// Its floors, in bytes.
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
    promised: Vec<Told>,
    stage: Stage,
    disk: LoopDisk,
}

fn run(units: Range<u64>) -> Ended {
    let dir = match Dir::new("disk-full") {
        Ok(dir) => dir,
        Err(reason) => return Ended::Skipped(reason),
    };
    if let Some(reason) = lacking(&["losetup", "mkfs.ext4", "fallocate"], dir.path()) {
        return Ended::Skipped(reason);
    }
    let mut tally = Tally::default();
    for unit in units {
        let filled = fill_one(&dir.path().join(unit.to_string()), unit, &mut tally);
        if let Err(what) = filled {
            tally.break_at(unit, what);
        }
    }
    Ended::Done(tally)
}

fn fill_one(dir: &Path, unit: u64, tally: &mut Tally) -> Verdict {
    let mut network = Filled::make(dir, unit)?;
    network.pass_the_soft_floor(unit)?;
    tally.meet("soft floors passed", 1);
    tally.meet(
        "blocks of the others below a hard floor",
        network.pass_the_hard_floor()?,
    );
    let watch = Stopwatch::start();
    network.make_room(unit)?;
    let back = format!("{:.1}", watch.elapsed().as_secs_f64());
    tally
        .figures
        .insert("seconds until it is back".to_owned(), back);
    let died = network.fill_at_once(unit)?;
    tally.meet("disks filled at once", 1);
    let died = if died { "died" } else { "stopped in time" };
    tally
        .figures
        .insert("filled at once, it".to_owned(), died.to_owned());
    let promised = network.promised.len();
    tally.meet(
        "promises, all kept",
        u64::try_from(promised).unwrap_or(u64::MAX),
    );
    network.end()
}

impl Filled {
    fn make(dir: &Path, seed: u64) -> Verdict<Self> {
        fs::create_dir_all(dir).map_err(text)?;
        let disk = LoopDisk::make(&dir.join("disk.img"), DISK_MIB, &dir.join("disk"));
        let disk = disk.map_err(text)?;
        let plan = NetworkPlan {
            validators: 4,
            block_time_ms: None,
        };
        let mut stage = Stage::make(&dir.join("network"), plan)?;
        let home = dir.join(format!("network/node{NODE}"));
        // Journals and store on the small disk; the log of the process is not.
        for part in ["journal", "db"] {
            let (here, there) = (home.join(part), disk.path().join(part));
            fs::create_dir(&there).map_err(text)?;
            for file in fs::read_dir(&here).into_iter().flatten() {
                let file = file.map_err(text)?;
                fs::copy(file.path(), there.join(file.file_name())).map_err(text)?;
            }
            let _is_not_there_yet = fs::remove_dir_all(&here);
            symlink(&there, &here).map_err(text)?;
        }
        stage.set_floors(NODE, SOFT_FLOOR_BYTES, HARD_FLOOR_BYTES)?;
        stage.start_all()?;
        let load = stage.load(seed, OFFERED)?;
        Ok(Self {
            load,
            promised: Vec::new(),
            stage,
            disk,
        })
    }

    /// It refuses what is new, says so, and goes on voting.
    fn pass_the_soft_floor(&mut self, unit: u64) -> Verdict {
        self.disk.fill("some", BELOW_SOFT_BYTES).map_err(text)?;
        self.wait_until_unready("store.disk_soft_floor_bytes")?;
        let answer = self.stage.submit(NODE, 1 << 33 | unit, Wait::Received)?;
        match answer {
            Answer::Refused(reason) if reason == "diskLow" => {}
            other => return Err(format!("below its soft floor it says {other:?}")),
        }
        let tip = self.stage.seen().tip();
        self.stage.wait("it follows below its soft floor", |seen| {
            seen.tip_of(NODE) >= tip + BLOCKS_WITHOUT
        })
    }

    /// It writes nothing and serves what it has; the others go on, so many blocks.
    fn pass_the_hard_floor(&mut self) -> Verdict<u64> {
        self.disk.fill("more", BELOW_HARD_BYTES).map_err(text)?;
        self.wait_until_unready("store.disk_hard_floor_bytes")?;
        let url = self.stage.network.http_url(NODE);
        let client = RpcClient::new(&url).map_err(text)?;
        let (others, free) = (
            self.stage.seen().tip(),
            self.disk.free_bytes().map_err(text)?,
        );
        // A block may have been on its way to the disk.
        let limit = self.height(&client)? + 1;
        self.stage.wait("the others go on", |seen| {
            seen.tip() >= others + BLOCKS_WITHOUT
        })?;
        let height = self.height(&client)?;
        if height > limit {
            return Err(format!("it went on to {height} below its hard floor"));
        }
        let left = self.disk.free_bytes().map_err(text)?;
        if left + BY_ITSELF_BYTES < free {
            return Err(format!("it wrote {} bytes", free - left));
        }
        // It serves what it has.
        let known = self.stage.seen().hash(height);
        if self.stage.hash_at(&client, height)? != known {
            return Err(format!("it has another block {height}"));
        }
        self.stage.network.check().map_err(text)?;
        Ok(self.stage.seen().tip() - height)
    }

    /// It comes back by itself.
    fn make_room(&mut self, unit: u64) -> Verdict {
        self.disk.empty("more").map_err(text)?;
        self.disk.empty("some").map_err(text)?;
        self.wait_until_ready()?;
        self.stage.wait_until_it_takes_part(NODE, 2 << 33 | unit)?;
        self.stage.network.check().map_err(text)
    }

    /// Nobody can stop in time for this: it writes no more, or ends as after any failed write. True if
    /// it ended; it is started again then.
    fn fill_at_once(&mut self, unit: u64) -> Verdict<bool> {
        self.disk.fill("all", 0).map_err(text)?;
        let tip = self.stage.seen().tip();
        self.stage.wait("the others go on", |seen| {
            seen.tip() >= tip + BLOCKS_WITHOUT
        })?;
        let ended = self.stage.network.has_ended(NODE).map_err(text)?;
        self.disk.empty("all").map_err(text)?;
        if let Some(status) = ended {
            self.stage.end_life(NODE);
            if status.code() != Some(DISK_EXIT) {
                return Err(format!("a full disk ended it with {status}"));
            }
            self.stage.start(NODE)?;
        }
        self.wait_until_ready()?;
        self.stage.wait_until_it_takes_part(NODE, 3 << 33 | unit)?;
        self.promised.extend(self.load.take().available);
        self.stage.keep(&self.promised)?;
        Ok(ended.is_some())
    }

    /// All that was promised is there, nobody signed twice, and the store is whole.
    fn end(mut self) -> Verdict {
        let answers = self.stage.runtime().block_on(self.load.stop());
        self.promised.extend(answers.available);
        self.stage.keep(&self.promised)?;
        self.stage.nobody_signed_twice()?;
        self.stage.check()?;
        let stopped = self.stage.network.stop(NODE).map_err(text)?;
        if stopped.code() != Some(0) {
            return Err(format!("it stopped with {stopped}"));
        }
        let home = self.stage.network.dir().join(format!("node{NODE}"));
        self.stage.check_store(&home)
    }

    fn height(&self, client: &RpcClient) -> Verdict<u64> {
        let info = self.stage.runtime().block_on(client.network_info());
        Ok(info.map_err(text)?.height.0)
    }

    fn wait_until_unready(&self, why: &str) -> Verdict {
        self.wait_for_readiness(|status, body| status == 503 && body.contains(why))
    }

    fn wait_until_ready(&self) -> Verdict {
        self.wait_for_readiness(|status, _| status == 200)
    }

    fn wait_for_readiness(&self, is_so: impl Fn(u16, &str) -> bool) -> Verdict {
        let url = self.stage.network.metrics_url(NODE);
        let mut last = String::new();
        let waited = wait_until("what /readyz should say", SOON, || {
            let Ok((status, body)) = get(&url, "/readyz") else {
                return false;
            };
            let so = is_so(status, &body);
            last = body;
            so
        });
        waited.map_err(|late| format!("{late}; it says {last}"))
    }
}

//! A network that runs for long, as fast as it can: what each process takes of its machine stays flat.

use std::ops::Range;
use std::time::Duration;

use cloverleaf_testnet::load::{Group, Plan};
use cloverleaf_testnet::process::{Usage, folder_bytes};
use cloverleaf_testnet::stage::{Fault, StagePlan, VALIDATORS};

use crate::ground::{Ground, Play, play};
use crate::row::{Counts, Ended, Row, Tally};
use crate::slope::Slope;

pub(crate) const ROW: Row = Row {
    name: "soak",
    unit: "height of a network under steady load",
    counts: Counts {
        short: 1_500,
        long: 43_200,
        full: 86_400,
        slice: 86_400,
    },
    run,
};

/// How many looks a run has.
const LOOKS: u64 = 200;

/// Of these, how many are not judged: caches and buffers fill up to their limits.
const WARM_UP_LOOKS: usize = 100;

/// The steepest that memory may grow, in MiB over [`PER_HEIGHTS`].
const GROWTH_MAX_MIB: f64 = 1.0;

/// What nodes may take for each of what fills up with time: little, so that all of it is full when the
/// warm-up is over.
const BUFFER_BYTES: u64 = 4 * 1_024 * 1_024;

/// How many ends and senders authors may remember, for the same reason.
const REMEMBERED_MAX: u64 = 1_000;

/// How many heights nodes keep: with more blocks there are more tables, each of which takes a file and
/// some memory while it is open, up to the store's own limit.
const KEEP_HEIGHTS: u64 = 2_000;

/// Growth is told per so many heights.
const PER_HEIGHTS: f64 = 10_000.0;

/// How many more descriptors, threads or tasks than after the warm-up may be there at the end: connections of
/// those who look come and go, and so do tables.
const MORE_MAX: u64 = 16;

/// How long the heights between two looks may take: a hundred times what they do.
const LOOK_TIMEOUT: Duration = Duration::from_secs(600);

const MIB: f64 = 1_048_576.0;

/// What was seen of one node at one height.
#[derive(Clone, Copy, Debug)]
struct Look {
    height: u64,
    usage: Usage,
    /// Of its runtime.
    tasks: u64,
    disk_bytes: u64,
}

#[derive(Default)]
struct Soak {
    heights: u64,
    /// Of each node.
    looks: Vec<Vec<Look>>,
}

fn run(units: Range<u64>) -> Ended {
    let mut soak = Soak {
        heights: units.end - units.start,
        looks: vec![Vec::new(); VALIDATORS],
    };
    let ended = play(&mut soak, units.start..units.start + 1);
    let Ended::Done(mut tally) = ended else {
        return ended;
    };
    if !tally.violations.is_empty() {
        tally.stop_before(units.start + 1);
    }
    for (node, looks) in soak.looks.iter().enumerate() {
        judge(node, looks, units.clone(), &mut tally);
    }
    Ended::Done(tally)
}

/// A transaction for every block or two, and a bundle now and then.
fn users(seed: u64) -> Plan {
    let group = |workers, interval_ms| Group {
        workers,
        interval_ms,
    };
    Plan {
        seed,
        transfers: group(4, 100),
        batches: group(0, 1_000),
        twice: group(1, 1_000),
        bundles: group(2, 1_000),
    }
}

impl Play for Soak {
    type On = Ground;

    fn begin(&mut self, unit: u64) -> Result<Ground, Fault> {
        let plan = StagePlan {
            block_time_ms: Some(0),
            flags: vec![
                format!("--store.cache_bytes={BUFFER_BYTES}"),
                format!("--store.write_buffers_bytes={BUFFER_BYTES}"),
                format!("--streams.recent_bytes={BUFFER_BYTES}"),
                format!("--pool.ended_max={REMEMBERED_MAX}"),
                format!("--pool.senders_max={REMEMBERED_MAX}"),
                format!("--store.keep_heights={KEEP_HEIGHTS}"),
            ],
            ..StagePlan::default()
        };
        Ground::start("soak", plan, users(unit))
    }

    fn once(&mut self, on: &mut Ground, _: u64, tally: &mut Tally) -> Result<u64, Fault> {
        let first = on.stage.seen().tip();
        for look in 1..=LOOKS {
            let height = first + self.heights * look / LOOKS;
            on.stage
                .wait_for(LOOK_TIMEOUT, "the next height to look at", |seen| {
                    seen.tip() >= height
                })?;
            for node in 0..VALIDATORS {
                self.look(on, node)?;
            }
            // Promises are judged on the way: what is kept of them does not grow.
            let answers = on.take_answers();
            tally.meet(
                "promises",
                u64::try_from(answers.available.len()).unwrap_or(0),
            );
            on.stage.judge_promises(&answers)?;
        }
        Ok(1)
    }

    fn end(&mut self, on: &mut Ground, tally: &mut Tally) -> Result<(), Fault> {
        on.end(tally)
    }

    fn keep(&mut self, on: &mut Ground) {
        on.keep();
    }
}

impl Soak {
    fn look(&mut self, on: &mut Ground, node: usize) -> Result<(), Fault> {
        let height = on.stage.seen().tip();
        let process = on.stage.network().process_id(node);
        let process = process.ok_or_else(|| Fault::broken(format!("node {node} is down")))?;
        let home = on.stage.network().dir().join(format!("node{node}"));
        let tasks = on.stage.network().metric(node, "cloverleaf_node_tasks");
        let look = Look {
            height,
            usage: Usage::of(process)?,
            tasks: tasks
                .ok_or_else(|| Fault::broken(format!("node {node} does not tell its tasks")))?,
            disk_bytes: folder_bytes(&home),
        };
        if std::env::var_os("CLOVERLEAF_LOOKS").is_some() {
            eprintln!("{node} {look:?}");
        }
        self.looks[node].push(look);
        Ok(())
    }
}

/// Judges a run that is long enough to say something; a short one only tells.
fn judge(node: usize, looks: &[Look], units: Range<u64>, tally: &mut Tally) {
    let (Some(begun), Some(last)) = (looks.get(WARM_UP_LOOKS), looks.last()) else {
        return;
    };
    let warm = &looks[WARM_UP_LOOKS..];
    let slope_of = |of: fn(&Look) -> u64| slope(warm, of);
    let (memory, disk) = (
        slope_of(|it| it.usage.memory_bytes),
        slope_of(|it| it.disk_bytes),
    );
    if let (Some(memory), Some(disk)) = (memory, disk) {
        let told = format!(
            "memory {:.0} MiB {:+.2} ± {:.2}, disk {:+.2} MiB per 10,000 heights, {} to {} \
             descriptors, {} to {} threads, {} to {} tasks",
            mib(last.usage.memory_bytes),
            memory.rise,
            memory.bound,
            disk.rise,
            begun.usage.descriptors,
            last.usage.descriptors,
            begun.usage.threads,
            last.usage.threads,
            begun.tasks,
            last.tasks,
        );
        tally.figure(&format!("node {node}"), told);
        let is_judged = units.end - units.start >= ROW.counts.long;
        if is_judged && memory.high() > GROWTH_MAX_MIB {
            tally.break_at(
                units.start,
                format!("node {node} may grow by {:.2} MiB", memory.high()),
            );
        }
    }
    for (what, before, after) in [
        (
            "descriptors",
            begun.usage.descriptors,
            last.usage.descriptors,
        ),
        ("threads", begun.usage.threads, last.usage.threads),
        ("tasks", begun.tasks, last.tasks),
    ] {
        if after > before + MORE_MAX {
            tally.break_at(
                units.start,
                format!("node {node} has {after} {what}, and had {before}"),
            );
        }
    }
}

/// In MiB per 10,000 heights.
fn slope(looks: &[Look], of: fn(&Look) -> u64) -> Option<Slope> {
    let point = |look: &Look| {
        let height = f64::from(u32::try_from(look.height).unwrap_or(u32::MAX));
        (height / PER_HEIGHTS, mib(of(look)))
    };
    let points: Vec<(f64, f64)> = looks.iter().map(point).collect();
    Slope::through(&points)
}

fn mib(bytes: u64) -> f64 {
    let kib = u32::try_from(bytes / 1_024).unwrap_or(u32::MAX);
    f64::from(kib) * 1_024.0 / MIB
}

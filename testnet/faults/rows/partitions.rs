//! Links that are cut, lossy or slow, and nodes that stand still: whoever has a quorum goes on, nobody
//! else announces a block, and ten seconds after the repair all go on together.

mod breaks;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use cloverleaf_testnet::links::Links;
use cloverleaf_testnet::process::Stopwatch;
use cloverleaf_testnet::stage::{Fault, StagePlan, VALIDATORS};

use breaks::{Break, KINDS, Kind};

use crate::ground::{Ground, Play, play, users};
use crate::measured::Measured;
use crate::row::{Counts, Ended, Row, Tally};

pub(crate) const ROW: Row = Row {
    name: "partitions",
    unit: "partition, loss, delay or standstill of real nodes, and its repair",
    counts: Counts {
        short: 5,
        long: 24,
        full: 100,
        slice: 25,
    },
    run,
};

/// Shortest time between two blocks, in milliseconds.
const BLOCK_TIME_MS: u64 = 100;

/// How long it may take after the repair until every node has a new block.
const HEAL_MAX: Duration = Duration::from_secs(10);

struct Field {
    ground: Ground,
    /// Goes after the processes in it.
    links: Links,
}

#[derive(Default)]
struct Partitions {
    /// From the repair to when every node has a new block.
    heals: Measured,
    kinds: BTreeMap<Kind, u64>,
    /// This kernel can hold packets back.
    can_delay: bool,
}

fn run(units: Range<u64>) -> Ended {
    if let Some(missing) = Links::lacking() {
        return Ended::Skipped(missing);
    }
    let delayed = Links::new(2).and_then(|links| links.delay(0, 1));
    if let Err(missing) = &delayed {
        eprintln!("SKIPPED: DELAYS OF PACKETS WERE NOT TESTED: {missing}");
    }
    let is_long = units.end - units.start >= ROW.counts.long;
    let mut partitions = Partitions {
        can_delay: delayed.is_ok(),
        ..Partitions::default()
    };
    let ended = play(&mut partitions, units);
    let Ended::Done(mut tally) = ended else {
        return ended;
    };
    for kind in KINDS {
        let times = partitions.kinds.remove(&kind);
        if kind == Kind::Delayed && !partitions.can_delay {
            tally.figure("breaks Delayed", "not tested: no NFQUEUE");
            continue;
        }
        if is_long || times.is_some() {
            tally.meet(&format!("breaks {kind:?}"), times.unwrap_or(0));
        }
    }
    tally.figure("heal", partitions.heals.told());
    Ended::Done(tally)
}

impl Play for Partitions {
    type On = Field;

    fn begin(&mut self, unit: u64) -> Result<Field, Fault> {
        let links = Links::new(VALIDATORS)?;
        let plan = StagePlan {
            block_time_ms: Some(BLOCK_TIME_MS),
            hosts: links.hosts().to_vec(),
            ..StagePlan::default()
        };
        let ground = Ground::start("partitions", plan, users(unit))?;
        Ok(Field { ground, links })
    }

    fn once(&mut self, on: &mut Field, unit: u64, tally: &mut Tally) -> Result<u64, Fault> {
        let mut broken = Break::of(unit, self.can_delay);
        broken.begin(on)?;
        broken.last(on)?;
        broken.end(on)?;
        let healing = Stopwatch::start();
        let tip = on.ground.stage.seen().tip();
        on.ground.stage.wait_for(
            HEAL_MAX,
            "every node has a new block after the repair",
            |seen| (0..VALIDATORS).all(|node| seen.tip_of(node) > tip),
        )?;
        let heal = healing.elapsed();
        self.heals.add(heal);
        let answers = on.ground.take_answers();
        tally.meet(
            "promises",
            u64::try_from(answers.available.len()).unwrap_or(0),
        );
        on.ground.stage.judge_promises(&answers)?;
        on.ground.stage.wait_until_all_agree()?;
        *self.kinds.entry(broken.kind).or_default() += 1;
        eprintln!(
            "{unit}: {:?} for {} ms, healed after {} ms, at height {tip}; {:?}",
            broken.kind,
            broken.time.as_millis(),
            heal.as_millis(),
            answers.wrong
        );
        Ok(1)
    }

    fn end(&mut self, on: &mut Field, tally: &mut Tally) -> Result<(), Fault> {
        on.ground.end(tally)
    }

    fn keep(&mut self, on: &mut Field) {
        on.ground.keep();
    }
}

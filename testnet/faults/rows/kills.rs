//! `kill -9` of real processes under load: whatever the moment, nothing acknowledged is lost, and no
//! key signs two things.

mod kinds;

use std::collections::BTreeMap;
use std::ops::Range;

use cloverleaf_testnet::process::Stopwatch;
use cloverleaf_testnet::stage::{CHAINS, Fault, StagePlan};

use kinds::{KINDS, Kind};

pub(super) use kinds::rollup_has;

use crate::ground::{Ground, Play, play, users};
use crate::measured::Measured;
use crate::row::{Counts, Ended, Row, Tally};

pub(crate) const ROW: Row = Row {
    name: "kills",
    unit: "kill -9 of a process under load, and its return",
    counts: Counts {
        short: 12,
        long: 100,
        full: 1_000,
        slice: 100,
    },
    run,
};

/// Shortest time between two blocks, in milliseconds: half of the usual, so that more happens.
const BLOCK_TIME_MS: u64 = 100;

#[derive(Default)]
struct Kills {
    /// From the start of a process to when it takes part.
    returns: Measured,
    /// The same where all had been killed: the last one's.
    returns_of_all: Measured,
    /// How long readers waited for a batch while no more than one node was down.
    waits: Measured,
    kinds: BTreeMap<Kind, u64>,
    /// The network stood still: what was waited for may have been answered late.
    was_still: bool,
}

fn run(units: Range<u64>) -> Ended {
    let mut kills = Kills::default();
    // A short run cannot meet everything.
    let is_long = units.end - units.start >= ROW.counts.long;
    let ended = play(&mut kills, units);
    let Ended::Done(mut tally) = ended else {
        return ended;
    };
    for kind in KINDS {
        let times = kills.kinds.remove(&kind);
        if is_long || times.is_some() {
            tally.meet(&format!("rounds of {kind:?}"), times.unwrap_or(0));
        }
    }
    tally.figure("return", kills.returns.told());
    tally.figure("return of the last of all", kills.returns_of_all.told());
    tally.figure("gap of streams", kills.waits.told());
    Ended::Done(tally)
}

impl Play for Kills {
    type On = Ground;

    fn begin(&mut self, unit: u64) -> Result<Ground, Fault> {
        self.was_still = false;
        let plan = StagePlan {
            block_time_ms: Some(BLOCK_TIME_MS),
            ..StagePlan::default()
        };
        let mut ground = Ground::start("kills", plan, users(unit))?;
        ground.stage.network().start_rollups()?;
        Ok(ground)
    }

    fn once(&mut self, on: &mut Ground, unit: u64, tally: &mut Tally) -> Result<u64, Fault> {
        let watch = Stopwatch::start();
        let (kind, kills) = self.kill(on, unit)?;
        let is_still = matches!(kind, Kind::TooMany | Kind::All);
        self.judge(on, is_still, tally)?;
        *self.kinds.entry(kind).or_default() += 1;
        tally.meet("kills", kills);
        let (seconds, height) = (watch.elapsed().as_secs_f64(), on.stage.seen().tip());
        eprintln!("{unit}: {kind:?}, {kills} killed, {seconds:.1} s, height {height}");
        Ok(kills)
    }

    fn end(&mut self, on: &mut Ground, tally: &mut Tally) -> Result<(), Fault> {
        // Bundles that wait are in the streams when all is quiet; the audit reads them at the rollups.
        on.quiet()?;
        rollup_has(&on.stage, 0, on.stage.batches(CHAINS[0]))?;
        rollup_has(&on.stage, 1, on.stage.batches(CHAINS[1]))?;
        let audit = on.stage.command(0, &["rollup", "audit", "901", "902"])?;
        let audited = audit.succeeded()?.json()?["bundlesChecked"].as_u64();
        tally.meet("bundles audited", audited.unwrap_or(0));
        on.end(tally)
    }

    fn keep(&mut self, on: &mut Ground) {
        on.keep();
    }
}

impl Kills {
    fn judge(&mut self, on: &mut Ground, is_still: bool, tally: &mut Tally) -> Result<(), Fault> {
        let answers = on.take_answers();
        tally.meet(
            "promises",
            u64::try_from(answers.available.len()).unwrap_or(0),
        );
        // Who had to wait for a network that stood still is answered late.
        if is_still || self.was_still {
            on.stage.judge_promises(&answers)?;
            on.stage.wait_until_all_agree()?;
        } else {
            on.stage.judge(&answers)?;
        }
        let waits_ms = on.stage.seen().take_waits_ms();
        if !is_still {
            self.waits.extend(waits_ms);
        }
        self.was_still = is_still;
        Ok(())
    }
}

//! A network of the previous release, whose nodes are replaced by this tree's one after the other, under
//! load: nobody's promise is lost, no stream has a gap, and no key signs two things over the change.

mod previous;

use std::fs;
use std::ops::Range;
use std::time::Duration;

use cloverleaf_testnet::load::Load;
use cloverleaf_testnet::process::{Binary, Error, Stopwatch};
use cloverleaf_testnet::simulation::random::Random;
use cloverleaf_testnet::stage::{CHAINS, Dir, Fault, Signatures, Stage, StagePlan, VALIDATORS};

use super::kills::rollup_has;
use super::shuffled;
use crate::ground::users;
use crate::measured::Measured;
use crate::row::{Counts, Ended, Row, Tally};

pub(crate) const ROW: Row = Row {
    name: "upgrade",
    unit: "network of the previous tag, upgraded node by node under load",
    counts: Counts {
        short: 1,
        long: 4,
        full: 20,
        slice: 4,
    },
    run,
};

/// Shortest time between two blocks, in milliseconds.
const BLOCK_TIME_MS: u64 = 100;

/// In every other network the new node is killed once within so many milliseconds of its first start:
/// while it opens, and changes if it must, what the old one wrote.
const START_MS: u64 = 800;

/// What runs before and after.
struct Versions {
    previous: Binary,
    current: Binary,
}

/// A network on its way from one to the other.
struct Network {
    stage: Stage,
    load: Option<Load>,
    signatures: Signatures,
    dir: Dir,
}

fn run(units: Range<u64>) -> Ended {
    let tag = match previous::tag() {
        Ok(Some(tag)) => tag,
        Ok(None) => {
            let reason = "no tag exists yet: there is no release to upgrade from";
            return Ended::Skipped(reason.to_owned());
        }
        Err(problem) => return Ended::Skipped(format!("tags cannot be read: {problem}")),
    };
    let found = Binary::find().and_then(|current| {
        let previous = previous::build(&tag)?;
        Ok(Versions { previous, current })
    });
    let versions = match found {
        Ok(versions) => versions,
        Err(problem) => return Ended::Skipped(format!("{tag} cannot be built: {problem}")),
    };
    let (mut tally, mut returns) = (Tally::default(), Measured::default());
    tally.figure("previous", tag);
    for unit in units {
        if let Err(fault) = upgrade(&versions, unit, &mut returns, &mut tally) {
            tally.break_at(unit, fault);
        }
    }
    tally.figure("return", returns.told());
    Ended::Done(tally)
}

fn upgrade(
    versions: &Versions,
    unit: u64,
    returns: &mut Measured,
    tally: &mut Tally,
) -> Result<(), Fault> {
    let mut network = Network::begin(versions, unit)?;
    let done = network.upgrade(versions, unit, returns, tally);
    let done = done.and_then(|()| network.end(tally));
    if done.is_err() {
        network.dir.keep();
        eprintln!("its files are in {}", network.dir.path().display());
    }
    done
}

impl Network {
    /// Runs the previous version under load. Each node has a reader of its own.
    fn begin(versions: &Versions, unit: u64) -> Result<Self, Fault> {
        let dir = Dir::of_process(&format!("upgrade-{unit}"))?;
        let plan = StagePlan {
            block_time_ms: Some(BLOCK_TIME_MS),
            ..StagePlan::default()
        };
        let mut stage = Stage::start(&versions.previous, &dir, plan)?;
        for node in 0..VALIDATORS {
            stage.follow_one(CHAINS[node % CHAINS.len()], node);
        }
        stage.network().start_rollups()?;
        let load = stage.load(users(unit), VALIDATORS)?;
        stage.wait("load is ordered", |seen| {
            seen.transactions_above(0) > 50 && seen.bundles_above(0) > 0
        })?;
        Ok(Self {
            signatures: stage.signatures(),
            stage,
            load: Some(load),
            dir,
        })
    }

    /// All nodes, one after the other, in an order of chance; then the rollups.
    fn upgrade(
        &mut self,
        versions: &Versions,
        unit: u64,
        returns: &mut Measured,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        let mut random = Random::new(unit);
        self.stage.go_on_with(&versions.current);
        for node in shuffled(&mut random) {
            if random.chance(500) {
                self.stage.kill(node)?;
            } else {
                self.stage.stop(node)?;
            }
            self.stage.read_signatures(node, &mut self.signatures)?;
            if unit % 2 == 1 {
                let after = Duration::from_millis(random.below(START_MS));
                self.stage.start_and_kill(node, after)?;
                tally.meet("kills while the new version starts", 1);
            }
            let back = Stopwatch::start();
            self.stage.restart(node)?;
            self.stage.wait_until_it_takes_part(node)?;
            returns.add(back.elapsed());
            self.runs(node, &versions.current)?;
            tally.meet("nodes upgraded", 1);
            let answers = self.load.as_ref().map(Load::take).unwrap_or_default();
            let promises = u64::try_from(answers.available.len()).unwrap_or(u64::MAX);
            tally.meet("promises", promises);
            self.stage.judge(&answers)?;
        }
        for (port, chain_id) in (0_u16..).zip(CHAINS) {
            self.stage.network().kill_rollup(chain_id)?;
            self.stage.network().start_rollup(chain_id, port)?;
            tally.meet("rollups upgraded", 1);
        }
        Ok(())
    }

    /// What runs is what was meant to.
    fn runs(&mut self, node: usize, binary: &Binary) -> Result<(), Fault> {
        let id = self.stage.network().process_id(node).unwrap_or_default();
        let link = format!("/proc/{id}/exe");
        let found = fs::read_link(&link).map_err(Error::system(&link))?;
        let meant = binary.path().canonicalize();
        let meant = meant.map_err(Error::system("finding the binary"))?;
        if found == meant {
            return Ok(());
        }
        let (found, meant) = (found.display(), meant.display());
        Err(Fault::broken(format!(
            "node {node} runs {found}, not {meant}"
        )))
    }

    /// All that was promised is kept, the rollups executed every bundle whole, nobody signed twice.
    fn end(&mut self, tally: &mut Tally) -> Result<(), Fault> {
        if let Some(load) = self.load.take() {
            let answers = self.stage.runtime().block_on(load.stop());
            self.stage.judge_promises(&answers)?;
        }
        self.stage.wait_until_all_agree()?;
        for (port, chain_id) in (0_u16..).zip(CHAINS) {
            rollup_has(&self.stage, port, self.stage.batches(chain_id))?;
        }
        let audit = self
            .stage
            .command(0, &["rollup", "audit", "901", "902"])?
            .succeeded()?
            .json()?;
        tally.meet(
            "bundles audited",
            audit["bundlesChecked"].as_u64().unwrap_or(0),
        );
        self.stage.nobody_signed_twice()?;
        self.stage.kill_all()?;
        self.stage.read_all_signatures(&mut self.signatures)?;
        tally.meet("signatures compared", self.signatures.compared());
        Ok(())
    }
}

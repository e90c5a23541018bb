//! Validators that join, leave and get another power, or are all restarted in turn, while one of them is
//! killed: nobody's stream has a gap, and who is let in takes part.

mod club;

use std::collections::BTreeMap;
use std::ops::Range;

use cloverleaf_testnet::load::Answers;
use cloverleaf_testnet::process::{Joiner, Stopwatch, pause};
use cloverleaf_testnet::simulation::random::Random;
use cloverleaf_testnet::stage::{Fault, StagePlan, VALIDATORS};

use club::{Change, Club, Kind};

use super::shuffled;
use crate::ground::{Ground, Play, play, users};
use crate::measured::Measured;
use crate::row::{Counts, Ended, Row, Tally};

pub(crate) const ROW: Row = Row {
    name: "membership",
    unit: "change of the validators, or restart of all, with a kill",
    counts: Counts {
        short: 4,
        long: 20,
        full: 100,
        slice: 25,
    },
    run,
};

/// Shortest time between two blocks, in milliseconds.
const BLOCK_TIME_MS: u64 = 100;

/// Nodes that join and leave, besides those that genesis names.
const SPARE: usize = 2;

/// Blocks that are watched after a change: every proposer's turn comes.
const BLOCKS_AFTER: u64 = 8;

#[derive(Default)]
struct Membership {
    /// From when a change was asked for to when all that belongs to it is done.
    changes: Measured,
    /// From the start of a killed process to when it takes part.
    returns: Measured,
    waits: Measured,
    kinds: BTreeMap<Kind, u64>,
    /// The network stood still: what was waited for may have been answered late.
    was_still: bool,
}

fn run(units: Range<u64>) -> Ended {
    let is_long = units.end - units.start >= ROW.counts.long;
    let mut membership = Membership::default();
    let ended = play(&mut membership, units);
    let Ended::Done(mut tally) = ended else {
        return ended;
    };
    for kind in [Kind::Join, Kind::Leave, Kind::Reweigh, Kind::Rolling] {
        let times = membership.kinds.remove(&kind);
        if is_long || times.is_some() {
            tally.meet(&format!("changes {kind:?}"), times.unwrap_or(0));
        }
    }
    tally.figure("change", membership.changes.told());
    tally.figure("return", membership.returns.told());
    tally.figure("gap of streams", membership.waits.told());
    Ended::Done(tally)
}

impl Play for Membership {
    type On = Club;

    fn begin(&mut self, unit: u64) -> Result<Club, Fault> {
        self.was_still = false;
        let plan = StagePlan {
            block_time_ms: Some(BLOCK_TIME_MS),
            ..StagePlan::default()
        };
        let mut ground = Ground::start("membership", plan, users(unit))?;
        let genesis = ground.stage.network().genesis();
        let named = genesis.validators.iter();
        let mut peer_ids: Vec<String> = named.map(|it| it.peer_id.clone()).collect();
        for _ in 0..SPARE {
            let Joiner { peer_id, .. } = ground.stage.join()?;
            peer_ids.push(peer_id);
        }
        Ok(Club { ground, peer_ids })
    }

    fn once(&mut self, on: &mut Club, unit: u64, tally: &mut Tally) -> Result<u64, Fault> {
        let mut random = Random::new(unit);
        let change = on.choose(unit, &mut random);
        let watch = Stopwatch::start();
        match change.kind {
            Kind::Rolling => self.restart_all(on, &mut random)?,
            Kind::Join => self.join(on, change)?,
            Kind::Leave => self.leave(on, change)?,
            Kind::Reweigh => self.change(on, change)?,
        }
        self.changes.add(watch.elapsed());
        let answers = on.ground.take_answers();
        tally.meet(
            "promises",
            u64::try_from(answers.available.len()).unwrap_or(0),
        );
        self.judge(on, change.kind, &answers)?;
        self.waits.extend(on.ground.stage.seen().take_waits_ms());
        *self.kinds.entry(change.kind).or_default() += 1;
        let Change {
            kind,
            node,
            power,
            victim,
            ..
        } = change;
        eprintln!(
            "{unit}: {kind:?} of node {node} with power {power}, node {victim} killed; {:.1} s, validators {:?}",
            watch.elapsed().as_secs_f64(),
            on.ground.stage.members()
        );
        Ok(1)
    }

    fn end(&mut self, on: &mut Club, tally: &mut Tally) -> Result<(), Fault> {
        on.ground.end(tally)
    }

    fn keep(&mut self, on: &mut Club) {
        on.ground.keep();
    }
}

impl Membership {
    /// Whoever is restarted may have more power than may fail: then the network stands still meanwhile.
    fn judge(&mut self, on: &mut Club, kind: Kind, answers: &Answers) -> Result<(), Fault> {
        let is_still = kind == Kind::Rolling;
        let may_be_late = is_still || self.was_still;
        self.was_still = is_still;
        if may_be_late {
            on.ground.stage.judge_promises(answers)?;
            return on.ground.stage.wait_until_all_agree();
        }
        on.ground.stage.judge(answers)
    }

    /// A change with a kill, to when the set is the new one and the killed node takes part again.
    fn change(&mut self, on: &mut Club, change: Change) -> Result<(), Fault> {
        let Change { victim, power, .. } = change;
        if change.is_early {
            on.ground.stage.kill(victim)?;
        }
        on.schedule(change)?;
        if !change.is_early {
            pause(change.moment);
            on.ground.stage.kill(victim)?;
        }
        let ground = &mut on.ground;
        ground
            .stage
            .read_signatures(victim, &mut ground.signatures)?;
        let address = ground.stage.validator(change.node);
        ground.stage.wait("the set has changed", |seen| {
            seen.state().validators().power_of(address) == power
        })?;
        let tip = ground.stage.seen().tip();
        ground
            .stage
            .wait("the others go on", |seen| seen.tip() >= tip + BLOCKS_AFTER)?;
        self.bring_back(ground, victim)
    }

    fn bring_back(&mut self, ground: &mut Ground, node: usize) -> Result<(), Fault> {
        let back = Stopwatch::start();
        ground.stage.restart(node)?;
        ground.stage.wait_until_it_takes_part(node)?;
        self.returns.add(back.elapsed());
        Ok(())
    }

    /// It runs and is refused until it is scheduled; nobody is restarted so that it is let in.
    fn join(&mut self, on: &mut Club, change: Change) -> Result<(), Fault> {
        on.ground.stage.restart(change.node)?;
        self.change(on, change)?;
        on.ground.stage.let_in(change.node);
        on.ground.stage.wait_until_it_takes_part(change.node)
    }

    /// It stays until its last height, and is ended then.
    fn leave(&mut self, on: &mut Club, change: Change) -> Result<(), Fault> {
        self.change(on, change)?;
        let stage = &mut on.ground.stage;
        stage.let_go(change.node);
        let (left, address) = (stage.seen().tip(), stage.validator(change.node));
        stage.wait("the others go on", |seen| seen.tip() >= left + BLOCKS_AFTER)?;
        if stage.seen().has_proposed(address, left) {
            return Err(Fault::broken(format!(
                "node {} proposed after it had left",
                change.node
            )));
        }
        stage.kill(change.node)?;
        on.ground
            .stage
            .read_signatures(change.node, &mut on.ground.signatures)
    }

    /// All validators, one after the other, in order or not.
    fn restart_all(&mut self, on: &mut Club, random: &mut Random) -> Result<(), Fault> {
        let order = shuffled(random).into_iter();
        let spare = VALIDATORS..VALIDATORS + SPARE;
        let members = on.ground.stage.members();
        let ground = &mut on.ground;
        for node in order.chain(spare).filter(|node| members.contains(node)) {
            let tip = ground.stage.seen().tip();
            if random.chance(500) {
                ground.stage.kill(node)?;
            } else {
                ground.stage.stop(node)?;
            }
            ground.stage.read_signatures(node, &mut ground.signatures)?;
            let may_fail = ground.stage.seen().state().validators().fault_power();
            let address = ground.stage.validator(node);
            let power = ground.stage.seen().state().validators().power_of(address);
            if power <= may_fail {
                ground
                    .stage
                    .wait("the others go on", |seen| seen.tip() > tip + BLOCKS_AFTER)?;
            }
            self.bring_back(ground, node)?;
        }
        Ok(())
    }
}

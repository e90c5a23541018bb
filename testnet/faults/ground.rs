//! A network of processes that a row breaks again and again: a stage with users, judged after each time.

use std::ops::Range;

use cloverleaf_testnet::load::{Answers, Load, Plan};
use cloverleaf_testnet::process::Binary;
use cloverleaf_testnet::stage::{CHAINS, Dir, Fault, Signatures, Stage, StagePlan, VALIDATORS};

use super::row::{Ended, Tally};

/// What users offer in a second: transactions and bundles. The cores are shared with those who watch.
const OFFERED: (usize, usize) = (120, 4);

/// After so many broken networks a run ends: the rest would say the same.
const BROKEN_MAX: usize = 3;

/// A network, its users, and who looks.
pub(crate) struct Ground {
    pub(crate) stage: Stage,
    pub(crate) signatures: Signatures,
    load: Option<Load>,
    dir: Dir,
}

/// What a row does with networks.
pub(crate) trait Play {
    /// What it needs to go on with a network.
    type On;

    /// Makes a network, before `unit`.
    fn begin(&mut self, unit: u64) -> Result<Self::On, Fault>;

    /// Breaks it once, and judges it; the number of units that it was.
    fn once(&mut self, on: &mut Self::On, unit: u64, tally: &mut Tally) -> Result<u64, Fault>;

    /// Judges it for the last time.
    fn end(&mut self, on: &mut Self::On, tally: &mut Tally) -> Result<(), Fault>;

    /// Keeps what is needed to look into it.
    fn keep(&mut self, on: &mut Self::On);
}

/// The users of most rows.
pub(crate) fn users(seed: u64) -> Plan {
    Plan::of_rates(seed, OFFERED.0, OFFERED.1)
}

/// Plays all units, on one network for as long as nothing is wrong with it.
pub(crate) fn play<P: Play>(player: &mut P, units: Range<u64>) -> Ended {
    if let Err(missing) = Binary::find() {
        return Ended::Skipped(missing.to_string());
    }
    let mut tally = Tally::default();
    let mut at = units.start;
    while at < units.end && tally.violations.len() < BROKEN_MAX {
        let first = at;
        match player.begin(at) {
            Ok(mut on) => {
                let played = play_on(player, &mut on, &mut at, units.end, &mut tally);
                if let Err(fault) = played {
                    player.keep(&mut on);
                    tally.break_since(first, at, fault);
                    at += 1;
                }
            }
            Err(fault) => {
                tally.break_at(at, fault);
                at += 1;
            }
        }
    }
    if at < units.end {
        tally.stop_before(at);
    }
    Ended::Done(tally)
}

fn play_on<P: Play>(
    player: &mut P,
    on: &mut P::On,
    at: &mut u64,
    end: u64,
    tally: &mut Tally,
) -> Result<(), Fault> {
    while *at < end {
        *at += player.once(on, *at, tally)?;
    }
    player.end(on, tally)
}

impl Ground {
    /// Starts a network and its users, and waits until what they send is ordered. Each node has a reader
    /// of its own, besides those who may choose.
    pub(crate) fn start(name: &str, plan: StagePlan, users: Plan) -> Result<Self, Fault> {
        let dir = Dir::of_process(name)?;
        let binary = Binary::find()?;
        let mut stage = Stage::start(&binary, &dir, plan)?;
        for node in 0..VALIDATORS {
            stage.follow_one(CHAINS[node % CHAINS.len()], node);
        }
        let load = stage.load(users, VALIDATORS)?;
        stage.wait("load is ordered", |seen| {
            seen.transactions_above(0) > 50 && seen.bundles_above(0) > 0
        })?;
        let signatures = Signatures::new(stage.network().genesis().network());
        Ok(Self {
            stage,
            signatures,
            load: Some(load),
            dir,
        })
    }

    /// What users were told since the last time.
    pub(crate) fn take_answers(&self) -> Answers {
        self.load.as_ref().map(Load::take).unwrap_or_default()
    }

    /// Ends the users, and judges what is left.
    pub(crate) fn quiet(&mut self) -> Result<(), Fault> {
        if let Some(load) = self.load.take() {
            let answers = self.stage.runtime().block_on(load.stop());
            self.stage.judge_promises(&answers)?;
        }
        self.stage.wait_until_all_agree()
    }

    /// Ends the users and the network, reads every journal, and counts what there was.
    pub(crate) fn end(&mut self, tally: &mut Tally) -> Result<(), Fault> {
        self.quiet()?;
        let nodes = 0..self.stage.network().validators();
        self.stage.kill_all()?;
        for node in nodes {
            self.stage.read_signatures(node, &mut self.signatures)?;
        }
        let totals = self.stage.seen().totals();
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        tally.meet("blocks", totals.heights);
        tally.meet("transactions", wide(totals.transactions));
        tally.meet("bundles", wide(totals.bundles));
        tally.meet("signatures in journals", self.signatures.compared());
        Ok(())
    }

    /// Leaves the files of a broken network where they are.
    pub(crate) fn keep(&mut self) {
        self.dir.keep();
        eprintln!("its files are in {}", self.dir.path().display());
    }
}

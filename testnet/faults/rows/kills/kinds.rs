//! Whom it hits, and when; and what must come true before the next.

use std::time::Duration;

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_client::RpcClient;
use cloverleaf_mempool::Name;
use cloverleaf_testnet::load::Wallet;
use cloverleaf_testnet::process::{Stopwatch, pause, wait_until};
use cloverleaf_testnet::simulation::random::Random;
use cloverleaf_testnet::stage::{CHAINS, Fault, SOON, Stage, VALIDATORS};
use cloverleaf_types::ChainId;
use serde_json::{Value, json};

use super::Kills;
use crate::ground::Ground;
use crate::rows::shuffled;

/// A node is killed within so many milliseconds: several blocks.
const MOMENT_MS: u64 = 500;

/// A node that is killed while it starts is killed within so many milliseconds: it would be ready by
/// then.
const START_MS: u64 = 800;

/// Blocks that the others decide while one is down: every proposer's turn comes.
const BLOCKS_WITHOUT: u64 = 4;

/// How long a network that cannot decide is watched: ten block times.
const STANDSTILL: Duration = Duration::from_secs(1);

/// What can happen, as often as it stands here.
pub(super) const KINDS: [Kind; 13] = [
    Kind::One,
    Kind::One,
    Kind::One,
    Kind::AfterAnswer,
    Kind::AfterAnswer,
    Kind::Twice,
    Kind::Twice,
    Kind::TooMany,
    Kind::Rolling,
    Kind::Rolling,
    Kind::All,
    Kind::Rollup,
    Kind::Rollup,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// One node, at any moment.
    One,
    /// One node, right after it said that something is available.
    AfterAnswer,
    /// One node, and again while it starts.
    Twice,
    /// More nodes than may fail: nothing is decided meanwhile.
    TooMany,
    /// All nodes, one after the other.
    Rolling,
    /// All nodes at the same moment.
    All,
    /// The node of a rollup.
    Rollup,
}

impl Kills {
    /// One of a kind; the number of processes that were killed.
    pub(super) fn kill(&mut self, on: &mut Ground, unit: u64) -> Result<(Kind, u64), Fault> {
        let mut random = Random::new(unit);
        let kind = *random.pick(&KINDS);
        let node = random.index(VALIDATORS);
        let kills = match kind {
            Kind::One => self.one(on, node, random.below(MOMENT_MS))?,
            Kind::AfterAnswer => self.after_answer(on, node, unit)?,
            Kind::Twice => self.twice(on, node, random.below(START_MS))?,
            Kind::TooMany => self.too_many(on, unit, &mut random)?,
            Kind::Rolling => self.rolling(on, &mut random)?,
            Kind::All => self.all(on, &mut random)?,
            Kind::Rollup => self.rollup(on, random.index(CHAINS.len()), random.below(MOMENT_MS))?,
        };
        Ok((kind, kills))
    }

    fn one(&mut self, on: &mut Ground, node: usize, after_ms: u64) -> Result<u64, Fault> {
        pause(Duration::from_millis(after_ms));
        on.stage.kill(node)?;
        self.bring_back(on, node)?;
        Ok(1)
    }

    fn after_answer(&mut self, on: &mut Ground, node: usize, unit: u64) -> Result<u64, Fault> {
        let signed = Wallet::seeded(u64::MAX, node, unit).transfer(CHAINS[0], 0);
        on.stage.submit(node, &signed, Wait::Available)?;
        on.stage.kill(node)?;
        let name = Name::Transaction(signed.key);
        on.stage.wait(
            "what a dead author said is available is in a block",
            |seen| seen.place_of(&name).is_some(),
        )?;
        self.bring_back(on, node)?;
        Ok(1)
    }

    fn twice(&mut self, on: &mut Ground, node: usize, after_ms: u64) -> Result<u64, Fault> {
        on.stage.kill(node)?;
        on.stage.read_signatures(node, &mut on.signatures)?;
        on.stage
            .start_and_kill(node, Duration::from_millis(after_ms))?;
        self.bring_back(on, node)?;
        Ok(2)
    }

    fn rolling(&mut self, on: &mut Ground, random: &mut Random) -> Result<u64, Fault> {
        let nodes = shuffled(random);
        for node in nodes {
            on.stage.kill(node)?;
            self.bring_back(on, node)?;
        }
        Ok(number(nodes.len()))
    }

    /// A node is down: the others go on, and it comes back.
    fn bring_back(&mut self, on: &mut Ground, node: usize) -> Result<(), Fault> {
        on.stage.read_signatures(node, &mut on.signatures)?;
        let tip = on.stage.seen().tip();
        on.stage.wait("the others go on", |seen| {
            seen.tip() >= tip + BLOCKS_WITHOUT && seen.transactions_above(tip) > 0
        })?;
        let back = Stopwatch::start();
        on.stage.restart(node)?;
        on.stage.wait_until_it_takes_part(node)?;
        self.returns.add(back.elapsed());
        Ok(())
    }

    fn too_many(&mut self, on: &mut Ground, unit: u64, random: &mut Random) -> Result<u64, Fault> {
        let count = 2 + random.index(2);
        let nodes = shuffled(random);
        let (killed, up) = nodes.split_at(count);
        for node in killed {
            on.stage.kill(*node)?;
        }
        for node in killed {
            on.stage.read_signatures(*node, &mut on.signatures)?;
        }
        // Nobody who is down can have voted for this: it is newer. Two hold it, or one does alone.
        let wait = if up.len() > 1 {
            Wait::Available
        } else {
            Wait::Received
        };
        let signed = Wallet::seeded(u64::MAX, up[0], unit).transfer(CHAINS[0], 0);
        on.stage.submit(up[0], &signed, wait)?;
        let name = Name::Transaction(signed.key);
        let decided = wait_until("a block", STANDSTILL, || {
            on.stage.seen().place_of(&name).is_some()
        });
        if decided.is_ok() {
            return Err(Fault::broken(format!(
                "{} of four decided a block",
                up.len()
            )));
        }
        self.bring_all_back(on, killed)?;
        on.stage.wait("what waited is in a block", |seen| {
            seen.place_of(&name).is_some()
        })?;
        Ok(number(count))
    }

    fn all(&mut self, on: &mut Ground, random: &mut Random) -> Result<u64, Fault> {
        pause(Duration::from_millis(random.below(MOMENT_MS)));
        on.stage.kill_all()?;
        let nodes = shuffled(random);
        for node in nodes {
            on.stage.read_signatures(node, &mut on.signatures)?;
        }
        self.bring_all_back(on, &nodes)?;
        Ok(number(nodes.len()))
    }

    /// Those without whom nothing is decided come back.
    fn bring_all_back(&mut self, on: &mut Ground, nodes: &[usize]) -> Result<(), Fault> {
        let back = Stopwatch::start();
        for node in nodes {
            on.stage.restart(*node)?;
        }
        for node in nodes {
            on.stage.wait_until_it_takes_part(*node)?;
        }
        self.returns_of_all.add(back.elapsed());
        Ok(())
    }

    fn rollup(&mut self, on: &mut Ground, index: usize, after_ms: u64) -> Result<u64, Fault> {
        let chain_id = CHAINS[index];
        pause(Duration::from_millis(after_ms));
        on.stage.network().kill_rollup(chain_id)?;
        let before = on.stage.batches(chain_id);
        on.stage.wait("its stream goes on", |seen| {
            seen.batches(ChainId(chain_id)).len() > before
        })?;
        let back = Stopwatch::start();
        let port = u16::try_from(index).expect("two rollups");
        on.stage.network().start_rollup(chain_id, port)?;
        rollup_has(&on.stage, port, on.stage.batches(chain_id))?;
        self.returns.add(back.elapsed());
        Ok(1)
    }
}

/// Waits until a rollup has executed so many batches.
pub(in crate::rows) fn rollup_has(stage: &Stage, port: u16, batches: usize) -> Result<(), Fault> {
    let port_url = stage.rollup_url(port);
    let client = RpcClient::new(&port_url)?;
    let executed = || {
        let asked = client.call::<Value>("eth_blockNumber", json!([]));
        let answer = stage.runtime().block_on(asked).ok()?;
        let digits = answer.as_str()?.strip_prefix("0x")?.to_owned();
        usize::from_str_radix(&digits, 16).ok()
    };
    let what = format!("batch {batches} is executed at {port_url}");
    Ok(wait_until(what, SOON, || {
        executed().is_some_and(|it| it >= batches)
    })?)
}

fn number(count: usize) -> u64 {
    u64::try_from(count).expect("few nodes")
}

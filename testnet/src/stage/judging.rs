//! Nothing that was available is lost, nothing is there twice, all nodes and followers agree.

use std::time::Duration;

use cloverleaf_api::json::At;
use cloverleaf_mempool::Name;
use cloverleaf_types::ChainId;

use super::{CHAINS, Fault, SOON, Stage};
use crate::external::{Node, Seen};
use crate::load::{Answers, Told};
use crate::process::wait_until;

/// How many of the lost are named.
const NAMED_MAX: usize = 3;

impl Stage {
    /// Waits until it is so.
    ///
    /// # Errors
    /// It is not so in time, or something was seen that must not be: all that is known.
    pub fn wait(&mut self, what: &str, is_so: impl FnMut(&Seen) -> bool) -> Result<(), Fault> {
        self.wait_for(SOON, what, is_so)
    }

    /// Waits until it is so, for so long.
    ///
    /// # Errors
    /// As [`Stage::wait`].
    pub fn wait_for(
        &mut self,
        timeout: Duration,
        what: &str,
        mut is_so: impl FnMut(&Seen) -> bool,
    ) -> Result<(), Fault> {
        let watched = self.watched.clone();
        let waited = wait_until(what, timeout, || {
            let seen = watched.lock();
            seen.fault().is_some() || is_so(&seen)
        });
        self.check()?;
        waited.map_err(|late| Fault::broken(format!("{late}; {}", self.situation())))
    }

    /// How far everybody is.
    fn situation(&self) -> String {
        let seen = self.seen();
        let nodes = 0..self.network.validators();
        let tips: Vec<u64> = nodes.map(|node| seen.tip_of(node)).collect();
        format!("tips: {tips:?}; {}", seen.totals())
    }

    /// Looks whether anything was seen that must not be, or a process ended by itself.
    ///
    /// # Errors
    /// What it is.
    pub fn check(&mut self) -> Result<(), Fault> {
        self.network.check()?;
        let fault = self.seen().fault().map(str::to_owned);
        fault.map_or(Ok(()), |fault| Err(Fault::Broken(fault)))
    }

    /// Nothing that was promised is lost, every answer was one that a healthy network gives, all nodes
    /// and followers agree.
    ///
    /// # Errors
    /// What is not so.
    pub fn judge(&mut self, answers: &Answers) -> Result<(), Fault> {
        if !answers.wrong.is_empty() {
            return Err(Fault::broken(format!("answers: {:?}", answers.wrong)));
        }
        if answers.available.is_empty() && answers.received.is_empty() {
            return Err(Fault::broken("nothing was promised"));
        }
        self.judge_promises(answers)?;
        self.wait_until_all_agree()
    }

    /// Nothing that was promised is lost.
    ///
    /// # Errors
    /// It is.
    pub fn judge_promises(&mut self, answers: &Answers) -> Result<(), Fault> {
        let lives = self.lives.clone();
        let received = answers.received.iter();
        let kept = received.filter(|told| lives.of(told.node) == told.life);
        let mut open: Vec<Told> = answers.available.iter().chain(kept).copied().collect();
        let watched = self.watched.clone();
        let all_placed = wait_until("all that was promised is in a block", SOON, || {
            let seen = watched.lock();
            open.retain(|told| seen.place_of(&told.name).is_none());
            open.is_empty() || seen.fault().is_some()
        });
        self.check()?;
        if all_placed.is_ok() {
            return Ok(());
        }
        let mut lost = Vec::new();
        for told in open {
            if !self.is_dropped_with_a_reason(&told)? {
                lost.push(told);
            }
        }
        if lost.is_empty() {
            return Ok(());
        }
        let named = &lost[..lost.len().min(NAMED_MAX)];
        Err(Fault::broken(format!(
            "{} are lost, such as {named:?}; {}",
            lost.len(),
            self.situation()
        )))
    }

    fn is_dropped_with_a_reason(&self, told: &Told) -> Result<bool, Fault> {
        let client = self.client(told.node);
        let progress = self.runtime.block_on(async {
            Ok::<_, cloverleaf_client::Error>(match told.name {
                Name::Transaction((_, id)) => {
                    let status = client.transaction_status(id).await?;
                    status.map(|status| status.progress)
                }
                Name::Bundle(hash) => {
                    let status = client.bundle_status(hash).await?;
                    status.map(|status| status.progress)
                }
            })
        })?;
        Ok(progress.is_some_and(|it| it.state.is_final() && it.reason.is_some()))
    }

    /// Waits until all validators have what is the tip now, and the followers all batches up to there;
    /// it is the same block by JSON-RPC too.
    ///
    /// # Errors
    /// They do not agree in time.
    pub fn wait_until_all_agree(&mut self) -> Result<(), Fault> {
        let nodes = self.members();
        let (tip, hash, batches) = {
            let seen = self.seen();
            let batches = CHAINS.map(|id| seen.batches(ChainId(id)).len());
            (seen.tip(), seen.hash(seen.tip()), batches)
        };
        self.wait("all nodes have the tip", |seen| {
            nodes.iter().all(|node| seen.tip_of(*node) >= tip)
        })?;
        self.wait("followers have everything once", |seen| {
            let mut goals = CHAINS.iter().zip(batches);
            goals.all(|(id, count)| seen.is_followed_to(*id, count))
        })?;
        for node in nodes {
            let block = self.hash_at(node, tip)?;
            if block != hash {
                return Err(Fault::broken(format!(
                    "node {node} has block {block:?} at height {tip} by JSON-RPC, others {hash:?}"
                )));
            }
        }
        Ok(())
    }

    fn hash_at(&self, node: Node, height: u64) -> Result<Option<cloverleaf_types::B256>, Fault> {
        let client = self.client(node);
        let block = self.runtime.block_on(client.block(At::Number(height)))?;
        Ok(block.map(|block| block.hash))
    }
}

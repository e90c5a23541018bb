//! Nothing that was available is lost, nothing is there twice, all nodes and followers agree.

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use cloverleaf_api::json::{At, Progress};
use cloverleaf_client::RpcClient;
use cloverleaf_mempool::Name;
use cloverleaf_types::B256;

use super::{CHAINS, Fault, SOON, Stage};
use crate::external::{Node, Seen};
use crate::load::{Answers, Told, progress};
use crate::process::wait_until;

/// How many of the lost are named.
const NAMED_MAX: usize = 3;

/// Metrics that are 0 as long as nobody is seen to sign twice.
const SIGNED_TWICE: [&str; 2] = [
    "cloverleaf_consensus_vote_evidence",
    "cloverleaf_consensus_lane_equivocations",
];

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

    /// Waits until it is so, while a node may end by itself: how it did.
    ///
    /// # Errors
    /// As [`Stage::wait`].
    pub fn wait_while_it_may_end(
        &mut self,
        node: Node,
        what: &str,
        is_so: impl Fn(&Seen) -> bool,
    ) -> Result<Option<ExitStatus>, Fault> {
        let (watched, network) = (self.watched.clone(), &mut self.network);
        let mut ended = None;
        let waited = wait_until(what, SOON, || {
            ended = ended.or_else(|| network.has_ended(node).ok().flatten());
            let seen = watched.lock();
            seen.fault().is_some() || is_so(&seen)
        });
        self.check()?;
        waited.map_err(|late| Fault::broken(format!("{late}; {}", self.situation())))?;
        Ok(ended)
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
        let progress = self.progress(&self.network.http_url(told.node), &told.name)?;
        Ok(progress.is_some_and(|it| it.state.is_final() && it.reason.is_some()))
    }

    /// What a node knows of something, by its JSON-RPC.
    ///
    /// # Errors
    /// It does not answer.
    pub fn progress(&self, url: &str, name: &Name) -> Result<Option<Progress>, Fault> {
        let client = RpcClient::new(url)?;
        Ok(self.runtime.block_on(progress(&client, name))?)
    }

    /// The hash of a node's block, by its JSON-RPC.
    ///
    /// # Errors
    /// It does not answer.
    pub fn hash_at(&self, url: &str, height: u64) -> Result<Option<B256>, Fault> {
        let client = RpcClient::new(url)?;
        let block = self.runtime.block_on(client.block(At::Number(height)))?;
        Ok(block.map(|block| block.hash))
    }

    /// The height of a node's last block, by its JSON-RPC.
    ///
    /// # Errors
    /// It does not answer.
    pub fn height_at(&self, url: &str) -> Result<u64, Fault> {
        let client = RpcClient::new(url)?;
        let info = self.runtime.block_on(client.network_info())?;
        Ok(info.height.0)
    }

    /// No node that is up has proof of somebody who signed twice.
    ///
    /// # Errors
    /// One has, or does not answer.
    pub fn nobody_signed_twice(&self) -> Result<(), Fault> {
        let nodes = 0..self.network.validators();
        for node in nodes.filter(|node| self.network.process_id(*node).is_some()) {
            for name in SIGNED_TWICE {
                let found = self.network.metric(node, name);
                if found != Some(0) {
                    return Err(Fault::broken(format!(
                        "node {node} says {name} is {found:?}"
                    )));
                }
            }
        }
        Ok(())
    }

    /// The store in a directory that no node uses is whole.
    ///
    /// # Errors
    /// `db check` finds what is not.
    pub fn check_store(&self, home: &Path) -> Result<(), Fault> {
        let words = ["--json", "db", "check", "--home"].map(OsStr::new);
        let checked = self
            .binary
            .run(words.into_iter().chain([home.as_os_str()]))?;
        if checked.code == Some(0) {
            return Ok(());
        }
        let (code, said, also) = (checked.code, checked.stdout, checked.stderr);
        Err(Fault::broken(format!(
            "`db check` ended with {code:?}: {said}{also}"
        )))
    }

    /// Waits until all validators have one tip and the followers all batches; it is the tip by JSON-RPC
    /// too.
    ///
    /// # Errors
    /// They do not agree in time.
    pub fn wait_until_all_agree(&mut self) -> Result<(), Fault> {
        let nodes = self.members();
        self.wait("all nodes have the same tip", |seen| {
            nodes.iter().all(|node| seen.tip_of(*node) == seen.tip())
        })?;
        self.wait("followers have everything once", |seen| {
            seen.is_followed(&CHAINS)
        })?;
        let (tip, hash) = {
            let seen = self.seen();
            (seen.tip(), seen.hash(seen.tip()))
        };
        for node in nodes {
            let block = self.hash_at(&self.http_url(node), tip)?;
            if block != hash {
                return Err(Fault::broken(format!(
                    "node {node} has block {block:?} at height {tip} by JSON-RPC, others {hash:?}"
                )));
            }
        }
        Ok(())
    }
}

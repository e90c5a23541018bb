//! What is done to nodes, and what a node must do when it is back.

use std::time::Duration;

use cloverleaf_api::proto::sequencer::v1::Wait;

use super::{CHAINS, Fault, Stage};
use crate::external::Node;
use crate::load::Wallet;
use crate::process::Started;

impl Stage {
    /// A node has ended by what was done to it: what it had only in memory is gone.
    pub fn end_life(&self, node: Node) {
        self.lives.end(node);
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// It had ended by itself.
    pub fn kill(&mut self, node: Node) -> Result<(), Fault> {
        self.network.kill(node)?;
        self.end_life(node);
        Ok(())
    }

    /// SIGTERM; it ends in order.
    ///
    /// # Errors
    /// It had ended by itself, or does not end in order.
    pub fn stop(&mut self, node: Node) -> Result<(), Fault> {
        let status = self.network.stop(node)?;
        self.end_life(node);
        if status.code() == Some(0) {
            return Ok(());
        }
        Err(Fault::broken(format!(
            "node {node} was asked to end, and ended with {status}"
        )))
    }

    /// `kill -9` of all at the same moment.
    ///
    /// # Errors
    /// One had ended by itself.
    pub fn kill_all(&mut self) -> Result<(), Fault> {
        self.network.kill_all()?;
        (0..self.network.validators()).for_each(|node| self.end_life(node));
        Ok(())
    }

    /// Starts a node that is down, and kills it again after so long.
    ///
    /// # Errors
    /// It ends by itself meanwhile.
    pub fn start_and_kill(&mut self, node: Node, after: Duration) -> Result<(), Fault> {
        self.network.start_and_kill(node, after)?;
        self.end_life(node);
        Ok(())
    }

    /// Starts a node that is down. What it announced before, it has.
    ///
    /// # Errors
    /// It has not, or does not start.
    pub fn restart(&mut self, node: Node) -> Result<Started, Fault> {
        let announced = self.seen().tip_of(node);
        let started = self.network.start(node)?;
        if started.height < announced {
            return Err(Fault::broken(format!(
                "node {node} announced height {announced} and came back with {}",
                started.height
            )));
        }
        if started.validator != self.validators[node] {
            return Err(Fault::broken(format!("node {node} has another key")));
        }
        Ok(started)
    }

    /// Waits until a restarted node has what the others have, signs with them, and what it takes in is
    /// ordered again.
    ///
    /// # Errors
    /// It does not come so far in time.
    pub fn wait_until_it_takes_part(&mut self, node: Node) -> Result<(), Fault> {
        let (tip, validator) = (self.seen().tip(), self.validators[node]);
        let what = |doing: &str| format!("node {node} {doing} after height {tip}");
        self.wait(&what("has the blocks"), |seen| seen.tip_of(node) >= tip)?;
        // Its account is nobody else's: the seeds of loads are small.
        let signed = Wallet::seeded(1 << 63 | tip, node, 0).transfer(CHAINS[0], 0);
        self.submit(node, &signed, Wait::Available)?;
        // Whom nobody else hears shows it by its blocks.
        let is_heard = self.network.validators() > 1;
        self.wait(&what("signs"), |seen| {
            seen.has_signed(node, validator, tip) || (!is_heard && seen.tip_of(node) > tip)
        })?;
        self.wait(&what("has its parcels ordered"), |seen| {
            seen.has_sealed(validator, tip)
        })
    }

    /// A node is removed from the validators: it need not have the latest blocks any more.
    pub fn let_go(&mut self, node: Node) {
        self.removed.push(node);
    }

    /// A node is a validator from now on.
    pub fn let_in(&mut self, node: Node) {
        self.removed.retain(|removed| *removed != node);
    }
}

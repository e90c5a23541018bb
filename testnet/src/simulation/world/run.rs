//! From the start to the verdict.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cloverleaf_replica::Misdeed;
use cloverleaf_types::Secp256k1;

use super::{Report, Simulation};
use crate::checker::Violation;
use crate::simulation::config::Config;

/// Most virtual time, in milliseconds, that a network may need for its next height while things break:
/// long, since more than f may be faulty for most of it.
const HEIGHT_MS: u64 = 300_000;

/// Most virtual time, in milliseconds, until everything is well again after the last repair.
const HEAL_MS: u64 = 60_000;

/// Heights that all nodes must decide after the last repair.
const HEAL_HEIGHTS: u64 = 3;

impl Simulation {
    /// Runs a network from its start through its heights and faults to peace.
    ///
    /// # Errors
    /// A broken invariant, with its evidence; a panic of a node is one.
    pub fn run(config: Config) -> Result<Report, Violation> {
        let network = AssertUnwindSafe(|| {
            let mut simulation = Self::new(config);
            simulation.start()?;
            simulation.safety_phase()?;
            simulation.heal_quorum()?;
            simulation.finish()
        });
        catch_unwind(network).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Err(Violation::Node {
                node: cloverleaf_types::Address::ZERO,
                what: format!("panicked: {}", text.unwrap_or_default()),
            })
        })
    }

    /// Things break until the heights are decided. In a storm nobody promises a quorum that is up for long
    /// enough: then it is over when no height comes for too long, and must be followed by peace.
    fn safety_phase(&mut self) -> Result<(), Violation> {
        while self.height() < self.config.heights {
            let height = self.height();
            if !self.comes_true(HEIGHT_MS, |world| world.height() > height)? {
                let is_storm = self.config.faults.is_some_and(|it| it.is_storm());
                return match is_storm {
                    true => Ok(()),
                    false => Err(self.stalled("the next height")),
                };
            }
        }
        Ok(())
    }

    /// Lets things happen until a condition holds.
    ///
    /// # Errors
    /// A broken invariant; among others, that the condition does not hold within a virtual time.
    pub fn run_until(
        &mut self,
        within_ms: u64,
        condition: impl Fn(&Self) -> bool,
    ) -> Result<(), Violation> {
        match self.comes_true(within_ms, condition)? {
            true => Ok(()),
            false => Err(self.stalled("the condition")),
        }
    }

    /// The same; false when it does not hold within that time.
    fn comes_true(
        &mut self,
        within_ms: u64,
        condition: impl Fn(&Self) -> bool,
    ) -> Result<bool, Violation> {
        let deadline_us = self.now_us + within_ms * 1_000;
        let alarms = self.alarms.clone();
        alarms.listen(|| {
            while !condition(self) {
                if self.now_us > deadline_us || !self.step()? {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Lets a virtual time pass.
    ///
    /// # Errors
    /// A broken invariant.
    pub fn run_for(&mut self, time_ms: u64) -> Result<(), Violation> {
        let until_us = self.now_us + time_ms * 1_000;
        self.run_until(time_ms + 1_000, |world| world.now_us >= until_us)
    }

    /// On half of the seeds, ends the faults of a quorum alone: that must go on without the others.
    fn heal_quorum(&mut self) -> Result<(), Violation> {
        let left = match self.config.seed % 4 {
            0 | 1 => self.spared(),
            _ => return Ok(()),
        };
        if left.is_empty() {
            return Ok(());
        }
        self.counts.healed_quorums += 1;
        self.heal_all_but(left)?;
        let target = self.height() + HEAL_HEIGHTS;
        self.run_until(HEAL_MS, |world| world.lowest() >= target)
    }

    /// Repairs everything, then waits until all is well: every correct node that has power goes on
    /// deciding, and every promise is kept.
    ///
    /// # Errors
    /// A broken invariant; a network that does not recover, or that lost something.
    pub fn finish(&mut self) -> Result<Report, Violation> {
        self.heal()?;
        self.workload.close();
        let target = self.height() + HEAL_HEIGHTS;
        let ended = self.run_until(HEAL_MS, |world| world.is_well(target));
        // A promise that is not kept says more than that nothing goes on.
        if ended.is_err() && self.lowest() >= target {
            self.kept_promises().map_err(|lost| self.explain(lost))?;
        }
        ended?;
        for host in 0..self.hosts.len() {
            self.judge_misdeeds(host)?;
            if let Some(replica) = self.hosts[host].replica() {
                self.counts.lane_equivocations += replica.equivocations();
                self.counts.false_marks += replica.false_senders();
            }
        }
        self.counts.available = self.judge.promises().made();
        self.counts.resumes = self.readers.resumes;
        self.counts.redelivered = self.readers.redelivered;
        Ok(Report {
            digest: self.digest,
            counts: self.counts.clone(),
        })
    }

    /// Adds what the nodes themselves know of something lost.
    fn explain(&self, lost: Violation) -> Violation {
        let Violation::Lost { node, name, item } = lost else {
            return lost;
        };
        let known = self.hosts.iter().enumerate().filter_map(|(index, host)| {
            let state = host.replica()?.status(&item)?;
            let correct = if self.is_correct(index) {
                ""
            } else {
                " (Byzantine)"
            };
            Some(format!("{index}{correct}: {state:?}"))
        });
        let known: Vec<String> = known.collect();
        let promised = self.index_of(node);
        let name = format!("{name}, promised by {promised:?} ({})", known.join("; "));
        Violation::Lost { node, name, item }
    }

    fn is_well(&self, target: u64) -> bool {
        let settled = self.wiped.is_empty() && self.rolled_back.is_empty();
        let is_read = self.readers.have_caught_up();
        self.lowest() >= target && settled && is_read && self.kept_promises().is_ok()
    }

    fn kept_promises(&self) -> Result<(), Violation> {
        self.judge.promises().check(|author| {
            self.index_of(author)
                .is_none_or(|host| !self.hosts[host].is_up())
        })
    }

    /// The lowest height of the correct nodes that have power and are not cut off.
    fn lowest(&self) -> u64 {
        let correct = self.hosts.iter().enumerate();
        let correct = correct.filter(|(host, _)| self.is_correct(*host));
        let correct = correct.filter(|(host, _)| !self.left.contains(host));
        let replicas = correct.filter_map(|(_, host)| host.replica());
        replicas
            .map(|replica| replica.state().height().0)
            .min()
            .unwrap_or(0)
    }

    /// Evidence must hold, and accuse nobody who is correct. What a replica has seen last is in its
    /// memory, so it is looked at now and then.
    pub(super) fn judge_misdeeds(&mut self, host: usize) -> Result<(), Violation> {
        let Some(replica) = self.hosts[host].replica() else {
            return Ok(());
        };
        let is_new = |misdeed: &&Misdeed| !self.evidence.contains(&misdeed.encode());
        let fresh: Vec<Misdeed> = replica.misdeeds().filter(is_new).cloned().collect();
        for misdeed in fresh {
            let accused = misdeed.offender();
            let verified = misdeed.verify(&Secp256k1);
            if verified.is_err() || !self.may_accuse(accused) {
                let what = format!("{verified:?}: {misdeed:?}");
                return Err(Violation::FalseEvidence { accused, what });
            }
            self.evidence.insert(misdeed.encode());
        }
        Ok(())
    }

    fn stalled(&self, what: &str) -> Violation {
        let nodes: Vec<String> = self
            .hosts
            .iter()
            .enumerate()
            .map(|(index, host)| {
                let correct = if self.is_correct(index) {
                    ""
                } else {
                    " (Byzantine)"
                };
                match host.replica() {
                    Some(replica) => format!(
                        "{index}{correct}: height {}, {:?}, wakes in {:?} ms",
                        replica.state().height(),
                        replica.consensus(),
                        replica
                            .next_wake_ms()
                            .map(|at_ms| at_ms.saturating_sub(host.clock_ms(self.now_us))),
                    ),
                    None => format!("{index}{correct}: off"),
                }
            })
            .collect();
        let at_ms = self.now_us / 1_000;
        let open = self.kept_promises().err();
        let open = open.map_or_else(String::new, |open| format!("; {open}"));
        Violation::Stalled {
            what: format!(
                "{what} does not hold at {at_ms} ms; {}{open}",
                nodes.join("; ")
            ),
        }
    }
}

//! The end of all faults: first for a quorum, then for everybody.

use std::collections::BTreeSet;

use cloverleaf_replica::Room;

use super::Simulation;
use crate::checker::Violation;

impl Simulation {
    /// Ends all faults and lets none come any more. Machines that lost power come back, except those
    /// that a scenario left off.
    ///
    /// # Errors
    /// A broken invariant.
    pub fn heal(&mut self) -> Result<(), Violation> {
        self.readers.leave_alone();
        // D4: a key that has forgotten what it signed waits until its clock is not behind.
        if let Some((host, _)) = self.config.slow_clock {
            self.hosts[host].set_clock(0);
        }
        self.heal_all_but(BTreeSet::new())
    }

    /// Ends all faults but those of some: each of them stays without power, or is cut off.
    pub(super) fn heal_all_but(&mut self, left: BTreeSet<usize>) -> Result<(), Violation> {
        self.phase += 1;
        self.faults = None;
        self.isolated = None;
        self.links.heal();
        self.left = left;
        for host in 0..self.hosts.len() {
            if self.left.contains(&host) {
                self.leave(host)?;
                continue;
            }
            self.hosts[host].light_fuse(None);
            self.hosts[host].right_clock();
            if !self.hosts[host].is_up() && self.off_us[host].is_some() {
                self.power_on(host)?;
            }
            self.set_room(host, Room::Ample)?;
        }
        self.refresh_links();
        Ok(())
    }

    fn leave(&mut self, host: usize) -> Result<(), Violation> {
        if self.random.chance(500) {
            self.crash(host)?;
            self.off_us[host] = Some(0); // until all are healed
        }
        for (from, to) in self.between(|from, to| (from == host) != (to == host)) {
            self.links.block(from, to);
        }
        Ok(())
    }

    /// Up to f machines, some of whom the network can do without when the others are well: those that
    /// are Byzantine, or have forgotten what they signed, and more if f allows it.
    pub(super) fn spared(&mut self) -> BTreeSet<usize> {
        // Who counts would change meanwhile.
        if self.config.faults.is_none() || self.config.membership_interval_ms.is_some() {
            return BTreeSet::new();
        }
        let hosts = 0..self.hosts.len();
        let is_faulty = |host: &usize| {
            let forgot = self.wiped.contains(host) || self.rolled_back.contains_key(host);
            forgot || !self.is_correct(*host)
        };
        let mut faulty: BTreeSet<usize> = hosts.filter(is_faulty).collect();
        while faulty.len() < self.config.fault_count() {
            faulty.insert(self.random.index(self.config.validators));
        }
        faulty.retain(|_| self.random.chance(700));
        faulty
    }
}

//! Faults, from the seed or by a scenario's hand, and their repair.

use std::collections::BTreeSet;

use cloverleaf_replica::{Input, Room};

use super::{Event, OldDisk, Repair, RolledBack, Simulation};
use crate::checker::Violation;
use crate::simulation::faults::{Fault, Lost};

/// When the long partition begins, in blocks.
const ISOLATION_HEIGHT: u64 = 8;

impl Simulation {
    /// A machine loses power now, and stays off.
    ///
    /// # Errors
    /// A broken invariant, seen in what it had done.
    pub fn crash(&mut self, host: usize) -> Result<(), Violation> {
        if self.hosts[host].is_up() {
            self.off_us[host] = None;
            self.hosts[host].cut_power();
            self.settle(host)?;
            self.lost_power(host);
        }
        Ok(())
    }

    /// A machine loses power before its n-th next output, and comes back after a time in
    /// milliseconds; for ever without.
    pub fn crash_after(&mut self, host: usize, outputs: u32, off_ms: Option<u64>) {
        self.off_us[host] = off_ms.map(|off_ms| off_ms * 1_000);
        self.hosts[host].light_fuse(Some(outputs));
    }

    /// True while a machine has power.
    #[must_use]
    pub fn is_up(&self, host: usize) -> bool {
        self.hosts[host].is_up()
    }

    /// A machine that has no power loses a part of its disk.
    pub fn wipe(&mut self, host: usize, lost: Lost) {
        self.hosts[host].wipe(lost);
        self.wiped.insert(host);
        self.unstarted.insert(host);
        let counts = &mut self.counts;
        let count = match lost {
            Lost::Disk => &mut counts.wiped_machines,
            Lost::Journals => &mut counts.wiped_journals,
            Lost::Lane => &mut counts.wiped_lanes,
            Lost::Votes => &mut counts.wiped_votes,
        };
        *count += 1;
        let address = self.hosts[host].address;
        let promised = self.judge.wiped(address, lost == Lost::Disk);
        self.workload.distrust(&promised);
    }

    /// Copies a machine's disk, to be put back in its place after a time in microseconds.
    fn copy_disk(&mut self, host: usize, age_us: u64, repair_us: u64) {
        let old = OldDisk {
            phase: self.phase,
            host,
            copy: self.hosts[host].copy_disk(),
            signed: self.judge.signed_by(self.hosts[host].address),
            repair_us,
        };
        let event = Event::PutBack(Box::new(old));
        self.queue.push(self.now_us + age_us, event);
    }

    /// A copy of before takes the place of a machine's disk.
    pub(super) fn put_back(&mut self, old: OldDisk) -> Result<(), Violation> {
        let OldDisk { host, .. } = old;
        let is_over = old.phase != self.phase || self.isolated.is_some();
        if is_over || !self.hosts[host].is_up() || !self.may_wipe(host) {
            return Ok(());
        }
        self.crash(host)?;
        self.hosts[host].put_back(old.copy);
        self.counts.old_disks += 1;
        self.wiped.remove(&host);
        // Its key voted for the height after the one that the others are deciding at most.
        let (until, noticed) = (self.height() + 2, false);
        self.rolled_back.insert(host, RolledBack { until, noticed });
        self.suspects.insert(host);
        let address = self.hosts[host].address;
        let promised = self.judge.put_back(address, &old.signed);
        self.workload.distrust(&promised);
        self.off_us[host] = Some(old.repair_us);
        let event = Event::PowerOn { host };
        self.queue.push(self.now_us + old.repair_us, event);
        Ok(())
    }

    /// The next start of a machine that has no power accepts that its key signs from the block after the
    /// tip on, whatever it signed before (D4).
    pub fn accept_amnesia(&mut self, host: usize) {
        let next = self.judge.state().height().next();
        self.hosts[host].accept(next);
    }

    /// At most f are Byzantine, have amnesia or run from a disk of before, or nothing is decided any
    /// more. Who changes the validators does not ask for that.
    fn may_wipe(&self, host: usize) -> bool {
        let rolled_back = self.rolled_back.keys();
        let faulty = self
            .wiped
            .iter()
            .chain(rolled_back)
            .copied()
            .chain([host])
            .collect::<BTreeSet<_>>();
        let faulty = faulty.len() + self.config.byzantine.len();
        self.config.membership_interval_ms.is_none() && faulty <= self.config.fault_count()
    }

    /// A machine starts from what its disk holds.
    ///
    /// # Errors
    /// A broken invariant.
    pub fn restart(&mut self, host: usize) -> Result<(), Violation> {
        self.power_on(host)
    }

    pub(super) fn next_fault(&mut self) -> Result<(), Violation> {
        let Some(faults) = &mut self.faults else {
            return Ok(());
        };
        let (fault, pause_us) = (faults.next(), faults.pause_us());
        self.queue.push(self.now_us + pause_us, Event::Fault);
        if self.begin_isolation() || self.isolated.is_some() {
            return Ok(()); // the others must be able to go on
        }
        self.apply_fault(fault)
    }

    pub(super) fn apply_fault(&mut self, fault: Fault) -> Result<(), Violation> {
        match fault {
            Fault::Crash {
                host,
                outputs,
                repair_us,
            } => {
                // Byzantine validators need no help; their replicas do not know what they signed.
                if self.is_correct(host) && self.hosts[host].is_up() {
                    self.off_us[host] = Some(repair_us);
                    self.hosts[host].light_fuse(Some(outputs));
                }
            }
            Fault::OldDisk {
                host,
                age_us,
                repair_us,
            } => {
                let is_whole = !self.wiped.contains(&host) && !self.rolled_back.contains_key(&host);
                if self.is_correct(host) && self.hosts[host].is_up() && is_whole {
                    self.copy_disk(host, age_us, repair_us);
                }
            }
            Fault::Wipe {
                host,
                lost,
                repair_us,
            } => self.crash_and_wipe(host, lost, repair_us)?,
            Fault::Blackout { repair_us } => self.black_out(repair_us)?,
            Fault::Partition { groups, repair_us } => {
                self.counts.partitions += 1;
                let blocked = self.between(|from, to| groups[from] != groups[to]);
                self.block(blocked, repair_us);
            }
            Fault::OneWay {
                from,
                to,
                repair_us,
            } => {
                self.counts.one_way_partitions += 1;
                self.block(vec![(from, to)], repair_us);
            }
            Fault::FullDisk {
                host,
                room,
                repair_us,
            } => self.fill_disk(host, room, repair_us)?,
            Fault::ClockJump {
                host,
                by_ms,
                repair_us,
            } => self.break_clock(host, by_ms, repair_us),
            Fault::Loss {
                permille,
                repair_us,
            } => {
                self.counts.loss_phases += 1;
                self.links.lose_more(permille);
                let repair = Repair {
                    loss: true,
                    ..Repair::default()
                };
                self.repair_later(repair, repair_us);
            }
        }
        Ok(())
    }

    fn crash_and_wipe(&mut self, host: usize, lost: Lost, repair_us: u64) -> Result<(), Violation> {
        if self.is_correct(host) && self.hosts[host].is_up() {
            self.crash(host)?;
            if self.may_wipe(host) {
                self.wipe(host, lost);
            }
            self.off_us[host] = Some(repair_us);
            let event = Event::PowerOn { host };
            self.queue.push(self.now_us + repair_us, event);
        }
        Ok(())
    }

    fn black_out(&mut self, repair_us: u64) -> Result<(), Violation> {
        self.counts.blackouts += 1;
        for host in 0..self.hosts.len() {
            if self.is_correct(host) && self.hosts[host].is_up() {
                self.off_us[host] = Some(repair_us);
                self.hosts[host].cut_power();
                self.settle(host)?;
                self.lost_power(host);
            }
        }
        Ok(())
    }

    fn fill_disk(&mut self, host: usize, room: Room, repair_us: u64) -> Result<(), Violation> {
        if self.is_correct(host) && self.hosts[host].is_up() {
            self.counts.full_disks += 1;
            self.set_room(host, room)?;
            let repair = Repair {
                room: Some(host),
                ..Repair::default()
            };
            self.repair_later(repair, repair_us);
        }
        Ok(())
    }

    fn block(&mut self, blocked: Vec<(usize, usize)>, repair_us: u64) {
        for (from, to) in &blocked {
            self.links.block(*from, *to);
        }
        let repair = Repair {
            unblock: blocked,
            ..Repair::default()
        };
        self.repair_later(repair, repair_us);
        self.refresh_links();
    }

    pub(super) fn repair_later(&mut self, repair: Repair, repair_us: u64) {
        let phase = self.phase;
        let repair = Repair { phase, ..repair };
        self.queue
            .push(self.now_us + repair_us, Event::Repair(repair));
    }

    /// A machine's disk has another room from now on.
    ///
    /// # Errors
    /// A broken invariant, seen in what follows.
    pub fn set_room(&mut self, host: usize, room: Room) -> Result<(), Violation> {
        self.hosts[host].input(self.now_us, Input::Disk(room));
        self.settle(host)
    }

    pub(super) fn between(&self, separates: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
        let count = self.hosts.len();
        let pairs = (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
        pairs.filter(|(from, to)| separates(*from, *to)).collect()
    }

    /// Cuts a correct validator off for longer than the replay window, once.
    fn begin_isolation(&mut self) -> bool {
        let blocks = self
            .config
            .faults
            .and_then(|faults| faults.long_partition_blocks);
        let Some(blocks) = blocks.filter(|_| !self.was_isolated) else {
            return false;
        };
        if self.height() < ISOLATION_HEIGHT
            || !self.wiped.is_empty()
            || !self.rolled_back.is_empty()
        {
            return false;
        }
        let host = (0..self.hosts.len()).find(|host| self.is_correct(*host));
        let host = host.expect("at most f are Byzantine");
        self.isolate_until(host, self.height() + blocks);
        true
    }

    /// Cuts a validator off until the others have decided a height.
    pub fn isolate_until(&mut self, host: usize, height: u64) {
        self.was_isolated = true;
        self.counts.partitions += 1;
        self.isolated = Some((host, height));
        for (from, to) in self.between(|from, to| (from == host) != (to == host)) {
            self.links.block(from, to);
        }
        self.refresh_links();
    }

    pub(super) fn end_isolation(&mut self) {
        let Some((host, height)) = self.isolated else {
            return;
        };
        if self.height() < height {
            return;
        }
        self.isolated = None;
        for (from, to) in self.between(|from, to| (from == host) != (to == host)) {
            self.links.unblock(from, to);
        }
        self.refresh_links();
    }
}

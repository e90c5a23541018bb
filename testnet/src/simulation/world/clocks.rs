//! Clocks that are set, right and wrong.

use super::{Repair, Simulation};

impl Simulation {
    /// Sets a machine's clock forward by so many milliseconds, or back.
    pub fn jump_clock(&mut self, host: usize, by_ms: i64) {
        self.counts.clock_jumps += 1;
        self.hosts[host].jump_clock(by_ms);
    }

    /// Sets a correct machine's clock wrong for a while, unless more than f would then be.
    pub(super) fn break_clock(&mut self, host: usize, by_ms: i64, repair_us: u64) {
        let others = (0..self.hosts.len()).filter(|other| *other != host);
        let wrong = others.filter(|other| self.is_clock_wrong(*other)).count();
        if !self.is_correct(host) || wrong >= self.config.fault_count() {
            return;
        }
        self.jump_clock(host, by_ms);
        let repair = Repair {
            clock: Some((host, -by_ms)),
            ..Repair::default()
        };
        self.repair_later(repair, repair_us);
    }

    /// T1 holds between any two clocks that are not wrong. One that was right again is wrong until the
    /// machine's time has caught up with what it had said.
    fn is_clock_wrong(&self, host: usize) -> bool {
        let drift_ms = self.genesis.parameters.clock_drift_ms;
        self.hosts[host].clock_error_ms(self.now_us) > drift_ms / 2
    }
}

//! A clock that a validator can go by, over one that anybody may set.

/// The machine's clock as a [`Replica`](crate::Replica) needs it: it never falls and never stands
/// still. After the machine's was set back it goes at half speed until that has caught up, so that
/// timeouts still come and the time that blocks are made of comes back to what other machines say.
///
/// It is told two clocks, both in milliseconds: a steady one that nobody sets, from any moment on, and
/// the machine's, since 1970.
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock {
    /// When the machine's clock was last ahead, by the steady one, and what it said.
    anchor_ms: u64,
    said_ms: u64,
}

impl SteadyClock {
    /// Begins with what the machine believes.
    #[must_use]
    pub fn new(steady_ms: u64, machine_ms: u64) -> Self {
        Self {
            anchor_ms: steady_ms,
            said_ms: machine_ms,
        }
    }

    /// Milliseconds since 1970, for this moment and all after it.
    pub fn read(&mut self, steady_ms: u64, machine_ms: u64) -> u64 {
        let now_ms = self.at(steady_ms, machine_ms);
        if now_ms == machine_ms {
            (self.anchor_ms, self.said_ms) = (steady_ms, machine_ms);
        }
        now_ms
    }

    /// What [`SteadyClock::read`] would say.
    #[must_use]
    pub fn at(&self, steady_ms: u64, machine_ms: u64) -> u64 {
        let since_ms = steady_ms.saturating_sub(self.anchor_ms);
        machine_ms.max(self.said_ms.saturating_add(since_ms / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_that_was_set_back_still_goes_on_and_comes_back() {
        let mut clock = SteadyClock::new(0, 0);
        assert_eq!(clock.read(10, 5_000_000_000_000), 5_000_000_000_000);
        // Back by an hour.
        let machine_ms = 5_000_000_000_000 - 3_600_000;
        assert_eq!(clock.read(20, machine_ms + 10), 5_000_000_000_005);
        assert_eq!(clock.read(1_010, machine_ms + 1_000), 5_000_000_000_500);
        let (later_ms, machine_ms) = (2 * 3_600_000 + 10, 5_000_000_000_000 + 3_600_000);
        assert_eq!(clock.read(later_ms, machine_ms), machine_ms);
        assert_eq!(clock.read(later_ms + 5, machine_ms + 5), machine_ms + 5);
    }

    #[test]
    fn clock_that_is_only_looked_at_says_what_it_will_say_when_it_is_read() {
        let mut clock = SteadyClock::new(100, 1_000);
        for (steady_ms, machine_ms) in [(110, 1_010), (150, 900), (151, 2_000), (400, 1_000)] {
            let seen_ms = clock.at(steady_ms, machine_ms);
            assert_eq!(clock.read(steady_ms, machine_ms), seen_ms);
        }
    }
}

//! The one place that reads the machine's clock, and waits by it.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, as this machine believes.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
#[must_use]
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A moment, to be compared with other moments of this process only.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// Milliseconds since this was asked first, by a clock that nobody sets.
#[must_use]
pub(crate) fn uptime_ms() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let since = START.get_or_init(instant).elapsed();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub(crate) fn start() -> Self {
        Self(instant())
    }

    /// How long ago that was.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// How long ago that was, in seconds.
    pub(crate) fn seconds(self) -> f64 {
        self.elapsed().as_secs_f64()
    }
}

/// Waits, in milliseconds.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

/// The machine's clock as a validator needs it: it never falls and never stands still. After the
/// machine's was set back it goes at half speed until that has caught up, so that timeouts still
/// come and the time that blocks are made of comes back to what other machines say.
#[derive(Debug)]
pub(crate) struct SteadyClock {
    /// When the machine's clock was last ahead, and what it said.
    anchor: Instant,
    anchor_ms: u64,
}

impl SteadyClock {
    /// Begins with what the machine believes.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub(crate) fn new() -> Self {
        Self {
            anchor: Instant::now(),
            anchor_ms: now_ms(),
        }
    }

    /// Milliseconds since 1970.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub(crate) fn now_ms(&mut self) -> u64 {
        self.read(Instant::now(), now_ms())
    }

    fn read(&mut self, instant: Instant, machine_ms: u64) -> u64 {
        let since = instant.saturating_duration_since(self.anchor);
        let since_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let floor_ms = self.anchor_ms.saturating_add(since_ms / 2);
        if machine_ms < floor_ms {
            return floor_ms;
        }
        (self.anchor, self.anchor_ms) = (instant, machine_ms);
        machine_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_that_was_set_back_still_goes_on_and_comes_back() {
        let mut clock = SteadyClock::new();
        let start = clock.anchor;
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(clock.read(after(10), 5_000_000_000_000), 5_000_000_000_000);
        // Back by an hour.
        let machine_ms = 5_000_000_000_000 - 3_600_000;
        assert_eq!(clock.read(after(20), machine_ms + 10), 5_000_000_000_005);
        assert_eq!(
            clock.read(after(1_010), machine_ms + 1_000),
            5_000_000_000_500
        );
        let (later_ms, machine_ms) = (2 * 3_600_000 + 10, 5_000_000_000_000 + 3_600_000);
        assert_eq!(clock.read(after(later_ms), machine_ms), machine_ms);
        assert_eq!(
            clock.read(after(later_ms + 5), machine_ms + 5),
            machine_ms + 5
        );
    }
}

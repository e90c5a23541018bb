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

/// The machine's clock as a validator needs it: it never falls and never stands still.
#[derive(Debug)]
pub(crate) struct SteadyClock(cloverleaf_replica::SteadyClock);

impl SteadyClock {
    /// Begins with what the machine believes.
    pub(crate) fn new() -> Self {
        Self(cloverleaf_replica::SteadyClock::new(uptime_ms(), now_ms()))
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&mut self) -> u64 {
        self.0.read(uptime_ms(), now_ms())
    }
}

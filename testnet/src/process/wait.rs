//! Waiting for what another process does: with a deadline, never for a fixed time.

use std::time::{Duration, Instant};

use super::Error;

/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Looks again and again until it is so.
///
/// # Errors
/// It is not so when the time is over.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that waits for other processes"
)]
pub fn wait_until(
    what: impl Into<String>,
    timeout: Duration,
    mut is_so: impl FnMut() -> bool,
) -> Result<(), Error> {
    let waited = Stopwatch::start();
    while !is_so() {
        if waited.elapsed() > timeout {
            return Err(Error::TimedOut {
                what: what.into(),
                timeout_ms: timeout.as_millis(),
            });
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    Ok(())
}

/// Lets a time pass in which others do something, up to the moment at which they are disturbed. Whoever
/// wants something to come true uses [`wait_until`].
#[expect(
    clippy::disallowed_methods,
    reason = "the moments at which others are disturbed are chosen by chance"
)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "real processes have real time")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago that was.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_when_it_is_so() {
        let mut looks = 0;
        wait_until("the third look", Duration::from_secs(60), || {
            looks += 1;
            looks == 3
        })
        .unwrap();
        assert_eq!(looks, 3);
    }

    #[test]
    fn waiting_ends_with_the_deadline_and_says_for_what() {
        let late = wait_until("rain", Duration::ZERO, || false).unwrap_err();
        assert_eq!(late.to_string(), "not within 0 ms: rain");
    }
}

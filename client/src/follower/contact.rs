//! Whether anybody serves a follower, for whoever watches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;

/// A stream is open.
const SERVED: u64 = u64::MAX;

/// Whether an upstream serves a follower. Looking costs nothing; clones look at the same follower.
#[derive(Clone, Debug)]
pub struct Contact {
    clock: Clock,
    /// Since when nobody has, by that clock, or [`SERVED`].
    lost_since_ms: Arc<AtomicU64>,
}

impl Contact {
    /// Nobody has yet.
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            lost_since_ms: Arc::new(AtomicU64::new(clock.now_ms())),
        }
    }

    /// For how long the follower has been without an upstream, in milliseconds; 0 while one serves
    /// its stream, whether there are batches or not.
    #[must_use]
    pub fn lost_ms(&self) -> u64 {
        self.lost_at(self.clock.now_ms())
    }

    /// An upstream serves.
    pub(super) fn found(&self) {
        self.lost_since_ms.store(SERVED, Ordering::Relaxed);
    }

    /// None does, since that time.
    pub(super) fn lost(&self, since_ms: u64) {
        self.lost_since_ms.store(since_ms, Ordering::Relaxed);
    }

    /// Since when none does; nothing while one does.
    pub(super) fn lost_since_ms(&self) -> Option<u64> {
        let since_ms = self.lost_since_ms.load(Ordering::Relaxed);
        (since_ms != SERVED).then_some(since_ms)
    }

    fn lost_at(&self, now_ms: u64) -> u64 {
        let since_ms = self.lost_since_ms();
        since_ms.map_or(0, |since_ms| now_ms.saturating_sub(since_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contact_is_lost_from_the_start_until_somebody_serves_and_again_after_that() {
        let contact = Contact::new(Clock::start());
        contact.lost(0);
        assert_eq!(contact.lost_at(31_000), 31_000);
        contact.found();
        assert_eq!(contact.lost_at(90_000), 0);
        contact.lost(90_000);
        assert_eq!(contact.clone().lost_at(90_500), 500);
    }
}

//! How far a network of four is, and when it came there.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Validators of a network.
pub const VALIDATORS: usize = 4;

/// How many of them decide: more than two thirds.
pub const QUORUM: usize = 3;

/// Longest time without a new height before a network is taken to stand still.
const STANDSTILL: Duration = Duration::from_secs(60);

/// Heights that are remembered after their quorum: more than a network is ahead of who asks.
const REMEMBERED: u64 = 10_000;

/// Where validators tell which heights they have finished.
#[derive(Debug, Default)]
pub struct Progress {
    heights: Mutex<Heights>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Heights {
    /// How many validators have finished a height, while they are fewer than a quorum.
    finished: BTreeMap<u64, usize>,
    /// When a quorum had.
    decided: BTreeMap<u64, Instant>,
}

impl Progress {
    /// A validator has finished a height: it is durable there, and the next may begin.
    pub fn finished(&self, height: u64) {
        let now = Instant::now();
        let mut heights = self.heights.lock().unwrap_or_else(PoisonError::into_inner);
        if heights.decided.contains_key(&height) {
            return;
        }
        let finished = heights.finished.entry(height).or_default();
        *finished += 1;
        if *finished == QUORUM {
            heights.finished.remove(&height);
            heights.decided.insert(height, now);
            let oldest = height.saturating_sub(REMEMBERED);
            heights.decided = heights.decided.split_off(&oldest);
            self.changed.notify_all();
        }
    }

    /// The time of so many heights, from the end of the next one on.
    ///
    /// # Panics
    /// The network stands still.
    pub fn time(&self, count: u64) -> Duration {
        let (first, start) = self.after(self.last() + 1);
        let (last, end) = self.after(first + count);
        assert_eq!(last, first + count, "heights are decided in their order");
        end - start
    }

    /// The latest height that a quorum has finished.
    pub fn last(&self) -> u64 {
        let heights = self.heights.lock().unwrap_or_else(PoisonError::into_inner);
        heights.decided.keys().next_back().copied().unwrap_or(0)
    }

    /// The first height from this one on that a quorum has finished, and when.
    fn after(&self, height: u64) -> (u64, Instant) {
        let mut heights = self.heights.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some((found, at)) = heights.decided.range(height..).next() {
                return (*found, *at);
            }
            let waited = self.changed.wait_timeout(heights, STANDSTILL);
            let (woken, waiting) = waited.unwrap_or_else(PoisonError::into_inner);
            assert!(!waiting.timed_out(), "height {height} does not come");
            heights = woken;
        }
    }
}

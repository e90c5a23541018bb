//! Measured times.

use std::time::Duration;

use serde::Serialize;

/// Measured times, sorted.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<Duration>);

/// What so many of them did not exceed, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Times {
    /// Half of them.
    pub p50_ms: f64,
    /// 99 of a hundred.
    pub p99_ms: f64,
    /// 999 of a thousand.
    pub p999_ms: f64,
    /// All.
    pub max_ms: f64,
}

impl Latencies {
    /// Sorts them.
    #[must_use]
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time that so many of a thousand did not exceed, in milliseconds; zero when none was measured.
    #[must_use]
    pub fn permille_ms(&self, permille: usize) -> f64 {
        let rank = (self.0.len() * permille).div_ceil(1_000).max(1) - 1;
        let time = self.0.get(rank).copied().unwrap_or_default();
        time.as_secs_f64() * 1_000.0
    }

    /// How many were measured.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The usual four.
    #[must_use]
    pub fn times(&self) -> Times {
        let [p50_ms, p99_ms, p999_ms, max_ms] =
            [500, 990, 999, 1_000].map(|permille| self.permille_ms(permille));
        Times {
            p50_ms,
            p99_ms,
            p999_ms,
            max_ms,
        }
    }
}

impl FromIterator<Duration> for Latencies {
    fn from_iter<T: IntoIterator<Item = Duration>>(times: T) -> Self {
        Self::new(times.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_and_ninety_nine_of_a_hundred_are_found() {
        let latencies: Latencies = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(latencies.count(), 200);
        let times = Times {
            p50_ms: 100.0,
            p99_ms: 198.0,
            p999_ms: 200.0,
            max_ms: 200.0,
        };
        assert_eq!(latencies.times(), times);
        assert_eq!(Latencies::default().times(), Times::default());
    }
}

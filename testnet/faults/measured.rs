//! What was measured many times, told in three numbers.

use std::time::Duration;

/// Times of one sort, in milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured(Vec<u64>);

impl Measured {
    /// Adds a time.
    pub(crate) fn add(&mut self, time: Duration) {
        self.0
            .push(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    }

    /// Adds times, in milliseconds.
    pub(crate) fn extend(&mut self, times_ms: Vec<u64>) {
        self.0.extend(times_ms);
    }

    /// Half of them, 99 in 100 of them and all of them took at most so long.
    pub(crate) fn told(&self) -> String {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = |hundredths: usize| {
            let index = (sorted.len() * hundredths).div_ceil(100).max(1) - 1;
            sorted.get(index).copied().unwrap_or(0)
        };
        format!("p50 {} p99 {} max {} ms", at(50), at(99), at(100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        let mut measured = Measured::default();
        measured.extend((1..=200).rev().collect());
        assert_eq!(measured.told(), "p50 100 p99 198 max 200 ms");
        measured.add(Duration::from_secs(1));
        assert_eq!(measured.told(), "p50 101 p99 199 max 1000 ms");
        assert_eq!(Measured::default().told(), "p50 0 p99 0 max 0 ms");
    }
}

//! Regions of a public cloud, and how long something takes from one to another.

use crate::heights::count;

/// A region.
pub(super) struct Region {
    pub(super) name: &'static str,
    /// One-way delays to the regions before it, in milliseconds: half of the median round trip of a
    /// month (cloudping.co, as it stands in Arc's `crates/quake/src/latency.rs`, 2026).
    delays_ms: &'static [u64],
}

/// Three continents with the first four, five with all.
pub(super) const REGIONS: [Region; 7] = [
    Region::new("Virginia", &[]),
    Region::new("Oregon", &[34]),
    Region::new("Frankfurt", &[48, 73]),
    Region::new("Tokyo", &[76, 51, 116]),
    Region::new("Dublin", &[36, 61, 12, 103]),
    Region::new("Singapore", &[109, 83, 82, 36, 88]),
    Region::new("São Paulo", &[58, 89, 103, 131, 90, 165]),
];

impl Region {
    const fn new(name: &'static str, delays_ms: &'static [u64]) -> Self {
        Self { name, delays_ms }
    }
}

/// From one region to another.
pub(super) fn delay_ms(from: usize, to: usize) -> u64 {
    REGIONS[from.max(to)].delays_ms[from.min(to)]
}

/// How long it takes from a validator until a quorum has something, itself included: on average over the
/// validators of the first regions.
pub(super) fn quorum_delay_ms(validators: usize) -> f64 {
    let others_needed = validators * 2 / 3;
    let to_quorum = |from: usize| {
        let others = (0..validators).filter(|to| *to != from);
        let mut delays: Vec<u64> = others.map(|to| delay_ms(from, to)).collect();
        delays.sort_unstable();
        delays[others_needed - 1]
    };
    let sum: u64 = (0..validators).map(to_quorum).sum();
    count(usize::try_from(sum).unwrap_or(usize::MAX)) / count(validators)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_has_a_delay_to_each_before_it() {
        for (index, region) in REGIONS.iter().enumerate() {
            assert_eq!(region.delays_ms.len(), index, "{}", region.name);
        }
        assert_eq!((delay_ms(2, 3), delay_ms(3, 2)), (116, 116));
    }

    #[test]
    fn quorum_of_four_is_there_with_the_second_of_the_others() {
        // Virginia 48, Oregon 51, Frankfurt 73, Tokyo 76.
        assert_eq!(quorum_delay_ms(4), 62.0);
    }
}

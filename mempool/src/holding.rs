//! How far a lane is held by enough of the voting power.

/// What one validator holds of a lane's epoch: all parcels with a number below `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) count: u64,
    pub(crate) power: u64,
}

/// The highest count up to which the holders together have `enough` power; 0 when they never have.
pub(crate) fn held_by_enough(mut holdings: Vec<Holding>, enough: impl Fn(u64) -> bool) -> u64 {
    holdings.sort_unstable_by_key(|holding| core::cmp::Reverse(holding.count));
    let mut power = 0;
    for holding in holdings {
        power += holding.power;
        if enough(power) {
            return holding.count;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_is_what_the_slowest_needed_holder_has() {
        let holdings = |counts: &[u64]| {
            let holding = |count: &u64| Holding {
                count: *count,
                power: 1,
            };
            counts.iter().map(holding).collect::<Vec<_>>()
        };
        let quorum_of_four = |power| power >= 3;
        assert_eq!(held_by_enough(holdings(&[7, 1, 5, 3]), quorum_of_four), 3);
        assert_eq!(held_by_enough(holdings(&[7, 5]), quorum_of_four), 0);
    }
}

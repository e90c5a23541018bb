//! Who hears whom in which round, laid down beforehand: the schedules of the Twins method (Bano et al.,
//! 2020), in which two machines with one key face different parts of the network.
//!
//! ```text
//!  case 0 ..= 1023     four validators: each of 4 keys twice × 16 splits of round 0 × 16 of round 1
//!  case 1024 ..        four or seven: chance splits up to three ways, by height and round, four rounds
//! ```

use cloverleaf_types::{Height, Round};

use super::config::Config;
use super::random::Random;

/// Heights that a script lays down; then everybody hears everybody.
const HEIGHTS: u64 = 4;

/// For how long it does, in milliseconds: parts without a quorum would wait for each other for ever,
/// since nobody leaves a round in which too few were heard.
const TIME_MS: u64 = 3_000;

/// Cases that are every case of their kind.
pub const EXHAUSTIVE_CASES: u64 = 4 * SPLITS * SPLITS;

/// Ways to part five machines in two groups, one of them the first machine's.
const SPLITS: u64 = 16;

/// Rounds of each height that chance lays down.
const ROUNDS: usize = 4;

/// By round, for every machine its group; machines of different groups do not hear each other's votes,
/// proposals and certificates of that round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// By height, the last of them for all that are laid down above.
    heights: Vec<Vec<Vec<u64>>>,
}

impl Script {
    /// The same groups in every round of every height that is laid down.
    #[must_use]
    pub fn split(groups: &[u64]) -> Self {
        let heights = vec![vec![groups.to_vec(); ROUNDS]];
        Self { heights }
    }

    /// True while the script lasts.
    pub(crate) fn lasts(time_ms: u64) -> bool {
        time_ms < TIME_MS
    }

    /// True when a message of a height and round is kept from a machine.
    pub(crate) fn separates(&self, height: Height, round: Round, from: usize, to: usize) -> bool {
        let index = height.0.saturating_sub(1);
        if index >= HEIGHTS {
            return false;
        }
        let last = self.heights.len() - 1;
        let index = usize::try_from(index).map_or(last, |index| index.min(last));
        let round = usize::try_from(round.0).unwrap_or(usize::MAX);
        let groups = self.heights[index].get(round);
        groups.is_some_and(|groups| groups[from] != groups[to])
    }
}

/// The network of a case.
#[must_use]
pub fn twins(case: u64) -> Config {
    let mut config = Config::calm(case);
    config.heights = HEIGHTS + 2;
    // Chance must not decide what the case does.
    config.links.jitter_us = 500;
    config.workload.senders = 4;
    if case < EXHAUSTIVE_CASES {
        let (twin, splits) = (case / (SPLITS * SPLITS), case % (SPLITS * SPLITS));
        config.twins = vec![usize::try_from(twin).expect("below four")];
        let round = |split: u64| (0..5).map(|machine| split << 1 >> machine & 1).collect();
        let rounds = vec![round(splits / SPLITS), round(splits % SPLITS)];
        config.script = Some(Script {
            heights: vec![rounds],
        });
        return config;
    }
    sampled(config)
}

fn sampled(mut config: Config) -> Config {
    let mut random = Random::new(config.seed ^ 0x7311);
    config.validators = if random.chance(500) { 4 } else { 7 };
    let count = config.fault_count();
    let first = random.index(config.validators);
    let chosen = (0..count).map(|step| (first + 2 * step) % config.validators);
    config.twins = chosen.collect();
    let machines = config.validators + count;
    let mut groups = || (0..machines).map(|_| random.below(3)).collect();
    let mut rounds = || (0..ROUNDS).map(|_| groups()).collect();
    let heights = (0..HEIGHTS).map(|_| rounds()).collect();
    config.script = Some(Script { heights });
    config
}

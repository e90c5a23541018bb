//! What a simulated network is made of.

use cloverleaf_mempool::Limits;
use cloverleaf_types::Parameters;

use super::byzantine::Kind;
use super::faulty::Ordering;
use super::random::Random;
use super::script::Script;

/// Transactions in a pool that is soon full: a few rounds of what is submitted to one node.
const SMALL_POOL_TRANSACTIONS_MAX: usize = 12;

/// Furthest that a clock is ahead or behind, in milliseconds: fifteen times what others accept (T1).
pub(super) const WRONG_CLOCK_MS: u64 = 3_000;

/// One simulated network and what happens to it; everything else follows from the seed.
#[derive(Clone, Debug)]
pub struct Config {
    /// Decides every choice and every chance.
    pub seed: u64,
    /// How many validators there are at genesis, of equal power.
    pub validators: usize,
    /// How many more machines run as observers and may become validators.
    pub joiners: usize,
    /// Mean time between two changes of the validators, in milliseconds; none by itself without it.
    pub membership_interval_ms: Option<u64>,
    /// How many heights are decided before the network is left in peace.
    pub heights: u64,
    /// What the network chose.
    pub parameters: Parameters,
    /// How messages travel.
    pub links: LinkConfig,
    /// How long a disk takes.
    pub disk: DiskConfig,
    /// How often something breaks; nothing does by itself without it.
    pub faults: Option<FaultConfig>,
    /// Which validators are Byzantine, and how; at most f.
    pub byzantine: Vec<(usize, Kind)>,
    /// Validators whose key a second machine has too, each behind those at genesis and the joiners;
    /// they count as Byzantine.
    pub twins: Vec<usize>,
    /// Who hears whom, while it is laid down.
    pub script: Option<Script>,
    /// What a pool holds at most.
    pub limits: Limits,
    /// What is submitted.
    pub workload: WorkloadConfig,
    /// A validator whose clock is ahead by so many milliseconds; the others' differ by little.
    pub fast_clock: Option<(usize, u64)>,
    /// A validator whose clock is behind by so many milliseconds.
    pub slow_clock: Option<(usize, u64)>,
    /// What is broken on purpose, to see that it is noticed.
    pub controls: Controls,
}

/// How messages travel. Times are microseconds, chances are of 1,000.
#[derive(Clone, Copy, Debug)]
pub struct LinkConfig {
    /// Shortest one-way delay of a message.
    pub delay_us: u64,
    /// Most that chance adds to it; what overtakes is reordered.
    pub jitter_us: u64,
    /// Messages that are lost.
    pub loss_permille: u64,
    /// Messages that come twice.
    pub duplicate_permille: u64,
}

/// How long a disk takes, in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct DiskConfig {
    /// Shortest time of a sync.
    pub sync_us: u64,
    /// Most that chance adds to it.
    pub jitter_us: u64,
}

/// How often something breaks.
#[derive(Clone, Copy, Debug)]
pub struct FaultConfig {
    /// Mean time between two faults, in milliseconds.
    pub interval_ms: u64,
    /// Longest time until it is repaired, in milliseconds.
    pub repair_ms: u64,
    /// One validator is cut off for so many blocks, beyond the replay window.
    pub long_partition_blocks: Option<u64>,
}

/// As many faults in the longest repair are a storm.
const STORM_FAULTS: u64 = 8;

impl FaultConfig {
    /// So much is broken at once that a quorum may not be up for as long as a height takes.
    #[must_use]
    pub fn is_storm(&self) -> bool {
        self.repair_ms >= STORM_FAULTS * self.interval_ms
    }
}

/// What is submitted.
#[derive(Clone, Copy, Debug)]
pub struct WorkloadConfig {
    /// Senders of single transactions.
    pub senders: usize,
    /// Senders of bundles.
    pub bundlers: usize,
    /// Longest data of a transaction, in bytes.
    pub data_bytes_max: usize,
    /// Time between two rounds of submissions, in milliseconds.
    pub interval_ms: u64,
    /// Items that are sent to a second node too, and legs that are sent alone, of 1,000.
    pub echo_permille: u64,
    /// Control transactions (S1) in a thousand of its steps: registrations, pauses, parameters.
    pub changes_permille: u64,
}

/// What is broken on purpose: the checker must notice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Controls {
    /// Votes leave before the vote journal is synced.
    pub votes_leave_early: bool,
    /// Parcels are said to be durable before they are.
    pub parcels_durable_early: bool,
    /// Keys sign although their journals are gone.
    pub amnesia_ignored: bool,
    /// Nobody verifies what authors marked as checked.
    pub marks_unverified: bool,
    /// What the vote journal holds is not read at the start: the guard has forgotten.
    pub votes_forgotten: bool,
    /// The replay window is empty after a start.
    pub window_forgotten: bool,
    /// Readers store their cursors before the effects.
    pub cursors_first: bool,
    /// Streams are served from the batch after the one that is asked for.
    pub streams_skip: bool,
    /// Blocks are ordered wrong, by all alike.
    pub ordering: Option<Ordering>,
}

impl Config {
    /// Four validators, good links, no faults.
    #[must_use]
    pub fn calm(seed: u64) -> Self {
        Self {
            seed,
            validators: 4,
            joiners: 0,
            membership_interval_ms: None,
            heights: 50,
            parameters: parameters(),
            links: LinkConfig {
                delay_us: 2_000,
                jitter_us: 3_000,
                loss_permille: 0,
                duplicate_permille: 0,
            },
            disk: DiskConfig {
                sync_us: 500,
                jitter_us: 2_000,
            },
            limits: Limits::default(),
            faults: None,
            byzantine: Vec::new(),
            twins: Vec::new(),
            script: None,
            workload: WorkloadConfig {
                senders: 8,
                bundlers: 4,
                data_bytes_max: 120,
                interval_ms: 10,
                echo_permille: 80,
                changes_permille: 0,
            },
            fast_clock: None,
            slow_clock: None,
            controls: Controls::default(),
        }
    }

    /// A network that a seed makes hard: four or seven validators, lossy links, crashes, partitions,
    /// often a Byzantine validator.
    #[must_use]
    pub fn hostile(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x5EED);
        let mut config = Self::calm(seed);
        config.validators = if random.chance(250) { 7 } else { 4 };
        config.links = LinkConfig {
            delay_us: random.between(500, 8_000),
            jitter_us: random.between(1_000, 20_000),
            loss_permille: random.between(0, 30),
            duplicate_permille: random.between(0, 30),
        };
        config.disk.jitter_us = random.between(1_000, 10_000);
        config.workload.changes_permille = 60;
        config.parameters.block_time_ms = *random.pick(&[0, 20, 60]);
        // Every sixth network runs for longer than the replay window.
        let long = seed % 6 == 5;
        // In every third the validators change.
        if seed % 3 == 1 {
            config.joiners = 2;
            config.membership_interval_ms = Some(random.between(200, 600));
        }
        config.heights = if long { 110 } else { 50 };
        config.faults = Some(FaultConfig {
            interval_ms: random.between(150, 700),
            repair_ms: random.between(200, 2_000),
            long_partition_blocks: long.then_some(70),
        });
        // Two of sixteen have no Byzantine validator.
        let of_seed = usize::try_from(seed % 16).expect("below sixteen");
        let mut kinds: Vec<Kind> = Kind::ALL.get(of_seed).copied().into_iter().collect();
        if config.validators == 7 {
            kinds.push(*random.pick(&Kind::ALL));
        }
        // Who is cut off for long counts as faulty too: the others must be able to go on.
        kinds.truncate(config.fault_count() - usize::from(long));
        let validators = config.validators;
        let first = random.index(validators);
        let spread = (0..).map(|step| (first + 2 * step) % validators);
        config.byzantine = spread.zip(kinds).collect();
        // A Byzantine validator that is silent uses up f: the others need times when all are well.
        if let Some(faults) = config
            .faults
            .as_mut()
            .filter(|_| !config.byzantine.is_empty())
        {
            faults.interval_ms *= 2;
        }
        if random.chance(150) {
            let ahead_ms = random.between(100, WRONG_CLOCK_MS);
            config.fast_clock = Some((random.index(config.validators), ahead_ms));
        } else if seed % 8 == 3 {
            let behind_ms = random.between(100, WRONG_CLOCK_MS);
            config.slow_clock = Some((random.index(config.validators), behind_ms));
        }
        if random.chance(250) {
            config.limits.transactions_max = SMALL_POOL_TRANSACTIONS_MAX;
        }
        config
    }

    /// f: how many validators may be faulty.
    #[must_use]
    pub fn fault_count(&self) -> usize {
        (self.validators - 1) / 3
    }
}

/// Short times: virtual time costs nothing, but every block does.
fn parameters() -> Parameters {
    Parameters {
        block_time_ms: 20,
        empty_block_interval_ms: 300,
        replay_window_ms: 1_000,
        propose_timeout_ms: 150,
        vote_timeout_ms: 80,
        timeout_growth_ms: 80,
        fetch_delay_ms: 40,
        parcel_age_ms: 10,
        clock_drift_ms: 200,
        ..Parameters::default()
    }
}

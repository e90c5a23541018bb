//! What breaks next, and for how long; all of it from the seed.

use cloverleaf_replica::Room;

use super::config::FaultConfig;
use super::random::Random;

/// Something that breaks. Times are microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// One machine loses power before its n-th next output.
    Crash {
        host: usize,
        outputs: u32,
        repair_us: u64,
    },
    /// One machine loses power and its journals, or all but its key.
    Wipe {
        host: usize,
        all: bool,
        repair_us: u64,
    },
    /// All machines lose power at once.
    Blackout { repair_us: u64 },
    /// Messages between two groups are lost in both directions: true is the one, false the other.
    Partition { groups: Vec<bool>, repair_us: u64 },
    /// Messages from one machine to another are lost, and connections stay.
    OneWay {
        from: usize,
        to: usize,
        repair_us: u64,
    },
    /// One machine's disk has no room, or nearly none (D6).
    FullDisk {
        host: usize,
        room: Room,
        repair_us: u64,
    },
    /// Many messages are lost.
    Loss { permille: u64, repair_us: u64 },
}

/// Draws faults.
#[derive(Debug)]
pub(crate) struct Faults {
    config: FaultConfig,
    count: usize,
    random: Random,
}

impl Faults {
    pub(crate) fn new(config: FaultConfig, count: usize, random: Random) -> Self {
        Self {
            config,
            count,
            random,
        }
    }

    /// When the next fault comes, in microseconds from now.
    pub(crate) fn pause_us(&mut self) -> u64 {
        let mean_us = self.config.interval_ms * 1_000;
        self.random.between(mean_us / 2, mean_us + mean_us / 2)
    }

    /// The next fault.
    pub(crate) fn next(&mut self) -> Fault {
        let repair_us = self.repair_us();
        match self.random.below(100) {
            0..=7 => Fault::Wipe {
                host: self.random.index(self.count),
                all: self.random.chance(500),
                repair_us,
            },
            8..=49 => Fault::Crash {
                host: self.random.index(self.count),
                outputs: u32::try_from(self.random.below(12)).expect("small"),
                repair_us,
            },
            50..=52 => Fault::Blackout { repair_us },
            53..=69 => Fault::Partition {
                groups: self.groups(),
                repair_us,
            },
            70..=84 => {
                let from = self.random.index(self.count);
                let step = 1 + self.random.index(self.count - 1);
                Fault::OneWay {
                    from,
                    to: (from + step) % self.count,
                    repair_us,
                }
            }
            85..=92 => Fault::FullDisk {
                host: self.random.index(self.count),
                room: *self
                    .random
                    .pick(&[Room::Low, Room::Exhausted, Room::Exhausted]),
                repair_us,
            },
            _ => Fault::Loss {
                permille: self.random.between(50, 400),
                repair_us,
            },
        }
    }

    /// Mostly one machine alone, which the others can go on without.
    fn groups(&mut self) -> Vec<bool> {
        let alone = self.random.index(self.count);
        if self.random.chance(700) {
            (0..self.count).map(|host| host == alone).collect()
        } else {
            (0..self.count).map(|_| self.random.chance(500)).collect()
        }
    }

    fn repair_us(&mut self) -> u64 {
        let longest_us = self.config.repair_ms * 1_000;
        self.random.between(longest_us / 10, longest_us)
    }
}

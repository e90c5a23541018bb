//! What breaks next, and for how long; all of it from the seed.

use cloverleaf_replica::Room;

use super::config::{FaultConfig, WRONG_CLOCK_MS};
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
    /// One machine loses power and a part of its disk.
    Wipe {
        host: usize,
        lost: Lost,
        repair_us: u64,
    },
    /// One machine's disk is copied, and after a time the copy is put back in its place.
    OldDisk {
        host: usize,
        age_us: u64,
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
    /// One machine's clock is set forward or back, and later right again.
    ClockJump {
        host: usize,
        by_ms: i64,
        repair_us: u64,
    },
    /// Many messages are lost.
    Loss { permille: u64, repair_us: u64 },
}

/// What a disk loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Everything.
    Disk,
    /// All journals.
    Journals,
    /// The lane log alone.
    Lane,
    /// The vote journal alone.
    Votes,
}

impl Lost {
    const ALL: [Self; 4] = [Self::Disk, Self::Journals, Self::Lane, Self::Votes];
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
            0..=8 => Fault::Wipe {
                host: self.random.index(self.count),
                lost: *self.random.pick(&Lost::ALL),
                repair_us,
            },
            9..=13 => Fault::OldDisk {
                host: self.random.index(self.count),
                age_us: self.repair_us(),
                repair_us,
            },
            14..=49 => Fault::Crash {
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
            93..=95 => Fault::ClockJump {
                host: self.random.index(self.count),
                by_ms: self.jump_ms(),
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

    /// As often back as forward.
    fn jump_ms(&mut self) -> i64 {
        let by_ms = self.random.between(10, WRONG_CLOCK_MS);
        let by_ms = i64::try_from(by_ms).expect("a few seconds");
        if self.random.chance(500) {
            by_ms
        } else {
            -by_ms
        }
    }

    fn repair_us(&mut self) -> u64 {
        let longest_us = self.config.repair_ms * 1_000;
        self.random.between(longest_us / 10, longest_us)
    }
}

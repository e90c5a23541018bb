//! Links between machines: delay, loss, duplication, reordering, partitions in one or both
//! directions.

use cloverleaf_replica::Class;

use super::config::LinkConfig;
use super::random::Random;

/// How two machines are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// Not at all.
    Down,
    /// It is being made; the number tells attempts apart.
    Making(u64),
    /// Messages travel; the number tells it from the ones before, whose messages are lost.
    Up(u64),
}

/// What a change in the network means for a pair of machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A connection is being made.
    Begun(u64),
    /// A connection is gone.
    Lost,
}

/// All links of a network.
#[derive(Debug)]
pub(crate) struct Links {
    config: LinkConfig,
    random: Random,
    count: usize,
    connections: Vec<Connection>,
    /// By sender and receiver: how many faults block this direction.
    blocks: Vec<u32>,
    /// By sender and receiver: when the last message arrives, of those that are on their way.
    latest_us: Vec<u64>,
    /// What loss phases add to the usual loss.
    more_loss_permille: u64,
    attempts: u64,
}

impl Links {
    pub(crate) fn new(config: LinkConfig, count: usize, random: Random) -> Self {
        Self {
            config,
            random,
            count,
            connections: vec![Connection::Down; count * count],
            blocks: vec![0; count * count],
            latest_us: vec![0; count * count],
            more_loss_permille: 0,
            attempts: 0,
        }
    }

    /// The connection that carries messages between two machines.
    pub(crate) fn connection(&self, one: usize, other: usize) -> Option<u64> {
        match self.connections[self.pair(one, other)] {
            Connection::Up(number) => Some(number),
            Connection::Down | Connection::Making(_) => None,
        }
    }

    /// Follows what became of two machines and of the faults between them.
    pub(crate) fn refresh(&mut self, one: usize, other: usize, both_up: bool) -> Option<Change> {
        let pair = self.pair(one, other);
        let cut = self.is_blocked(one, other) && self.is_blocked(other, one);
        match self.connections[pair] {
            Connection::Down if both_up && !cut => {
                self.attempts += 1;
                self.connections[pair] = Connection::Making(self.attempts);
                Some(Change::Begun(self.attempts))
            }
            Connection::Making(_) if !both_up || cut => {
                self.connections[pair] = Connection::Down;
                None
            }
            Connection::Up(_) if !both_up || cut => {
                self.connections[pair] = Connection::Down;
                Some(Change::Lost)
            }
            _ => None,
        }
    }

    /// Completes an attempt; false when it was given up.
    pub(crate) fn made(&mut self, one: usize, other: usize, number: u64) -> bool {
        let pair = self.pair(one, other);
        let made = self.connections[pair] == Connection::Making(number);
        if made {
            self.connections[pair] = Connection::Up(number);
        }
        made
    }

    /// How long after now the copies of a message arrive, in microseconds; none if it is lost.
    pub(crate) fn delays_us(
        &mut self,
        from: usize,
        to: usize,
        class: Class,
        bytes: usize,
    ) -> Vec<u64> {
        let lost = self.config.loss_permille + self.more_loss_permille;
        if self.is_blocked(from, to) || self.random.chance(lost) {
            return Vec::new();
        }
        let copies = if self.random.chance(self.config.duplicate_permille) {
            2
        } else {
            1
        };
        (0..copies).map(|_| self.delay_us(class, bytes)).collect()
    }

    /// Whether a message that arrives then overtakes one that was sent before it.
    pub(crate) fn overtakes(&mut self, from: usize, to: usize, at_us: u64) -> bool {
        let latest_us = &mut self.latest_us[from * self.count + to];
        let overtakes = at_us < *latest_us;
        *latest_us = at_us.max(*latest_us);
        overtakes
    }

    /// Blocks one direction until it is unblocked as often.
    pub(crate) fn block(&mut self, from: usize, to: usize) {
        self.blocks[from * self.count + to] += 1;
    }

    pub(crate) fn unblock(&mut self, from: usize, to: usize) {
        let blocks = &mut self.blocks[from * self.count + to];
        *blocks = blocks.saturating_sub(1);
    }

    pub(crate) fn lose_more(&mut self, permille: u64) {
        self.more_loss_permille = permille;
    }

    /// Ends all faults.
    pub(crate) fn heal(&mut self) {
        self.blocks.fill(0);
        self.more_loss_permille = 0;
    }

    fn delay_us(&mut self, class: Class, bytes: usize) -> u64 {
        // A gigabit carries 125 bytes a microsecond. Bulk waits behind bulk, votes wait for nobody.
        let transfer_us = u64::try_from(bytes / 125).expect("a message is small");
        let queue_us = match class {
            Class::Votes => 0,
            Class::Parcels => self.random.below(self.config.jitter_us / 2 + 1),
            Class::Sync => self.random.below(self.config.jitter_us + 1),
        };
        let jitter_us = self.random.below(self.config.jitter_us + 1);
        self.config.delay_us + jitter_us + queue_us + transfer_us
    }

    fn is_blocked(&self, from: usize, to: usize) -> bool {
        self.blocks[from * self.count + to] > 0
    }

    fn pair(&self, one: usize, other: usize) -> usize {
        one.min(other) * self.count + one.max(other)
    }
}

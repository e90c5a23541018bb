//! Says nothing at all for a while, again and again: the others neither wait for its votes nor for its
//! turn to propose for longer than a round.

use super::{Behaviour, Outgoing, Scene};
use crate::simulation::random::Random;

/// Longest time of silence or of talk, in milliseconds.
const PHASE_MS: u64 = 3_000;

pub(super) struct Silent {
    random: Random,
    is_silent: bool,
    until_ms: u64,
}

impl Silent {
    pub(super) fn new(random: Random) -> Self {
        Self {
            random,
            is_silent: false,
            until_ms: 0,
        }
    }
}

impl Behaviour for Silent {
    fn instead_of(&mut self, scene: &Scene<'_>, message: Outgoing) -> Vec<Outgoing> {
        if scene.now_ms >= self.until_ms {
            self.is_silent = !self.is_silent;
            self.until_ms = scene.now_ms + self.random.below(PHASE_MS);
        }
        match self.is_silent {
            true => Vec::new(),
            false => vec![message],
        }
    }
}

//! The deadlines of the running round.

use std::collections::BTreeMap;

use cloverleaf_types::Round;
use malachite_core_types::{Timeout, TimeoutKind};

use crate::context::{core_round, our_round};
use crate::journal_entry::Step;

/// What a deadline ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wait {
    /// A step of a round.
    Step(Step),
    /// The pause before own messages are sent again.
    Repeat,
}

impl Wait {
    /// None for the deadline of a target time, which this protocol does not use.
    pub(crate) fn of(kind: TimeoutKind) -> Option<Self> {
        match kind {
            TimeoutKind::Propose => Some(Self::Step(Step::Propose)),
            TimeoutKind::Prevote => Some(Self::Step(Step::Prevote)),
            TimeoutKind::Precommit => Some(Self::Step(Step::Precommit)),
            TimeoutKind::Rebroadcast => Some(Self::Repeat),
            TimeoutKind::FinalizeHeight(_) => None,
        }
    }

    fn kind(self) -> TimeoutKind {
        match self {
            Self::Step(Step::Propose) => TimeoutKind::Propose,
            Self::Step(Step::Prevote) => TimeoutKind::Prevote,
            Self::Step(Step::Precommit) => TimeoutKind::Precommit,
            Self::Repeat => TimeoutKind::Rebroadcast,
        }
    }
}

/// Deadlines by what they end; setting one again moves it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    due_ms: BTreeMap<(Round, Wait), u64>,
}

impl Timers {
    pub(crate) fn set(&mut self, wait: Wait, round: Round, at_ms: u64) {
        self.due_ms.insert((round, wait), at_ms);
    }

    pub(crate) fn cancel(&mut self, timeout: Timeout) {
        if let Some(wait) = Wait::of(timeout.kind) {
            self.due_ms.remove(&(our_round(timeout.round), wait));
        }
    }

    pub(crate) fn clear(&mut self) {
        self.due_ms.clear();
    }

    /// A decided height only repeats its messages, for peers that still run it.
    pub(crate) fn keep_repeating(&mut self) {
        self.due_ms.retain(|(_, wait), _| *wait == Wait::Repeat);
    }

    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.due_ms.values().min().copied()
    }

    /// Takes the earliest deadline that has passed.
    pub(crate) fn take_due(&mut self, now_ms: u64) -> Option<Timeout> {
        let (at_ms, key) = self
            .due_ms
            .iter()
            .map(|(key, at_ms)| (*at_ms, *key))
            .min()?;
        if at_ms > now_ms {
            return None;
        }
        self.due_ms.remove(&key);
        let (round, wait) = key;
        Some(Timeout::new(core_round(round), wait.kind()))
    }
}

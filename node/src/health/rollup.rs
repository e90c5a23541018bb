//! The health of an embedded rollup.

use std::sync::{Mutex, PoisonError};

use cloverleaf_evm::Rollup;

use super::{Check, Health};

/// An embedded rollup, as those who watch it see it.
pub(crate) struct RollupHealth {
    rollup: Rollup,
    /// The last batch that was executed when the rollup could not go on, and why.
    stopped: Mutex<Option<(u64, String)>>,
}

impl RollupHealth {
    /// Watches a rollup.
    pub(crate) fn new(rollup: Rollup) -> Self {
        Self {
            rollup,
            stopped: Mutex::default(),
        }
    }

    /// Notes that the rollup cannot go on; it is well again with the next batch.
    pub(crate) fn stopped(&self, why: String) {
        let seq = self.rollup.last_executed_seq();
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = Some((seq, why));
    }

    fn why_it_stands_still(&self) -> Option<String> {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let (seq, why) = stopped.as_ref()?;
        (*seq == self.rollup.last_executed_seq()).then(|| why.clone())
    }
}

impl Health for RollupHealth {
    fn live(&self) -> Vec<Check> {
        Vec::new()
    }

    fn ready(&self) -> Vec<Check> {
        vec![Check::new("following", self.why_it_stands_still())]
    }
}

//! The health of an embedded rollup.

use std::sync::{Mutex, PoisonError};

use cloverleaf_client::Contact;
use cloverleaf_evm::Rollup;

use super::{Check, Health};

/// For how long a rollup may be without an upstream, in milliseconds: one that restarts comes back
/// meanwhile, and all are asked in turn.
const LOST_MAX_MS: u64 = 30_000;

/// An embedded rollup, as those who watch it see it.
pub(crate) struct RollupHealth {
    rollup: Rollup,
    /// The last batch that was executed when the rollup could not go on, and why.
    stopped: Mutex<Option<(u64, String)>>,
    /// Whether the present follower has an upstream.
    contact: Mutex<Option<Contact>>,
}

impl RollupHealth {
    /// Watches a rollup.
    pub(crate) fn new(rollup: Rollup) -> Self {
        Self {
            rollup,
            stopped: Mutex::default(),
            contact: Mutex::default(),
        }
    }

    /// Notes who follows from now on.
    pub(crate) fn follows(&self, contact: Contact) {
        *self.contact.lock().unwrap_or_else(PoisonError::into_inner) = Some(contact);
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

    fn lost_ms(&self) -> u64 {
        let contact = self.contact.lock().unwrap_or_else(PoisonError::into_inner);
        contact.as_ref().map_or(0, Contact::lost_ms)
    }

    fn following(&self, lost_ms: u64) -> Check {
        let lost = || (lost_ms > LOST_MAX_MS).then(|| format!("no upstream for {lost_ms} ms"));
        Check::new("following", self.why_it_stands_still().or_else(lost))
    }
}

impl Health for RollupHealth {
    fn live(&self) -> Vec<Check> {
        Vec::new()
    }

    fn ready(&self) -> Vec<Check> {
        vec![self.following(self.lost_ms())]
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_evm::RollupConfig;

    use super::*;

    #[test]
    fn rollup_that_stands_still_or_has_no_upstream_for_long_is_not_ready() {
        let dir = tempfile::tempdir().unwrap();
        let config = RollupConfig {
            chain_id: 901,
            data_dir: dir.path().join("rollup"),
            genesis_time_s: 0,
            faucet: None,
        };
        let health = RollupHealth::new(Rollup::open(&config).unwrap());
        assert!(health.ready()[0].ok, "it has just begun");
        assert!(health.following(LOST_MAX_MS).ok);
        let lost = health.following(LOST_MAX_MS + 1);
        assert_eq!(lost.detail.as_deref(), Some("no upstream for 30001 ms"));
        health.stopped("pruned everywhere".to_owned());
        let stopped = health.following(0);
        assert_eq!(stopped.detail.as_deref(), Some("pruned everywhere"));
    }
}

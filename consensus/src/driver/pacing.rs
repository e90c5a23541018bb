//! C2: when the next height starts. C4: when it does not.

use cloverleaf_types::{Height, NetworkId, Round};
use malachite_core_types::Validator;

use super::buffer::Buffer;
use super::filter;
use crate::application::Application;
use crate::context::{CoreValidators, HeightParams};
use crate::journal_entry::JournalEntry;

/// A height that may start: the one before it is applied and durable.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) params: HeightParams,
    pub(crate) validators: CoreValidators,
    pub(crate) journal: Vec<JournalEntry>,
    ready_ms: u64,
}

impl Next {
    pub(crate) fn new(params: HeightParams, journal: Vec<JournalEntry>, ready_ms: u64) -> Self {
        let validators = CoreValidators::new(params.validators.clone(), &params.proposers);
        Self {
            params,
            validators,
            journal,
            ready_ms,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Pacing {
    network: NetworkId,
    /// When the latest height started here.
    started_ms: Option<u64>,
    /// The highest height with a verified certificate.
    certified: Height,
}

impl Pacing {
    pub(crate) fn new(network: NetworkId) -> Self {
        Self {
            network,
            started_ms: None,
            certified: Height::GENESIS,
        }
    }

    pub(crate) fn certify(&mut self, height: Height) {
        self.certified = self.certified.max(height);
    }

    pub(crate) fn started(&mut self, now_ms: u64) {
        self.started_ms = Some(now_ms);
    }

    /// Whether the next height starts now.
    pub(crate) fn is_due(
        &self,
        next: &Next,
        now_ms: u64,
        buffer: &Buffer,
        application: &dyn Application,
    ) -> bool {
        let height = next.params.height;
        // A node that signed in this height goes on where it was.
        if next.journal.iter().any(|entry| entry.height() == height) {
            return true;
        }
        // Correct validators run it, and may need this one: whoever has shown a certificate can keep
        // its block to himself, and they need not know the certificate.
        let set = next.validators.set();
        if set.has_correct(set.power_of_all(buffer.voters(height))) {
            return true;
        }
        // C4: otherwise a certified height is fetched and applied, not run.
        if self.certified >= height {
            return false;
        }
        let (earliest_ms, latest_ms) = self.window_ms(next);
        let proposed = || self.is_proposed(next, buffer);
        now_ms >= earliest_ms && (now_ms >= latest_ms || application.has_work() || proposed())
    }

    /// When to look again, if nothing else happens.
    pub(crate) fn next_ms(&self, next: &Next, now_ms: u64) -> Option<u64> {
        if self.certified >= next.params.height {
            return None;
        }
        let (earliest_ms, latest_ms) = self.window_ms(next);
        [earliest_ms, latest_ms]
            .into_iter()
            .filter(|at_ms| *at_ms > now_ms)
            .min()
    }

    fn window_ms(&self, next: &Next) -> (u64, u64) {
        let since_ms = self.started_ms.unwrap_or(next.ready_ms);
        let pace = next.params.pace;
        let latest_ms = pace.empty_block_interval_ms.max(pace.block_time_ms);
        (
            since_ms.saturating_add(pace.block_time_ms),
            since_ms.saturating_add(latest_ms),
        )
    }

    fn is_proposed(&self, next: &Next, buffer: &Buffer) -> bool {
        let proposer = next.validators.proposer(Round::FIRST).address().0;
        let proposal = buffer.first_proposal(next.params.height, proposer);
        let fits = |made| filter::admit(made, self.network, &next.validators).is_ok();
        proposal.is_some_and(|signed| fits(&signed.message))
    }
}

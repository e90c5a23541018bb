//! The one way a running node ends by itself: with a reason and an exit code.

use std::sync::{Arc, Mutex, PoisonError};

use cloverleaf_consensus::Halt as ConsensusHalt;
use cloverleaf_replica::Halt;
use tokio::sync::Notify;

use crate::exit::ExitCode;

/// Why a node ends. The first reason counts; later ones are its consequences.
#[derive(Clone, Debug, Default)]
pub struct Fatal {
    reason: Arc<Mutex<Option<(ExitCode, String)>>>,
    notify: Arc<Notify>,
}

impl Fatal {
    /// A durable write failed: nothing later may be released.
    pub(super) fn disk(&self, error: &dyn std::error::Error) {
        self.set(ExitCode::DISK, format!("{error}"));
    }

    /// The replica must not go on.
    pub(super) fn halt(&self, halt: &Halt) {
        let code = match halt {
            Halt::Consensus(ConsensusHalt::GuardRefused { .. }) => ExitCode::GUARD,
            Halt::Consensus(ConsensusHalt::ReplayDiverged { .. } | ConsensusHalt::Core { .. })
            | Halt::CertifiedBlockRefused { .. } => ExitCode::BROKEN,
            Halt::LaneLog(_) => ExitCode::JOURNAL,
        };
        self.set(code, format!("{halt}"));
    }

    /// An invariant of this program does not hold.
    pub(super) fn broken(&self, what: &str) {
        self.set(ExitCode::BROKEN, what.to_owned());
    }

    /// Resolves when the node must end.
    pub async fn wait(&self) -> (ExitCode, String) {
        loop {
            let notified = self.notify.notified();
            if let Some(reason) = self.get() {
                return reason;
            }
            notified.await;
        }
    }

    fn get(&self) -> Option<(ExitCode, String)> {
        self.reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, code: ExitCode, reason: String) {
        tracing::error!(code = code.number(), "{reason}");
        self.reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert((code, reason));
        self.notify.notify_waiters();
        self.notify.notify_one();
    }
}

//! The one way a running node ends by itself: with a reason and an exit code.

use std::sync::{Arc, Mutex, PoisonError};

use cloverleaf_consensus::Halt as ConsensusHalt;
use cloverleaf_journal::JournalError;
use cloverleaf_replica::Halt;
use cloverleaf_storage::StoreError;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::journals::DamagedJournal;
use crate::exit::ExitCode;

/// Why a node ends. The first reason counts; later ones are its consequences.
#[derive(Clone, Debug, Default)]
pub struct Fatal {
    reason: Arc<Mutex<Option<(ExitCode, String)>>>,
    notify: Arc<Notify>,
}

/// Ends the node when it is dropped before the node stops: held by whatever must run as long as the
/// node does, so that neither an early return nor a panic leaves a node that only looks alive.
#[derive(Debug)]
pub(crate) struct Watch {
    what: &'static str,
    fatal: Fatal,
    stop: CancellationToken,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.stop.is_cancelled() {
            self.fatal.broken(&format!("{} ended early", self.what));
        }
    }
}

/// The exit code of a node that could not start.
#[must_use]
pub fn exit_code(error: &eyre::Report) -> ExitCode {
    if error.is::<DamagedJournal>() {
        ExitCode::JOURNAL
    } else if error.is::<JournalError>() {
        ExitCode::DISK
    } else if let Some(halt) = error.downcast_ref::<Halt>() {
        code_of_halt(halt)
    } else if let Some(store) = error.downcast_ref::<StoreError>() {
        code_of_store(store)
    } else {
        ExitCode::FAILED
    }
}

impl Fatal {
    /// A durable write to a journal failed: nothing later may be released.
    pub(super) fn journal(&self, error: &JournalError) {
        self.set(ExitCode::DISK, format!("{error}"));
    }

    /// The store failed, or was asked for something impossible.
    pub(super) fn store(&self, error: &StoreError) {
        self.set(code_of_store(error), format!("{error}"));
    }

    /// The replica must not go on.
    pub(super) fn halt(&self, halt: &Halt) {
        self.set(code_of_halt(halt), format!("{halt}"));
    }

    /// An invariant of this program does not hold.
    pub(super) fn broken(&self, what: &str) {
        self.set(ExitCode::BROKEN, what.to_owned());
    }

    /// For whatever must run until `stop`.
    pub(crate) fn watch(&self, what: &'static str, stop: &CancellationToken) -> Watch {
        Watch {
            what,
            fatal: self.clone(),
            stop: stop.clone(),
        }
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

    /// Why the node must end, if it must.
    #[must_use]
    pub fn get(&self) -> Option<(ExitCode, String)> {
        self.reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, code: ExitCode, reason: String) {
        let mut first = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_some() {
            tracing::debug!(code = code.number(), "{reason}");
            return;
        }
        tracing::error!(code = code.number(), "{reason}");
        *first = Some((code, reason));
        drop(first);
        self.notify.notify_waiters();
        self.notify.notify_one();
    }
}

fn code_of_halt(halt: &Halt) -> ExitCode {
    match halt {
        Halt::Consensus(ConsensusHalt::GuardRefused { .. }) => ExitCode::GUARD,
        Halt::Consensus(ConsensusHalt::ReplayDiverged { .. } | ConsensusHalt::Core { .. })
        | Halt::CertifiedBlockRefused { .. } => ExitCode::BROKEN,
    }
}

fn code_of_store(error: &StoreError) -> ExitCode {
    match error {
        StoreError::Directory { .. }
        | StoreError::InUse { .. }
        | StoreError::Snapshot { .. }
        | StoreError::OtherNetwork { .. }
        | StoreError::OtherFormat { .. } => ExitCode::FAILED,
        StoreError::Open { .. }
        | StoreError::Read { .. }
        | StoreError::Write { .. }
        | StoreError::Stopped { .. }
        | StoreError::Damaged { .. } => ExitCode::DISK,
        StoreError::NotNext { .. }
        | StoreError::OtherParent { .. }
        | StoreError::Foreign { .. } => ExitCode::BROKEN,
    }
}

#[cfg(test)]
mod tests {
    use eyre::WrapErr as _;

    use super::super::journals::foreign;
    use super::*;

    #[test]
    fn part_that_ends_before_the_node_stops_ends_the_node() {
        let (fatal, stop) = (Fatal::default(), CancellationToken::new());
        let watch = fatal.watch("the part", &stop);
        let panicked = std::thread::Builder::new()
            .spawn(move || {
                let _watch = watch;
                panic!("as programs do");
            })
            .unwrap()
            .join();
        assert!(panicked.is_err());
        let (code, reason) = fatal.get().unwrap();
        assert_eq!(
            (code, reason.as_str()),
            (ExitCode::BROKEN, "the part ended early")
        );
    }

    #[test]
    fn part_that_ends_with_the_node_is_no_reason_to_end() {
        let (fatal, stop) = (Fatal::default(), CancellationToken::new());
        let watch = fatal.watch("the part", &stop);
        stop.cancel();
        drop(watch);
        assert_eq!(fatal.get(), None);
    }

    #[test]
    fn first_reason_counts() {
        let fatal = Fatal::default();
        fatal.broken("the cause");
        fatal.broken("its consequence");
        assert_eq!(fatal.get().unwrap().1, "the cause");
    }

    #[test]
    fn start_that_must_not_be_tried_again_blindly_has_its_own_exit_code() {
        let foreign = foreign("votes", &std::io::Error::other("of another node"));
        let error: eyre::Result<()> = Err(foreign).wrap_err("starting");
        assert_eq!(exit_code(&error.unwrap_err()), ExitCode::JOURNAL);
        assert_eq!(exit_code(&eyre::eyre!("a port is taken")), ExitCode::FAILED);
    }
}

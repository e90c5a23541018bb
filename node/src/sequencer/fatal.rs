//! The one way a running node ends by itself: with a reason and an exit code.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cloverleaf_consensus::Halt as ConsensusHalt;
use cloverleaf_journal::JournalError;
use cloverleaf_replica::Halt;
use cloverleaf_storage::StoreError;
use cloverleaf_types::Bound;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::dump::{Cause, DUMPS_MAX, Dumps, Scene};
use super::invariant::Invariant;
use super::journals::DamagedJournal;
use crate::exit::ExitCode;
use crate::home::Home;

/// Why a node ends. The first reason counts; later ones are its consequences. If it is an invariant
/// that does not hold, it is written down with what led to it, before anybody hears of it.
#[derive(Clone, Debug, Default)]
pub struct Fatal {
    reason: Arc<Mutex<Option<(ExitCode, String)>>>,
    notify: Arc<Notify>,
    dumps: Option<Arc<Dumps>>,
    /// Where the replica was when it last told.
    last: Arc<Mutex<Scene>>,
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
    /// Why a directory's node ends.
    pub(super) fn of(home: &Home) -> Self {
        Self {
            dumps: Some(Arc::new(Dumps::of(home))),
            ..Self::default()
        }
    }

    /// The replica is there now.
    pub(super) fn saw(&self, scene: Scene) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = scene;
    }

    /// A durable write to a journal failed: nothing later may be released.
    pub(super) fn journal(&self, error: &JournalError) {
        self.set(ExitCode::DISK, None, &error.to_string(), None);
    }

    /// The store failed, or was asked for something impossible.
    pub(super) fn store(&self, error: &StoreError) {
        self.store_at(error, None);
    }

    /// The same, of a block that it was to keep.
    pub(super) fn store_at(&self, error: &StoreError, scene: Option<Scene>) {
        let (code, invariant) = (code_of_store(error), Invariant::of_store(error));
        self.set(code, invariant, &error.to_string(), scene);
    }

    /// The replica must not go on.
    pub(super) fn halt(&self, halt: &Halt, scene: Scene) {
        let (code, invariant) = (code_of_halt(halt), Invariant::of_halt(halt));
        self.set(code, invariant, &halt.to_string(), Some(scene));
    }

    /// A queue or a map holds more than it may.
    pub(super) fn beyond(&self, bound: &Bound) {
        let Bound { of, len, cap } = bound;
        let what = format!("{of} hold {len}, and may hold {cap} at most");
        self.set(ExitCode::BROKEN, Some(Invariant::BOUNDED), &what, None);
    }

    /// An invariant of this program does not hold that has no number: a part of it is gone.
    pub(super) fn broken(&self, what: &str) {
        self.set(ExitCode::BROKEN, None, what, None);
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

    fn set(&self, code: ExitCode, invariant: Option<Invariant>, what: &str, scene: Option<Scene>) {
        let mut first = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_some() {
            tracing::debug!(code = code.number(), "{what}");
            return;
        }
        let number = invariant.map(|it| it.number);
        tracing::error!(code = code.number(), invariant = number, "{what}");
        let cause = Cause {
            code,
            invariant,
            what,
        };
        let mut reason = what.to_owned();
        if let Some(path) = self.write_down(&cause, scene) {
            reason += &format!("; what led to it is in {}", path.display());
        }
        *first = Some((code, reason));
        drop(first);
        self.notify.notify_waiters();
        self.notify.notify_one();
    }

    /// The file of a dump, if the cause asks for one.
    fn write_down(&self, cause: &Cause<'_>, scene: Option<Scene>) -> Option<PathBuf> {
        if ![ExitCode::GUARD, ExitCode::BROKEN].contains(&cause.code) {
            return None;
        }
        let dumps = self.dumps.as_ref()?;
        let last = || {
            let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            last.clone()
        };
        match dumps.write(cause, &scene.unwrap_or_else(last)) {
            Ok(Some(path)) => Some(path),
            Ok(None) => {
                tracing::warn!(
                    dumps = DUMPS_MAX,
                    "there are dumps enough; none was written"
                );
                None
            }
            Err(error) => {
                tracing::error!(%error, "no dump could be written");
                None
            }
        }
    }
}

fn code_of_halt(halt: &Halt) -> ExitCode {
    match halt {
        Halt::Consensus(ConsensusHalt::GuardRefused { .. }) | Halt::OwnSlotTaken { .. } => {
            ExitCode::GUARD
        }
        Halt::Consensus(
            ConsensusHalt::ReplayDiverged { .. }
            | ConsensusHalt::Uncertified { .. }
            | ConsensusHalt::Core { .. },
        )
        | Halt::CertifiedBlockRefused { .. }
        | Halt::PlacedTwice { .. }
        | Halt::NotBeingWritten { .. }
        | Halt::OwnParcelRefused { .. } => ExitCode::BROKEN,
    }
}

fn code_of_store(error: &StoreError) -> ExitCode {
    match error {
        StoreError::Directory { .. }
        | StoreError::InUse { .. }
        | StoreError::Snapshot { .. }
        | StoreError::OtherNetwork { .. }
        | StoreError::OtherFormat { .. }
        | StoreError::Unfinished { .. } => ExitCode::FAILED,
        StoreError::Open { .. }
        | StoreError::File { .. }
        | StoreError::Mend { .. }
        | StoreError::Unsynced { .. }
        | StoreError::Read { .. }
        | StoreError::Write { .. }
        | StoreError::Stopped { .. }
        | StoreError::Damaged { .. } => ExitCode::DISK,
        StoreError::NotNext { .. }
        | StoreError::OtherParent { .. }
        | StoreError::Torn { .. }
        | StoreError::Needed { .. }
        | StoreError::Foreign { .. } => ExitCode::BROKEN,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use cloverleaf_types::{Address, Epoch, Slot};
    use eyre::WrapErr as _;

    use super::super::journals::foreign;
    use super::*;

    // Malachite 0.8.2: after a safety failure the process lives on, and a metric alone says so.
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

    // D1
    #[test]
    fn new_directory_that_cannot_be_synced_is_the_disks_fault_and_one_that_cannot_be_made_is_not() {
        let source = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let path = || PathBuf::from("db");
        let (unsynced, unmade) = (
            StoreError::Unsynced {
                path: path(),
                source: source(),
            },
            StoreError::Directory {
                path: path(),
                source: source(),
            },
        );
        let code = |error: StoreError| exit_code(&eyre::Report::from(error));
        assert_eq!(
            (code(unsynced), code(unmade)),
            (ExitCode::DISK, ExitCode::FAILED)
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

    #[test]
    fn key_that_signed_another_parcel_for_a_slot_is_in_use_twice() {
        let slot = Slot {
            author: Address::ZERO,
            epoch: Epoch(0),
            seq: 1,
        };
        let taken = eyre::Report::from(Halt::OwnSlotTaken { slot });
        assert_eq!(exit_code(&taken), ExitCode::GUARD);
    }
}

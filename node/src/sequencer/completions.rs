//! What the disk threads have finished, on its way back to the replica.
//!
//! A completion answers something that the replica asked for, so there are never more of them than
//! things asked for: a disk thread hands them over without ever waiting for the replica.

use std::sync::{Arc, Mutex, PoisonError};

use cloverleaf_replica::Input;
use cloverleaf_types::Bound;
use tokio::sync::Notify;

use super::{committer, parcel_writer};

/// Completions that can wait: one for all that can wait for the disk threads.
const COMPLETIONS_MAX: usize = parcel_writer::QUEUE_MAX + committer::QUEUE_MAX;

/// Finished work, in the order in which it finished.
#[derive(Clone, Debug, Default)]
pub(super) struct Completions {
    done: Arc<Mutex<Vec<Input>>>,
    notify: Arc<Notify>,
}

impl Completions {
    /// Hands over finished work.
    pub(super) fn push(&self, inputs: impl IntoIterator<Item = Input>) {
        self.done
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(inputs);
        self.notify.notify_one();
    }

    /// What waits to be taken. There is never more of it than was asked for, and not more can be asked for
    /// than waits, is at work, or has been done since the last turn.
    pub(super) fn bound(&self) -> Bound {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        Bound::new("completions", done.len(), COMPLETIONS_MAX)
    }

    /// Takes what is finished.
    pub(super) fn take(&self) -> Vec<Input> {
        std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Resolves when something may be finished.
    pub(super) async fn wait(&self) {
        self.notify.notified().await;
    }
}

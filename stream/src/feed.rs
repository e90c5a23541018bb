//! One sequence as it grows: its tip, and its latest items.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use crate::backlog::Backlog;
use crate::item::Positioned;
use crate::ring::Ring;
use crate::subscription::Subscription;

/// The latest items of a sequence, shared by its feed and its subscriptions.
#[derive(Debug)]
pub(crate) struct Recent<T>(Arc<Mutex<Ring<T>>>);

/// The announcing end of a sequence. Dropping it ends its subscriptions.
#[derive(Debug)]
pub(crate) struct Feed<T> {
    recent: Recent<T>,
    tip: watch::Sender<u64>,
}

impl<T: Positioned> Recent<T> {
    /// The ring, for a moment: nobody waits for anything while holding it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Ring<T>> {
        self.0.lock().expect("nothing panics while it is locked")
    }

    fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Positioned> Feed<T> {
    /// A sequence whose items up to `tip` are durable.
    pub(crate) fn new(tip: u64) -> Self {
        Self {
            recent: Recent(Arc::default()),
            tip: watch::Sender::new(tip),
        }
    }

    /// Keeps a durable item among the latest; subscribers hear of it with [`Self::advance`].
    pub(crate) fn keep(&self, item: Arc<T>) {
        self.recent.lock().push(item);
    }

    /// Drops the latest items up to a position; from now on they come from storage.
    pub(crate) fn drop_through(&self, position: u64) {
        self.recent.lock().drop_through(position);
    }

    /// Everything up to `tip` is durable: wakes who waits for it. A tip never falls.
    pub(crate) fn advance(&self, tip: u64) {
        self.tip.send_if_modified(|current| {
            let rises = *current < tip;
            *current = tip.max(*current);
            rises
        });
    }

    /// A subscription that begins at a position, which may lie in the future.
    pub(crate) fn subscribe(&self, from: u64, backlog: Backlog<T>) -> Subscription<T> {
        Subscription::new(from, self.tip.subscribe(), self.recent.share(), backlog)
    }
}

//! How much waits in a thread's mailbox: the standard library's channels do not tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what was put into a mailbox and not taken out yet. Clones count the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Depth(Arc<AtomicUsize>);

impl Depth {
    /// Something is about to be put in.
    pub(super) fn put(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Something was taken out, or not put in after all.
    pub(super) fn take(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// How much waits, and how much was taken a moment ago.
    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

//! Virtual time: what happens next.

use std::collections::BTreeMap;

/// Events by time in microseconds, and by the order in which they were put in at one time.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    events: BTreeMap<(u64, u64), E>,
    next: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self {
            events: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<E> Queue<E> {
    /// Lets an event happen at a time.
    pub(crate) fn push(&mut self, at_us: u64, event: E) {
        self.next += 1;
        self.events.insert((at_us, self.next), event);
    }

    /// The next event and its time.
    pub(crate) fn pop(&mut self) -> Option<(u64, E)> {
        let ((at_us, _), event) = self.events.pop_first()?;
        Some((at_us, event))
    }
}

//! The latest items of one sequence, by position. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::item::Positioned;

/// Items at consecutive positions.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    items: VecDeque<Arc<T>>,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        let items = VecDeque::new();
        Self { items }
    }
}

impl<T: Positioned> Ring<T> {
    /// The item at a position, if it is one of the latest.
    pub(crate) fn get(&self, position: u64) -> Option<Arc<T>> {
        let first = self.items.front()?.position();
        let index = usize::try_from(position.checked_sub(first)?).ok()?;
        self.items.get(index).cloned()
    }

    /// Appends an item; one that does not follow the last starts the ring anew, so that the
    /// positions stay consecutive.
    pub(crate) fn push(&mut self, item: Arc<T>) {
        let last = self.items.back().map(|last| last.position());
        if last.is_some_and(|last| last + 1 != item.position()) {
            self.items.clear();
        }
        self.items.push_back(item);
    }

    /// Drops the items up to a position.
    pub(crate) fn drop_through(&mut self, position: u64) {
        while self
            .items
            .front()
            .is_some_and(|first| first.position() <= position)
        {
            self.items.pop_front();
        }
    }
}

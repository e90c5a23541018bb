//! What consumers hold of the backlog, and how much that is in all.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::item::Positioned;

/// The pages of all consumers, as bytes.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    bytes: Arc<AtomicUsize>,
    /// Of one page.
    page_bytes_max: usize,
    /// Of all pages that are larger than one item.
    pages_bytes_max: usize,
}

/// Items that one consumer was read and has not taken yet. They count until it takes them or goes.
#[derive(Debug)]
pub(crate) struct Page<T: Positioned> {
    items: VecDeque<Arc<T>>,
    pages: Pages,
}

impl Pages {
    /// No pages yet.
    pub(crate) fn new(page_bytes_max: usize, pages_bytes_max: usize) -> Self {
        Self {
            bytes: Arc::default(),
            page_bytes_max,
            pages_bytes_max,
        }
    }

    /// What all consumers hold, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How large the next page may be: when consumers hold much already, one item.
    pub(crate) fn page_bytes_max(&self) -> usize {
        if self.bytes() < self.pages_bytes_max {
            self.page_bytes_max
        } else {
            0
        }
    }

    /// A page with these items.
    pub(crate) fn page<T: Positioned>(&self, items: Vec<Arc<T>>) -> Page<T> {
        let bytes = items.iter().map(|item| item.memory_bytes()).sum();
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Page {
            items: items.into(),
            pages: self.clone(),
        }
    }
}

impl<T: Positioned> Page<T> {
    /// Takes the first item out; it is the consumer's now.
    pub(crate) fn take(&mut self) -> Option<Arc<T>> {
        let item = self.items.pop_front()?;
        let bytes = item.memory_bytes();
        self.pages.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Some(item)
    }

    /// Drops what is left.
    pub(crate) fn clear(&mut self) {
        while self.take().is_some() {}
    }
}

impl<T: Positioned> Drop for Page<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

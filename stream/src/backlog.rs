//! Reads pages of one sequence from storage, off the async threads.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::error::{SourceError, StreamError};
use crate::item::Positioned;
use crate::page::{Page, Pages};
use crate::source::Read;

/// Reads what storage has from a position on, one item at least, and more while they fit into so
/// many bytes.
pub(crate) type ReadPage<T> = dyn Fn(u64, usize) -> Result<Read<T>, SourceError> + Send + Sync;

/// What all readers of the backlog share.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    permits: Arc<Semaphore>,
    pages: Pages,
}

/// One sequence as storage has it.
pub(crate) struct Backlog<T> {
    read: Arc<ReadPage<T>>,
    readers: Readers,
}

impl Readers {
    /// Reads at most so many at once, into these pages.
    pub(crate) fn new(reads_max: usize, pages: Pages) -> Self {
        let permits = Arc::new(Semaphore::new(reads_max));
        Self { permits, pages }
    }

    /// What readers hold.
    pub(crate) fn pages(&self) -> &Pages {
        &self.pages
    }
}

impl<T: Positioned> Backlog<T> {
    /// A sequence that `read` reads.
    pub(crate) fn new(read: Arc<ReadPage<T>>, readers: Readers) -> Self {
        Self { read, readers }
    }

    /// What its readers hold.
    pub(crate) fn pages(&self) -> &Pages {
        &self.readers.pages
    }

    /// The page that begins at a position which is known to be durable.
    ///
    /// Dropping the future loses nothing but the page: the read itself runs to its end.
    #[expect(
        clippy::disallowed_methods,
        reason = "awaited below; it goes on by itself, since a place that is kept for a subscriber whom \
                  nobody polls would be kept from all others"
    )]
    pub(crate) async fn page(&self, from: u64) -> Result<Page<T>, StreamError> {
        let permits = Arc::clone(&self.readers.permits);
        let (read, bytes_max) = (Arc::clone(&self.read), self.pages().page_bytes_max());
        let reading = tokio::spawn(async move {
            let permit = permits.acquire_owned().await;
            let permit = permit.map_err(|_closed| StreamError::Closed)?;
            let reading = tokio::task::spawn_blocking(move || {
                let page = read(from, bytes_max);
                drop(permit); // only when the disk is free again, whether or not anybody still waits
                page
            });
            Ok::<_, StreamError>(reading.await.map_err(SourceError::new)??)
        });
        match reading.await.map_err(SourceError::new)?? {
            Read::Items(items) if !items.is_empty() => Ok(self.pages().page(items)),
            Read::Items(_) | Read::AtTip => Err(StreamError::Missing { position: from }),
            Read::Pruned { first_available } => Err(StreamError::Pruned {
                asked: from,
                first_available,
            }),
        }
    }
}

//! Reads pages of one sequence from storage, off the async threads.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::error::{SourceError, StreamError};
use crate::source::Read;

/// Reads what storage has from a position on.
pub(crate) type ReadPage<T> = dyn Fn(u64) -> Result<Read<T>, SourceError> + Send + Sync;

/// One sequence as storage has it.
pub(crate) struct Backlog<T> {
    read: Arc<ReadPage<T>>,
    permits: Arc<Semaphore>,
}

impl<T: Send + Sync + 'static> Backlog<T> {
    /// A sequence that `read` reads; all that share `permits` are limited together.
    pub(crate) fn new(read: Arc<ReadPage<T>>, permits: Arc<Semaphore>) -> Self {
        Self { read, permits }
    }

    /// The page that begins at a position which is known to be durable.
    ///
    /// Dropping the future loses nothing but the page: the read itself runs to its end.
    #[expect(
        clippy::disallowed_methods,
        reason = "awaited in the next line: the subscriber owns it"
    )]
    pub(crate) async fn page(&self, from: u64) -> Result<VecDeque<Arc<T>>, StreamError> {
        let permits = Arc::clone(&self.permits);
        let permit = permits.acquire_owned().await;
        let permit = permit.map_err(|_closed| StreamError::Closed)?;
        let read = Arc::clone(&self.read);
        let reading = tokio::task::spawn_blocking(move || {
            let page = read(from);
            drop(permit); // only when the disk is free again, whether or not anybody still waits
            page
        });
        match reading.await.map_err(SourceError::new)?? {
            Read::Items(items) if !items.is_empty() => Ok(items.into()),
            Read::Items(_) | Read::AtTip => Err(StreamError::Missing { position: from }),
            Read::Pruned { first_available } => Err(StreamError::Pruned {
                asked: from,
                first_available,
            }),
        }
    }
}

//! A consumer's place in a sequence: one number that only rises.

use std::sync::Arc;

use futures::Stream;
use tokio::sync::watch;

use crate::backlog::Backlog;
use crate::error::StreamError;
use crate::feed::Recent;
use crate::item::Positioned;
use crate::page::Page;

/// Hands out a sequence from a position on, one item a pull.
pub struct Subscription<T: Positioned> {
    /// The position that is handed out next.
    next: u64,
    /// What storage answered last and is not handed out yet.
    page: Page<T>,
    /// Up to where the sequence is durable.
    tip: watch::Receiver<u64>,
    recent: Recent<T>,
    backlog: Backlog<T>,
}

impl<T: Positioned> Subscription<T> {
    pub(crate) fn new(
        from: u64,
        tip: watch::Receiver<u64>,
        recent: Recent<T>,
        backlog: Backlog<T>,
    ) -> Self {
        Self {
            next: from,
            page: backlog.pages().page(Vec::new()),
            tip,
            recent,
            backlog,
        }
    }

    /// The position that the next pull hands out: where to resume.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Waits for the next item. Cancel safe: the cursor moves only when an item is handed out.
    ///
    /// # Errors
    /// Why there is no next item; pulling again asks again.
    pub async fn next(&mut self) -> Result<Arc<T>, StreamError> {
        if self.tip.has_changed().is_err() {
            return Err(StreamError::Closed);
        }
        if let Some(item) = self.page.take() {
            return self.hand_out(item);
        }
        self.wait_until_durable().await?;
        let latest = self.recent.lock().get(self.next);
        if let Some(item) = latest {
            return self.hand_out(item);
        }
        let mut page = self.backlog.page(self.next).await?;
        let first = page.take();
        self.page = page;
        let missing = StreamError::Missing {
            position: self.next,
        };
        self.hand_out(first.ok_or(missing)?)
    }

    /// Pulls whenever it is polled; ends after the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Arc<T>, StreamError>> + Send {
        futures::stream::unfold(Some(self), |subscription| async move {
            let mut subscription = subscription?;
            let item = subscription.next().await;
            let goes_on = item.is_ok();
            Some((item, goes_on.then_some(subscription)))
        })
    }

    async fn wait_until_durable(&mut self) -> Result<(), StreamError> {
        let next = self.next;
        let reached = self.tip.wait_for(|tip| next <= *tip).await;
        reached.map_err(|_closed| StreamError::Closed)?;
        Ok(())
    }

    /// Invariant 4: what leaves is the position due, whoever answered.
    fn hand_out(&mut self, item: Arc<T>) -> Result<Arc<T>, StreamError> {
        if item.position() != self.next {
            self.page.clear();
            return Err(StreamError::OutOfOrder {
                expected: self.next,
                found: item.position(),
            });
        }
        self.next += 1;
        Ok(item)
    }
}

//! A consumer's place in a sequence: one number that only rises.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::Stream;
use tokio::sync::watch;

use crate::backlog::Backlog;
use crate::error::StreamError;
use crate::feed::Recent;
use crate::item::Positioned;

/// Hands out a sequence from a position on, one item a pull.
pub struct Subscription<T> {
    /// The position that is handed out next.
    next: u64,
    /// What storage answered last and is not handed out yet.
    page: VecDeque<Arc<T>>,
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
            page: VecDeque::new(),
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
        if self.page.is_empty() {
            self.wait_until_durable().await?;
            let latest = self.recent.lock().get(self.next);
            match latest {
                Some(item) => self.page.push_back(item),
                None => self.page = self.backlog.page(self.next).await?,
            }
        }
        self.hand_out()
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
    fn hand_out(&mut self) -> Result<Arc<T>, StreamError> {
        let item = self.page.pop_front().expect("a page has an item");
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

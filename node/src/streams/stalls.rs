//! Readers who stop reading, over a transport that does not say so.
//!
//! HTTP/2 asks a stream for nothing while its reader opens no window, and pings are answered by
//! whoever does not read. A feed that is not asked cannot tell the time: so it rests here between two
//! items, and somebody looks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use cloverleaf_api::error::RpcError;
use cloverleaf_api::reason::Reason;
use cloverleaf_stream::Positioned;
use futures::Stream;
use tokio_util::sync::CancellationToken;

use super::feed::Feed;
use crate::clock::pause;

/// How often is looked, in milliseconds: a small part of the time that a reader has.
const LOOK_INTERVAL_MS: u64 = 1_000;

/// The feeds that are looked at. Clones are the same; those whose reader went are forgotten.
#[derive(Clone, Default)]
pub(crate) struct Stalls(Arc<Mutex<Vec<Weak<dyn Resting>>>>);

/// A feed between two items.
trait Resting: Send + Sync {
    /// Lets it go, with all that it holds, when its reader has stalled.
    fn look(&self);
}

/// Where a feed rests: it is not there while its next item is awaited, and its reader is told why
/// when it was let go.
struct Rest<T: Positioned>(Mutex<Result<Option<Feed<T>>, RpcError>>);

impl Stalls {
    /// A feed's items; ends after the first error.
    pub(crate) fn items<T: Positioned>(
        &self,
        feed: Feed<T>,
    ) -> impl Stream<Item = Result<Arc<T>, RpcError>> + Send + use<T> {
        let rest = Arc::new(Rest(Mutex::new(Ok(Some(feed)))));
        let watched: Weak<Rest<T>> = Arc::downgrade(&rest);
        locked(&self.0).push(watched);
        futures::stream::unfold(Some(rest), |rest| async move {
            let rest = rest?;
            let item = rest.next().await;
            let goes_on = item.is_ok();
            Some((item, goes_on.then_some(rest)))
        })
    }

    /// Looks at all, again and again, until `stop`.
    pub(crate) async fn watch(&self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = pause(LOOK_INTERVAL_MS) => self.look(),
            }
        }
    }

    /// Lets go of the feeds whose readers have stalled.
    pub(super) fn look(&self) {
        locked(&self.0).retain(|rest| match rest.upgrade() {
            Some(rest) => {
                rest.look();
                true
            }
            None => false,
        });
    }
}

impl core::fmt::Debug for Stalls {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let count = locked(&self.0).len();
        formatter.debug_tuple("Stalls").field(&count).finish()
    }
}

impl<T: Positioned> Rest<T> {
    async fn next(&self) -> Result<Arc<T>, RpcError> {
        let taken = std::mem::replace(&mut *locked(&self.0), Ok(None));
        // Whoever asked before and did not wait took the feed along.
        let mut feed = taken?.ok_or_else(|| RpcError::new(Reason::Internal))?;
        let item = feed.next().await;
        *locked(&self.0) = Ok(Some(feed));
        item
    }
}

impl<T: Positioned> Resting for Rest<T> {
    fn look(&self) {
        let mut rest = locked(&self.0);
        let lagged = rest.as_ref().ok().and_then(Option::as_ref);
        if let Some(lagged) = lagged.and_then(Feed::lagged) {
            *rest = Err(lagged);
        }
    }
}

fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

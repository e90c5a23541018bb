//! Readers who stop reading, over a transport that does not say so.
//!
//! HTTP/2 asks a stream for nothing while its reader opens no window, and pings are answered by
//! whoever does not read. A feed that is not asked cannot tell the time: so it rests here between two
//! items, and somebody looks.
//!
//! What a reader was sent last HTTP/2 holds until it takes it or its connection ends. So a reader that
//! does not come for its last word either is hung up on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use cloverleaf_api::error::RpcError;
use cloverleaf_api::reason::Reason;
use cloverleaf_stream::Positioned;
use futures::Stream;
use tokio_util::sync::CancellationToken;

use super::feed::Feed;
use crate::clock::{Stopwatch, pause};

/// How often is looked, in milliseconds: a small part of the time that a reader has.
const LOOK_INTERVAL_MS: u64 = 1_000;

/// The feeds that are looked at. Clones are the same; those whose reader went are forgotten.
#[derive(Clone)]
pub(crate) struct Stalls {
    feeds: Arc<Mutex<Vec<Weak<dyn Resting>>>>,
    farewell_max: Duration,
}

/// A feed between two items.
trait Resting: Send + Sync {
    /// Lets it go, with all that it holds, when its reader has stalled; hangs up when the reader has
    /// left its last word for so long.
    fn look(&self, farewell_max: Duration);
}

/// Where a feed rests.
struct Rest<T: Positioned> {
    feed: Mutex<At<T>>,
    hang_up: CancellationToken,
}

/// It is not there while its next item is awaited, and its reader is told why when it was let go.
enum At<T: Positioned> {
    Here(Feed<T>),
    Away,
    LetGo(RpcError, Stopwatch),
}

impl Stalls {
    /// None yet. Who leaves the last word for longer than this is hung up on.
    pub(crate) fn new(farewell_max: Duration) -> Self {
        Self {
            feeds: Arc::default(),
            farewell_max,
        }
    }

    /// A feed's items; ends after the first error. `hang_up` is cancelled when the reader's connection
    /// is to end.
    pub(crate) fn items<T: Positioned>(
        &self,
        feed: Feed<T>,
        hang_up: CancellationToken,
    ) -> impl Stream<Item = Result<Arc<T>, RpcError>> + Send + use<T> {
        let rest = Arc::new(Rest {
            feed: Mutex::new(At::Here(feed)),
            hang_up,
        });
        let watched: Weak<Rest<T>> = Arc::downgrade(&rest);
        locked(&self.feeds).push(watched);
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
        locked(&self.feeds).retain(|rest| match rest.upgrade() {
            Some(rest) => {
                rest.look(self.farewell_max);
                true
            }
            None => false,
        });
    }
}

impl core::fmt::Debug for Stalls {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let count = locked(&self.feeds).len();
        formatter.debug_tuple("Stalls").field(&count).finish()
    }
}

impl<T: Positioned> Rest<T> {
    async fn next(&self) -> Result<Arc<T>, RpcError> {
        let taken = std::mem::replace(&mut *locked(&self.feed), At::Away);
        let mut feed = match taken {
            At::Here(feed) => feed,
            At::LetGo(error, _) => return Err(error),
            // Whoever asked before and did not wait took the feed along.
            At::Away => return Err(RpcError::new(Reason::Internal)),
        };
        let item = feed.next().await;
        *locked(&self.feed) = At::Here(feed);
        item
    }
}

impl<T: Positioned> Resting for Rest<T> {
    fn look(&self, farewell_max: Duration) {
        let mut at = locked(&self.feed);
        match &*at {
            At::Here(feed) => {
                if let Some(lagged) = feed.lagged() {
                    *at = At::LetGo(lagged, Stopwatch::start());
                }
            }
            At::LetGo(_, since) if since.elapsed() >= farewell_max => self.hang_up.cancel(),
            At::LetGo(..) | At::Away => {}
        }
    }
}

fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

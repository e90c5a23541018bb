//! One subscription, as any transport reads it.

use std::sync::Arc;
use std::time::Duration;

use cloverleaf_api::error::{RpcError, hex};
use cloverleaf_api::reason::Reason;
use cloverleaf_stream::{Positioned, StreamError, Subscription};
use futures::Stream;
use tokio_util::sync::CancellationToken;

use crate::clock::Stopwatch;
use crate::metrics::Subscriber;
use crate::rpc::desk::pruned;

/// How long a reader may leave an item untaken. It holds its place, and up to a page, for as long.
const STALL_MAX: Duration = Duration::from_secs(60);

/// How long readers are served.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    /// Until the node stops.
    pub(crate) stop: CancellationToken,
    /// Or until one leaves an item untaken for so long.
    pub(crate) stall_max: Duration,
}

/// A subscription that ends when the node stops, or when its reader stalls; each end names the
/// cursor with which the reader comes back.
pub(crate) struct Feed<T: Positioned> {
    subscription: Subscription<T>,
    patience: Patience,
    /// Counts its reader.
    subscriber: Arc<Subscriber>,
    /// Since the last item was handed out: asking for the next is how a reader says that it took it.
    untaken: Option<Stopwatch>,
}

impl Patience {
    /// The usual one, until `stop`.
    pub(crate) fn until(stop: CancellationToken) -> Self {
        Self {
            stop,
            stall_max: STALL_MAX,
        }
    }

    /// What a reader is told that took nothing for too long, and where it was.
    pub(crate) fn lagged(&self, cursor: u64) -> RpcError {
        let detail = format_args!("nothing was taken for {} ms", self.stall_max.as_millis());
        RpcError::because(Reason::Lagged, detail).with("cursor", hex(cursor))
    }
}

impl<T: Positioned> Feed<T> {
    /// Reads a subscription for as long as patience goes.
    pub(crate) fn new(
        subscription: Subscription<T>,
        patience: Patience,
        subscriber: Arc<Subscriber>,
    ) -> Self {
        Self {
            subscription,
            patience,
            subscriber,
            untaken: None,
        }
    }

    /// The next item, when the reader asks for it: pulled then and not before.
    ///
    /// # Errors
    /// Why the stream ends, and the cursor to resume at.
    pub(crate) async fn next(&mut self) -> Result<Arc<T>, RpcError> {
        if let Some(lagged) = self.lagged() {
            return Err(lagged);
        }
        self.untaken = None;
        let next = tokio::select! {
            biased;
            () = self.patience.stop.cancelled() => Err(StreamError::Closed),
            next = self.subscription.next() => next,
        };
        let item = next.map_err(|error| {
            let error = ended(&error, self.subscription.position());
            self.subscriber.ended(error.reason);
            error
        })?;
        self.subscriber.item();
        self.untaken = Some(Stopwatch::start());
        Ok(item)
    }

    /// What its reader is told when it has left an item untaken for too long.
    pub(super) fn lagged(&self) -> Option<RpcError> {
        let stall_max = self.patience.stall_max;
        self.untaken.filter(|since| since.elapsed() >= stall_max)?;
        self.subscriber.ended(Reason::Lagged);
        Some(self.patience.lagged(self.subscription.position()))
    }

    /// Its items; ends after the first error.
    pub(crate) fn into_items(self) -> impl Stream<Item = Result<Arc<T>, RpcError>> + Send {
        futures::stream::unfold(Some(self), |feed| async move {
            let mut feed = feed?;
            let item = feed.next().await;
            let goes_on = item.is_ok();
            Some((item, goes_on.then_some(feed)))
        })
    }
}

/// Why a stream ends, and from where it may be resumed.
pub(crate) fn ended(error: &StreamError, cursor: u64) -> RpcError {
    let refusal = match error {
        StreamError::UnknownRollup { chain_id } => {
            RpcError::because(Reason::UnknownRollup, error).with("chainId", hex(chain_id.0))
        }
        StreamError::Pruned {
            asked,
            first_available,
        } => pruned(*asked, *first_available),
        StreamError::Closed => RpcError::because(Reason::ShuttingDown, error),
        StreamError::Source(_) | StreamError::Missing { .. } | StreamError::OutOfOrder { .. } => {
            tracing::error!(%error, "a stream failed");
            RpcError::new(Reason::Internal)
        }
    };
    refusal.with("cursor", hex(cursor))
}

//! Threads for work that blocks, or that takes a core for longer than the async threads may.

use std::sync::Arc;

use cloverleaf_api::error::RpcError;
use cloverleaf_api::reason::Reason;
use tokio::sync::Semaphore;

/// A number of threads. Clones share them. Who waits for one is limited where connections are.
#[derive(Clone, Debug)]
pub(super) struct Workers {
    permits: Arc<Semaphore>,
}

impl Workers {
    /// At most so many at once.
    pub(super) fn new(threads_max: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(threads_max)),
        }
    }

    /// Does work on one of them. Dropping the future does not stop work that has begun.
    ///
    /// # Errors
    /// The work did not come to its end: the node is at fault.
    #[expect(
        clippy::disallowed_methods,
        reason = "awaited below; it goes on by itself, since a place that is kept for a caller whom \
                  nobody polls would be kept from all others"
    )]
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, RpcError> {
        let permits = Arc::clone(&self.permits);
        let done = tokio::spawn(async move {
            let permit = permits.acquire_owned().await.map_err(failed)?;
            let done = tokio::task::spawn_blocking(move || {
                let done = work();
                drop(permit); // only when the thread is free again, whether or not anybody still waits
                done
            });
            done.await.map_err(failed)
        });
        done.await.map_err(failed)?
    }
}

fn failed(error: impl core::fmt::Display) -> RpcError {
    tracing::error!(%error, "work for a request failed");
    RpcError::new(Reason::Internal)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn never_more_than_the_limit_work_at_once() {
        let workers = Workers::new(2);
        let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let works = (0..50).map(|_| {
            let (at_once, most) = (Arc::clone(&at_once), Arc::clone(&most));
            workers.run(move || {
                most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                at_once.fetch_sub(1, Ordering::SeqCst);
            })
        });
        futures::future::try_join_all(works).await.unwrap();
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
    }

    #[tokio::test]
    async fn work_that_breaks_is_an_internal_error_and_gives_its_place_back() {
        let workers = Workers::new(1);
        let broken: Result<(), _> = workers.run(|| panic!("a defect")).await;
        assert_eq!(broken.unwrap_err().reason, Reason::Internal);
        assert_eq!(workers.run(|| 7).await, Ok(7));
    }
}

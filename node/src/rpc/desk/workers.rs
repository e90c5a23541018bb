//! Threads for work that blocks, or that takes a core for longer than the async threads may.
//!
//! ```text
//!  run ─► queue ─► one more thread, while there are not too many; else one that is at work anyhow
//! ```
//! A thread takes work until there is none: when all are at work, nobody is woken for a piece of it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloverleaf_api::error::RpcError;
use cloverleaf_api::reason::Reason;
use tokio::sync::oneshot;

/// A number of threads. Clones share them. Who waits for one is limited where connections are.
#[derive(Clone, Debug)]
pub(super) struct Workers {
    queue: Arc<Mutex<Queue>>,
    threads_max: usize,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    /// Threads that take from it.
    threads: usize,
}

type Work = Box<dyn FnOnce() + Send>;

impl Workers {
    /// At most so many at once.
    pub(super) fn new(threads_max: usize) -> Self {
        Self {
            queue: Arc::default(),
            threads_max,
        }
    }

    /// Does work on one of them, in the order in which it came. Dropping the future does not stop work
    /// that has begun; what has not is left.
    ///
    /// # Errors
    /// The work did not come to its end: the node is at fault.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, RpcError> {
        let (sender, done) = oneshot::channel();
        let needs_thread = self.push(Box::new(move || {
            if !sender.is_closed() {
                let _gone = sender.send(work());
            }
        }));
        if needs_thread {
            begin(Thread {
                queue: Arc::clone(&self.queue),
                counts: true,
            });
        }
        done.await.map_err(failed)
    }

    /// True when one more thread is to take from the queue.
    fn push(&self, work: Work) -> bool {
        let mut queue = lock(&self.queue);
        queue.waiting.push_back(work);
        let needs_thread = queue.threads < self.threads_max;
        queue.threads += usize::from(needs_thread);
        needs_thread
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it ends when nothing waits, and whoever waits for its work sees when that broke"
)]
fn begin(thread: Thread) {
    let _ends_by_itself = tokio::task::spawn_blocking(move || thread.take_all());
}

/// A thread that takes from a queue. It counts as one until it is dropped, also when the system gives none
/// and it never runs.
struct Thread {
    queue: Arc<Mutex<Queue>>,
    counts: bool,
}

impl Thread {
    /// Works until nothing waits.
    fn take_all(mut self) {
        while let Some(work) = self.next() {
            // Whoever waits for it sees that nothing comes.
            let _broken = catch_unwind(AssertUnwindSafe(work));
        }
    }

    /// What waits longest. When nothing does, this thread counts no more from the same moment on: what
    /// comes next begins another.
    fn next(&mut self) -> Option<Work> {
        let mut queue = lock(&self.queue);
        let work = queue.waiting.pop_front();
        if work.is_none() {
            queue.threads -= 1;
            self.counts = false;
        }
        work
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if self.counts {
            lock(&self.queue).threads -= 1;
        }
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl core::fmt::Debug for Queue {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut shown = formatter.debug_struct("Queue");
        shown.field("waiting", &self.waiting.len());
        shown.field("threads", &self.threads).finish()
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
    async fn work_that_nobody_waits_for_is_left_and_what_comes_after_it_is_done() {
        let workers = Workers::new(1);
        let (begin, wait) = std::sync::mpsc::sync_channel::<()>(1);
        let first = workers.run(move || wait.recv());
        let done = Arc::new(AtomicUsize::new(0));
        let count = |number| {
            let done = Arc::clone(&done);
            move || done.fetch_add(number, Ordering::SeqCst)
        };
        let mut first = Box::pin(first);
        assert!(futures::poll!(&mut first).is_pending());
        let mut left = Box::pin(workers.run(count(1)));
        assert!(futures::poll!(&mut left).is_pending());
        drop(left);
        let last = workers.run(count(10));
        begin.send(()).unwrap();
        assert_eq!(first.await, Ok(Ok(())));
        assert_eq!(last.await, Ok(0));
        assert_eq!(done.load(Ordering::SeqCst), 10);
    }

    #[tokio::test]
    async fn work_that_breaks_is_an_internal_error_and_gives_its_place_back() {
        let workers = Workers::new(1);
        let broken: Result<(), _> = workers.run(|| panic!("a defect")).await;
        assert_eq!(broken.unwrap_err().reason, Reason::Internal);
        assert_eq!(workers.run(|| 7).await, Ok(7));
    }
}

//! What the rest of the node asks of its running sequencer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cloverleaf_bundle::State;
use cloverleaf_mempool::Refusal;
use cloverleaf_mempool::pool::{self, Admission, Gap, Name, Submission};
use cloverleaf_storage::Store;
use cloverleaf_stream::Hub;
use cloverleaf_types::{Address, ChainId, Genesis};
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that can wait for the sequencer's thread; beyond that a submitter is told to come back.
pub(super) const REQUESTS_MAX: usize = 4_096;

/// Why a submission was not taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The submission is refused; the submitter can mend it, or wait.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// More requests wait than the sequencer takes; come back soon.
    #[error("the sequencer is busy")]
    Busy,
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

/// Up to which acknowledgement somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// f + 1 validators hold it durably, or it ended.
    Available,
    /// It is in a durable block, or it ended.
    Committed,
}

/// What the sequencer's thread is asked.
#[derive(Debug)]
pub(super) enum Request {
    Submit {
        submission: Submission,
        reply: oneshot::Sender<Result<Admission, Refusal>>,
    },
    Expect {
        chain_id: ChainId,
        sender: Address,
        nonce: u64,
    },
    KnowsSender {
        chain_id: ChainId,
        sender: Address,
        reply: oneshot::Sender<bool>,
    },
    PendingNonce {
        chain_id: ChainId,
        sender: Address,
        reply: oneshot::Sender<Option<u64>>,
    },
    Gaps {
        count_max: usize,
        reply: oneshot::Sender<Vec<Gap>>,
    },
    Status {
        name: Name,
        reply: oneshot::Sender<Option<pool::State>>,
    },
    Wait {
        name: Name,
        until: Until,
        reply: oneshot::Sender<pool::State>,
    },
}

/// What does not change while a sequencer runs, and what readers may look at without asking it.
#[derive(Debug)]
pub struct Shared {
    /// The network.
    pub genesis: Genesis,
    /// The validator's own address.
    pub own: Address,
    /// The durable blocks.
    pub store: Store,
    /// The streams of batches and blocks.
    pub hub: Arc<Hub>,
    pub(super) connected: AtomicU32,
}

/// Asks a running sequencer. Clones ask the same one.
#[derive(Clone, Debug)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    tip: watch::Receiver<Arc<State>>,
    shared: Arc<Shared>,
}

impl Handle {
    pub(super) fn new(
        requests: mpsc::Sender<Request>,
        tip: watch::Receiver<Arc<State>>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            requests,
            tip,
            shared,
        }
    }

    /// What readers may look at without asking.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The state after the latest durable block.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.tip.borrow().clone()
    }

    /// Follows the latest durable block.
    #[must_use]
    pub fn tip(&self) -> watch::Receiver<Arc<State>> {
        self.tip.clone()
    }

    /// How many validators this node is connected to, without itself.
    #[must_use]
    pub fn connected(&self) -> u32 {
        self.shared.connected.load(Ordering::Relaxed)
    }

    /// Hands in a decoded submission whose senders were recovered.
    ///
    /// # Errors
    /// It is refused, or the node cannot take it now; it was not taken in.
    pub async fn submit(&self, submission: Submission) -> Result<Admission, SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .try_send(Request::Submit { submission, reply })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => SubmitError::Busy,
                mpsc::error::TrySendError::Closed(_) => SubmitError::Stopping,
            })?;
        let answered = answer.await.map_err(|_| SubmitError::Stopping)?;
        Ok(answered?)
    }

    /// True when the pool knows a sender's next nonce, so that nobody needs to ask the rollup.
    pub async fn knows_sender(&self, chain_id: ChainId, sender: Address) -> bool {
        self.ask(|reply| Request::KnowsSender {
            chain_id,
            sender,
            reply,
        })
        .await
        .unwrap_or(true)
    }

    /// Tells the pool which nonce the rollup expects next of a sender.
    pub async fn expect_nonce(&self, chain_id: ChainId, sender: Address, nonce: u64) {
        let _stopping = self
            .requests
            .send(Request::Expect {
                chain_id,
                sender,
                nonce,
            })
            .await;
    }

    /// The first nonce of a sender that nothing here takes; nothing for an unknown sender.
    pub async fn pending_nonce(&self, chain_id: ChainId, sender: Address) -> Option<u64> {
        self.ask(|reply| Request::PendingNonce {
            chain_id,
            sender,
            reply,
        })
        .await
        .flatten()
    }

    /// Senders that wait behind a gap in their nonces, at most so many.
    pub async fn gaps(&self, count_max: usize) -> Vec<Gap> {
        self.ask(|reply| Request::Gaps { count_max, reply })
            .await
            .unwrap_or_default()
    }

    /// Where a transaction or bundle is in its life, as far as this node's pool knows; what was
    /// committed long ago is in the store.
    pub async fn status(&self, name: Name) -> Option<pool::State> {
        self.ask(|reply| Request::Status { name, reply })
            .await
            .flatten()
    }

    /// Waits for an acknowledgement or an end; nothing when the node stops first, or never knew it.
    pub async fn wait(&self, name: Name, until: Until) -> Option<pool::State> {
        self.ask(|reply| Request::Wait { name, until, reply }).await
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.ok()?;
        answer.await.ok()
    }
}

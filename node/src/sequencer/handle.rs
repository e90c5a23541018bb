//! What the rest of the node asks of its running sequencer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use cloverleaf_bundle::State;
use cloverleaf_mempool::Refusal;
use cloverleaf_mempool::pool::{self, Gap, Name, Submission};
use cloverleaf_storage::Store;
use cloverleaf_stream::Hub;
use cloverleaf_types::{Address, ChainId, Genesis, TransactionKey};
use tokio::sync::{mpsc, oneshot, watch};

use super::evidence::KeptEvidence;
use super::floors::Floors;
use super::vitals::Vitals;
use crate::home::Home;
use crate::metrics::Metrics;

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

/// Submissions on their way in together. All that is to be known about them is asked at once: the
/// sequencer's thread is what a node has only one of.
#[derive(Debug)]
pub struct HandIn {
    /// Decoded, their senders recovered, in their order; each with the acknowledgement up to which
    /// somebody waits.
    pub submissions: Vec<(Submission, Option<Until>)>,
    /// What rollups said of their senders: the nonces that they expect next.
    pub told: Vec<(ChainId, Address, u64)>,
    /// Rollups that can be asked: while the pool does not know the next nonce of a sender there, nothing
    /// is taken in, but it is said whose.
    pub asks: Vec<ChainId>,
}

/// What became of what was handed in.
#[derive(Debug)]
pub enum HandedIn {
    /// An answer to each. There are fewer of them when the node had to end meanwhile.
    Answered(Vec<Result<Taken, Refusal>>),
    /// The pool does not know these senders' next nonces; their rollups do. Nothing was taken in, so that
    /// nothing comes before what was submitted before it.
    AskFirst {
        /// It comes back as it was.
        hand_in: HandIn,
        /// Whom it does not know, each once.
        senders: Vec<(ChainId, Address)>,
    },
}

/// A submission that was taken in.
#[derive(Debug)]
pub struct Taken {
    /// Its state now.
    pub state: pool::State,
    /// Says when it has come as far as somebody waits for; closed when the node stops first.
    pub reached: Option<oneshot::Receiver<pool::State>>,
}

impl Request {
    /// How many turns it takes.
    pub(super) fn turns(&self) -> usize {
        match self {
            Self::Submit { hand_in, .. } => hand_in.submissions.len(),
            _ => 1,
        }
    }
}

/// What the sequencer's thread is asked.
#[derive(Debug)]
pub(super) enum Request {
    Submit {
        hand_in: Box<HandIn>,
        reply: oneshot::Sender<HandedIn>,
    },
    Expect {
        chain_id: ChainId,
        sender: Address,
        nonce: u64,
    },
    PendingNonce {
        chain_id: ChainId,
        sender: Address,
        reply: oneshot::Sender<Option<u64>>,
    },
    Gaps {
        chain_id: ChainId,
        after: Option<Address>,
        count_max: usize,
        reply: oneshot::Sender<Vec<Gap>>,
    },
    Status {
        names: Vec<Name>,
        reply: oneshot::Sender<Vec<Option<pool::State>>>,
    },
    Raw {
        key: TransactionKey,
        reply: oneshot::Sender<Option<Bytes>>,
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
    /// What is kept against validators.
    pub(crate) evidence: Arc<KeptEvidence>,
    /// How its threads are.
    pub vitals: Vitals,
    /// How much room its disk has.
    pub floors: Floors,
    /// What is counted.
    pub(crate) metrics: Metrics,
    pub(super) connected: AtomicU32,
}

impl Shared {
    /// What is shared of a directory's node.
    ///
    /// # Errors
    /// The directory of evidence cannot be read.
    pub(super) fn new(home: &Home, store: Store, hub: Arc<Hub>) -> eyre::Result<Self> {
        Ok(Self {
            genesis: home.genesis.clone(),
            own: home.keys.address(),
            store,
            hub,
            evidence: Arc::new(KeptEvidence::open(&home.dir)?),
            vitals: Vitals::default(),
            floors: Floors::new(home),
            metrics: Metrics::new(),
            connected: AtomicU32::new(0),
        })
    }

    /// Notes how many validators this node is connected to.
    pub(super) fn note_connected(&self, count: u32) {
        self.connected.store(count, Ordering::Relaxed);
    }
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

    /// Hands in decoded submissions whose senders were recovered, one after the other.
    ///
    /// # Errors
    /// The node cannot take them now. It took none in, unless it is stopping.
    pub async fn submit(&self, hand_in: HandIn) -> Result<HandedIn, SubmitError> {
        let (reply, answer) = oneshot::channel();
        let hand_in = Box::new(hand_in);
        self.requests
            .try_send(Request::Submit { hand_in, reply })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => SubmitError::Busy,
                mpsc::error::TrySendError::Closed(_) => SubmitError::Stopping,
            })?;
        answer.await.map_err(|_| SubmitError::Stopping)
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

    /// Senders that wait behind a gap in their nonces on a rollup, at most so many: those after a
    /// sender, and then from the first on.
    pub async fn gaps(
        &self,
        chain_id: ChainId,
        after: Option<Address>,
        count_max: usize,
    ) -> Vec<Gap> {
        self.ask(|reply| Request::Gaps {
            chain_id,
            after,
            count_max,
            reply,
        })
        .await
        .unwrap_or_default()
    }

    /// Where a transaction or bundle is in its life, as far as this node's pool knows; what was
    /// committed long ago is in the store.
    pub async fn status(&self, name: Name) -> Option<pool::State> {
        self.statuses(vec![name]).await.pop().flatten()
    }

    /// The same of several, in their order; nothing of any when the node is stopping.
    pub async fn statuses(&self, names: Vec<Name>) -> Vec<Option<pool::State>> {
        self.ask(|reply| Request::Status { names, reply })
            .await
            .unwrap_or_default()
    }

    /// The bytes of a transaction that is in the pool.
    pub async fn raw(&self, key: TransactionKey) -> Option<Bytes> {
        self.ask(|reply| Request::Raw { key, reply })
            .await
            .flatten()
    }

    /// Waits for an acknowledgement or an end: what is returned is closed when the node stops first,
    /// or does not know the name. Nothing when the node is stopping.
    pub async fn wait(&self, name: Name, until: Until) -> Option<oneshot::Receiver<pool::State>> {
        let (reply, reached) = oneshot::channel();
        let request = Request::Wait { name, until, reply };
        self.requests.send(request).await.ok()?;
        Some(reached)
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.ok()?;
        answer.await.ok()
    }
}

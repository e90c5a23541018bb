//! Into the pool, and what came of it.
//!
//! ```text
//!  hand in: ─► pool, and back for unknown senders' next nonces        (in the order they came)
//!  acknowledged: wait for what was asked for ─► status                (in any order)
//! ```

use std::collections::BTreeSet;

use bytes::Bytes;
use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::{BundleStatus, SendBundle, TransactionStatus};
use cloverleaf_api::reason::Reason;
use cloverleaf_bundle::State;
use cloverleaf_mempool::pool::Name;
use cloverleaf_mempool::{BundleDraft, Gap, PooledBundle, Submission, pool};
use cloverleaf_storage::Store;
use cloverleaf_types::{Address, ChainId, TransactionKey};
use tokio::sync::oneshot;

use super::prepare::{Found, Prepared};
use super::refusal::{not_taken, refused};
use super::{Desk, unreadable};
use crate::clock::now_ms;
use crate::rpc::limits::WAIT_TIMEOUT;
use crate::sequencer::{HandIn, HandedIn, SubmitError, Taken, Until};

/// What becomes of a prepared transaction when it is handed in.
enum Place {
    /// Nothing: it is waited for at most.
    Known(Option<pool::State>, Option<Until>),
    /// The sequencer's next answer is to it.
    HandedIn,
}

/// A transaction that was taken in.
#[derive(Debug)]
pub(crate) struct Received {
    key: TransactionKey,
    state: Option<pool::State>,
    reached: Option<oneshot::Receiver<pool::State>>,
}

impl Received {
    fn new(
        key: TransactionKey,
        state: Option<pool::State>,
        reached: Option<oneshot::Receiver<pool::State>>,
    ) -> Self {
        Self {
            key,
            state,
            reached,
        }
    }

    /// The earlier nonce that it waits for.
    pub(crate) fn gap(&self) -> Option<Gap> {
        match self.state {
            Some(pool::State::Parked { gap }) => Some(gap),
            _ => None,
        }
    }

    /// Which it is, and its state when it has come as far as is waited for.
    pub(super) async fn end(self) -> (TransactionKey, Option<pool::State>) {
        let reached = match self.reached {
            Some(reached) => reached.await.ok(),
            None => None,
        };
        (self.key, reached.or(self.state))
    }
}

impl Desk {
    /// Hands a transaction in. Those of one sender are handed in one after the other, in their order.
    ///
    /// # Errors
    /// It is refused, or the node cannot take it now.
    pub(crate) async fn hand_in(
        &self,
        prepared: Prepared,
        until: Option<Until>,
    ) -> Result<Received, RpcError> {
        let mut received = self.hand_in_all(vec![(prepared, until)]).await;
        received
            .pop()
            .unwrap_or_else(|| Err(not_taken(&SubmitError::Stopping)))
    }

    /// Hands several in, in their order; each outcome stands where its transaction stood.
    pub(crate) async fn hand_in_all(
        &self,
        prepared: Vec<(Prepared, Option<Until>)>,
    ) -> Vec<Result<Received, RpcError>> {
        let mut submissions = Vec::new();
        let (mut keys, mut places) = (Vec::new(), Vec::new());
        for (Prepared { key, found }, until) in prepared {
            keys.push(key);
            places.push(match found {
                Found::Placed => Place::Known(None, None),
                Found::Known(state) => Place::Known(Some(state), until),
                Found::New(transaction) => {
                    submissions.push((Submission::Transaction(*transaction), until));
                    Place::HandedIn
                }
            });
        }
        let mut taken = self.take_all(submissions).await.into_iter();
        let mut received = Vec::with_capacity(keys.len());
        for (key, place) in keys.into_iter().zip(places) {
            received.push(match place {
                Place::Known(state, None) => Ok(Received::new(key, state, None)),
                Place::Known(state, Some(until)) => {
                    let reached = self.handle.wait(Name::Transaction(key), until).await;
                    Ok(Received::new(key, state, reached))
                }
                Place::HandedIn => {
                    let answer = taken.next().unwrap_or(Err(SubmitError::Stopping));
                    let taken = answer.map_err(|error| not_taken(&error));
                    taken.map(|Taken { state, reached }| Received::new(key, Some(state), reached))
                }
            });
        }
        received
    }

    /// How far a transaction has come, once it has come as far as was asked for; that is waited for
    /// [`WAIT_TIMEOUT`] at most.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn acknowledged(
        &self,
        received: Received,
    ) -> Result<TransactionStatus, RpcError> {
        let Received {
            key,
            state,
            reached,
        } = received;
        let state = self.reached(Name::Transaction(key), state, reached).await;
        let status = self.status_in(key, state).await?;
        status.ok_or_else(|| RpcError::because(Reason::NotFound, key.1))
    }

    /// Takes a wallet's transaction in; without `expected` it goes to the rollup that it names.
    ///
    /// # Errors
    /// It is refused, or the node cannot take it now.
    pub(crate) async fn send_envelope(
        &self,
        expected: Option<ChainId>,
        raw: Bytes,
    ) -> Result<TransactionKey, RpcError> {
        let prepared = self.prepare_envelope(expected, raw).await?;
        Ok(self.hand_in(prepared, None).await?.key)
    }

    /// Takes a bundle in, and says how far it has come once it has come as far as is waited for.
    ///
    /// # Errors
    /// It is refused, or the node cannot take it now.
    pub(crate) async fn send_bundle(
        &self,
        bundle: SendBundle,
        until: Option<Until>,
    ) -> Result<BundleStatus, RpcError> {
        let state = self.handle.state();
        let bytes_max = transaction_bytes_max(&state);
        let recover = move |store: &Store| {
            let rollup = |chain_id| state.rollup(chain_id).map(|found| &found.rollup);
            let unrecovered = draft(bundle)?.decode(bytes_max, rollup);
            let recovered = unrecovered.and_then(pool::UnrecoveredBundle::recover);
            let pooled = recovered.map_err(|no| refused(&no))?;
            let placed = store.bundle(pooled.hash).map_err(unreadable)?;
            Ok((placed.is_some(), pooled))
        };
        let (placed, pooled) = self.recover(recover).await?;
        let hash = pooled.hash;
        let state = if placed {
            None
        } else {
            let Taken { state, reached } = self.take_bundle(pooled, until).await?;
            self.reached(Name::Bundle(hash), Some(state), reached).await
        };
        let status = self.bundle_status_in(hash, state).await?;
        Ok(status.unwrap_or_else(|| self.received_bundle(hash)))
    }

    async fn take_bundle(
        &self,
        bundle: PooledBundle,
        until: Option<Until>,
    ) -> Result<Taken, RpcError> {
        // Before it is taken in: whoever asks next is answered its legs.
        self.submitted.remember(&bundle);
        self.take(Submission::Bundle(bundle), until).await
    }

    /// The state that a name came to while it was waited for.
    async fn reached(
        &self,
        name: Name,
        state: Option<pool::State>,
        reached: Option<oneshot::Receiver<pool::State>>,
    ) -> Option<pool::State> {
        let Some(reached) = reached else { return state };
        match tokio::time::timeout(WAIT_TIMEOUT, reached).await {
            Ok(reached) => reached.ok().or(state),
            Err(_late) => self.handle.status(name).await,
        }
    }

    pub(super) async fn recover<T: Send + 'static>(
        &self,
        recover: impl FnOnce(&Store) -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        let store = self.handle.shared().store.clone();
        self.recoveries.run(move || recover(&store)).await?
    }

    async fn take(&self, submission: Submission, until: Option<Until>) -> Result<Taken, RpcError> {
        let taken = self.take_all(vec![(submission, until)]).await.pop();
        let taken = taken.unwrap_or(Err(SubmitError::Stopping));
        taken.map_err(|error| not_taken(&error))
    }

    /// Hands submissions in together, once their senders' rollups have said of whom the pool does not
    /// know it which nonces come next. An answer to each; fewer when the node is stopping.
    async fn take_all(
        &self,
        submissions: Vec<(Submission, Option<Until>)>,
    ) -> Vec<Result<Taken, SubmitError>> {
        let count = submissions.len();
        if count == 0 {
            return Vec::new();
        }
        let state = self.handle.state();
        let each = submissions.iter().map(|(submission, _)| submission);
        let told = each.clone().flat_map(|it| control_nonces(&state, it));
        let chains = each.flat_map(|it| it.transactions().map(|it| it.chain_id));
        let asked: BTreeSet<ChainId> = chains.filter(|it| self.executions.knows(*it)).collect();
        let mut hand_in = HandIn {
            told: told.collect(),
            asks: asked.into_iter().collect(),
            submissions,
        };
        loop {
            match self.handle.submit(hand_in).await {
                Ok(HandedIn::Answered(answers)) => {
                    return answers.into_iter().map(|it| Ok(it?)).collect();
                }
                Ok(HandedIn::AskFirst {
                    hand_in: mut again,
                    senders,
                }) => {
                    again.told.extend(self.next_nonces(senders).await);
                    again.asks.clear();
                    hand_in = again;
                }
                Err(error) => return (0..count).map(|_| Err(error.clone())).collect(),
            }
        }
    }

    /// The next nonces of senders, of those whose rollups answer in time.
    async fn next_nonces(&self, senders: Vec<(ChainId, Address)>) -> Vec<(ChainId, Address, u64)> {
        let ask = senders.into_iter().map(|(chain_id, sender)| async move {
            let nonce = self.executions.next_nonce(chain_id, sender).await?;
            Some((chain_id, sender, nonce))
        });
        let told = futures::future::join_all(ask).await;
        told.into_iter().flatten().collect()
    }
}

/// What the state says of the next nonces of those who sign control transactions (S1).
fn control_nonces(state: &State, submission: &Submission) -> Vec<(ChainId, Address, u64)> {
    let controls = submission
        .transactions()
        .filter(|it| it.chain_id == ChainId::CONTROL);
    let told = controls.map(|it| (it.chain_id, it.sender, state.control_nonce(it.sender)));
    told.collect()
}

fn draft(bundle: SendBundle) -> Result<BundleDraft, RpcError> {
    let received_ms = now_ms();
    let terms = bundle.terms(received_ms)?;
    let raws = |txs: Vec<alloy_primitives::Bytes>| txs.into_iter().map(|raw| raw.0).collect();
    let legs = bundle
        .legs
        .into_iter()
        .map(|leg| (leg.chain_id, raws(leg.txs)));
    Ok(BundleDraft {
        terms,
        legs: legs.collect(),
        received_ms,
    })
}

pub(super) fn transaction_bytes_max(state: &State) -> usize {
    usize::try_from(state.parameters().transaction_bytes_max).unwrap_or(usize::MAX)
}

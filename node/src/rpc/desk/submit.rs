//! From bytes to the pool.
//!
//! ```text
//!  prepare: decode, cheap checks ─► known? ─► recover the sender      (in any order)
//!  hand in: ─► pool, and back for unknown senders' next nonces        (in the order they came)
//!  acknowledged: wait for what was asked for ─► status                (in any order)
//! ```
//! What is known is answered before a signature costs anything: libraries send again whatever they
//! got no answer for. The sequencer's thread is asked twice: what it knows, and to take it in.

use bytes::Bytes;
use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::{BundleStatus, SendBundle, TransactionStatus};
use cloverleaf_api::reason::Reason;
use cloverleaf_bundle::State;
use cloverleaf_mempool::pool::{Name, active, is_checked};
use cloverleaf_mempool::{
    BundleDraft, Envelope, Gap, PooledBundle, PooledTransaction, Submission, pool,
};
use cloverleaf_storage::Store;
use cloverleaf_types::rollup::Format;
use cloverleaf_types::{Address, ChainId, TransactionKey};
use tokio::sync::oneshot;

use super::control::decode_control;
use super::refusal::{not_taken, refused};
use super::{Desk, registered, unreadable};
use crate::clock::now_ms;
use crate::rpc::limits::WAIT_TIMEOUT;
use crate::sequencer::{HandIn, HandedIn, Taken, Until};

/// A transaction that passed all that can be checked without the pool.
#[derive(Debug)]
pub(crate) struct Prepared {
    key: TransactionKey,
    found: Found,
}

/// Where a prepared transaction was found.
#[derive(Debug)]
enum Found {
    /// Here, alive or committed: handing it in would change nothing.
    Known(pool::State),
    /// In a block that this node's pool has forgotten.
    Placed,
    /// Nowhere.
    New(Box<PooledTransaction>),
}

/// A transaction that was taken in.
#[derive(Debug)]
pub(crate) struct Received {
    key: TransactionKey,
    state: Option<pool::State>,
    reached: Option<oneshot::Receiver<pool::State>>,
}

impl Prepared {
    /// Its rollup and its id.
    pub(crate) fn key(&self) -> TransactionKey {
        self.key
    }

    /// True when handing it in would change nothing.
    pub(crate) fn is_known(&self) -> bool {
        !matches!(self.found, Found::New(_))
    }
}

impl Received {
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
    /// Prepares a rollup's transaction, as the rollup encodes it.
    ///
    /// # Errors
    /// It is refused.
    pub(crate) async fn prepare(
        &self,
        chain_id: ChainId,
        raw: Bytes,
    ) -> Result<Prepared, RpcError> {
        let state = self.handle.state();
        if chain_id == ChainId::CONTROL {
            return self.prepare_control(raw).await;
        }
        match registered(&state, chain_id)?.rollup.format {
            Format::Evm => self.prepare_envelope(Some(chain_id), raw).await,
            Format::Opaque => prepare_opaque(&state, chain_id, raw),
        }
    }

    /// Prepares a wallet's transaction; without `expected` it goes to the rollup that it names.
    ///
    /// # Errors
    /// It is refused.
    pub(crate) async fn prepare_envelope(
        &self,
        expected: Option<ChainId>,
        raw: Bytes,
    ) -> Result<Prepared, RpcError> {
        let (envelope, checked) = decode(&self.handle.state(), expected, raw)?;
        let key = (envelope.chain_id(), envelope.id());
        if let Some(state) = self.known(Name::Transaction(key)).await {
            let found = Found::Known(state);
            return Ok(Prepared { key, found });
        }
        let recover = move |store: &Store| {
            let placed = store.transaction(key.0, key.1).map_err(unreadable)?;
            if placed.is_some() {
                return Ok(Found::Placed);
            }
            let transaction = envelope.recover(checked, now_ms());
            let transaction = transaction.map_err(|no| refused(&no))?;
            Ok(Found::New(Box::new(transaction)))
        };
        let found = self.recover(recover).await?;
        Ok(Prepared { key, found })
    }

    /// Prepares a change of the network itself (S1).
    async fn prepare_control(&self, raw: Bytes) -> Result<Prepared, RpcError> {
        let key = (ChainId::CONTROL, cloverleaf_types::transaction_id(&raw));
        if let Some(state) = self.known(Name::Transaction(key)).await {
            let found = Found::Known(state);
            return Ok(Prepared { key, found });
        }
        let state = self.handle.state();
        let recover = move |store: &Store| {
            let placed = store.transaction(key.0, key.1).map_err(unreadable)?;
            if placed.is_some() {
                return Ok(Found::Placed);
            }
            let transaction = decode_control(&state, raw)?;
            Ok(Found::New(Box::new(transaction)))
        };
        let found = self.recover(recover).await?;
        Ok(Prepared { key, found })
    }

    /// Hands a transaction in. Those of one sender are handed in one after the other, in their order.
    ///
    /// # Errors
    /// It is refused, or the node cannot take it now.
    pub(crate) async fn hand_in(
        &self,
        prepared: Prepared,
        until: Option<Until>,
    ) -> Result<Received, RpcError> {
        let Prepared { key, found } = prepared;
        let (state, reached) = match (found, until) {
            (Found::Placed, _) => (None, None),
            (Found::Known(state), None) => (Some(state), None),
            (Found::Known(state), Some(until)) => {
                let reached = self.handle.wait(Name::Transaction(key), until).await;
                (Some(state), reached)
            }
            (Found::New(transaction), until) => {
                let submission = Submission::Transaction(*transaction);
                let Taken { state, reached } = self.take(submission, until).await?;
                (Some(state), reached)
            }
        };
        Ok(Received {
            key,
            state,
            reached,
        })
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

    /// The state of a name that a submission would not change.
    async fn known(&self, name: Name) -> Option<pool::State> {
        let state = self.handle.status(name).await;
        state.filter(|state| !state.is_ended() || matches!(state, pool::State::Committed { .. }))
    }

    pub(super) async fn recover<T: Send + 'static>(
        &self,
        recover: impl FnOnce(&Store) -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        let store = self.handle.shared().store.clone();
        self.recoveries.run(move || recover(&store)).await?
    }

    async fn take(&self, submission: Submission, until: Option<Until>) -> Result<Taken, RpcError> {
        let knows = |rollup| self.executions.knows(rollup);
        let ask_first = submission.transactions().any(|it| knows(it.chain_id));
        let mut hand_in = HandIn {
            told: control_nonces(&self.handle.state(), &submission),
            submission,
            ask_first,
            until,
        };
        loop {
            let handed_in = self.handle.submit(hand_in).await;
            match handed_in.map_err(|error| not_taken(&error))? {
                HandedIn::Taken(taken) => return Ok(taken),
                HandedIn::AskFirst {
                    submission,
                    senders,
                } => {
                    hand_in = HandIn {
                        told: self.next_nonces(senders).await,
                        ask_first: false,
                        submission,
                        until,
                    };
                }
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

fn prepare_opaque(state: &State, chain_id: ChainId, raw: Bytes) -> Result<Prepared, RpcError> {
    let rollup = state.rollup(chain_id).map(|found| &found.rollup);
    active(chain_id, rollup).map_err(|no| refused(&no))?;
    let bytes_max = transaction_bytes_max(state);
    let transaction = PooledTransaction::opaque(chain_id, raw, bytes_max, now_ms());
    let transaction = transaction.map_err(|no| refused(&no))?;
    Ok(Prepared {
        key: transaction.key(),
        found: Found::New(Box::new(transaction)),
    })
}

/// Decodes a transaction, finds its rollup, and whether every validator verifies it (L1).
fn decode(
    state: &State,
    expected: Option<ChainId>,
    raw: Bytes,
) -> Result<(Envelope, bool), RpcError> {
    let decoded = Envelope::decode(raw, transaction_bytes_max(state)).and_then(|envelope| {
        envelope.check_chain(expected.unwrap_or(envelope.chain_id()))?;
        Ok(envelope)
    });
    let envelope = decoded.map_err(|no| refused(&no))?;
    let chain_id = envelope.chain_id();
    let rollup = &registered(state, chain_id)?.rollup;
    active(chain_id, Some(rollup)).map_err(|no| refused(&no))?;
    if rollup.format == Format::Opaque {
        return Err(RpcError::not_supported("eth_sendRawTransaction"));
    }
    Ok((envelope, is_checked(rollup)))
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

fn transaction_bytes_max(state: &State) -> usize {
    usize::try_from(state.parameters().transaction_bytes_max).unwrap_or(usize::MAX)
}

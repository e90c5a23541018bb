//! From bytes to the pool.
//!
//! ```text
//!  decode, cheap checks ─► known? ─► recover the senders ─► their nonces ─► pool
//! ```
//! What is known is answered before a signature costs anything: libraries send again whatever they
//! got no answer for.

use bytes::Bytes;
use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::{BundleStatus, SendBundle};
use cloverleaf_bundle::State;
use cloverleaf_mempool::pool::{Name, active, is_checked};
use cloverleaf_mempool::{
    BundleDraft, Envelope, PooledBundle, PooledTransaction, Submission, pool,
};
use cloverleaf_storage::Store;
use cloverleaf_types::rollup::Format;
use cloverleaf_types::{B256, ChainId, TransactionKey};

use super::control::prepare_control;
use super::refusal::{not_taken, refused};
use super::{Desk, registered, unreadable};
use crate::clock::now_ms;

/// What recovering senders came to.
enum Recovered<T> {
    /// It is in a block already.
    Placed,
    /// It may go to the pool.
    New(T),
}

impl Desk {
    /// Takes a rollup's transaction in, as the rollup encodes it.
    ///
    /// # Errors
    /// It is refused, or the node cannot take it now.
    pub(crate) async fn send(
        &self,
        chain_id: ChainId,
        raw: Bytes,
    ) -> Result<TransactionKey, RpcError> {
        let state = self.handle.state();
        if chain_id == ChainId::CONTROL {
            return self.send_control(raw).await;
        }
        match registered(&state, chain_id)?.rollup.format {
            Format::Evm => self.send_envelope(Some(chain_id), raw).await,
            Format::Opaque => self.send_opaque(&state, chain_id, raw).await,
        }
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
        let (envelope, checked) = decode(&self.handle.state(), expected, raw)?;
        let key = (envelope.chain_id(), envelope.id());
        if self.is_pooled(Name::Transaction(key)).await {
            return Ok(key);
        }
        let recover = move |store: &Store| {
            if store
                .transaction(key.0, key.1)
                .map_err(unreadable)?
                .is_some()
            {
                return Ok(Recovered::Placed);
            }
            let transaction = envelope
                .recover(checked, now_ms())
                .map_err(|no| refused(&no))?;
            Ok(Recovered::New(transaction))
        };
        if let Recovered::New(transaction) = self.recover(recover).await? {
            self.take(Submission::Transaction(transaction)).await?;
        }
        Ok(key)
    }

    /// Takes a bundle in.
    ///
    /// # Errors
    /// It is refused, or the node cannot take it now.
    pub(crate) async fn send_bundle(&self, bundle: SendBundle) -> Result<BundleStatus, RpcError> {
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
        if !placed {
            self.take_bundle(pooled).await?;
        }
        self.status_of_taken(hash).await
    }

    /// Takes in a change of the network itself (S1).
    async fn send_control(&self, raw: Bytes) -> Result<TransactionKey, RpcError> {
        let key = (ChainId::CONTROL, cloverleaf_types::transaction_id(&raw));
        if self.is_pooled(Name::Transaction(key)).await {
            return Ok(key);
        }
        let state = self.handle.state();
        let recover = move |store: &Store| {
            let placed = store.transaction(key.0, key.1).map_err(unreadable)?;
            if placed.is_some() {
                return Ok(Recovered::Placed);
            }
            let transaction = prepare_control(&state, raw)?;
            let nonce = state.control_nonce(transaction.sender);
            Ok(Recovered::New((transaction, nonce)))
        };
        if let Recovered::New((transaction, nonce)) = self.recover(recover).await? {
            let sender = transaction.sender;
            self.handle.expect_nonce(key.0, sender, nonce).await;
            self.take(Submission::Transaction(transaction)).await?;
        }
        Ok(key)
    }

    async fn send_opaque(
        &self,
        state: &State,
        chain_id: ChainId,
        raw: Bytes,
    ) -> Result<TransactionKey, RpcError> {
        let rollup = state.rollup(chain_id).map(|found| &found.rollup);
        active(chain_id, rollup).map_err(|no| refused(&no))?;
        let bytes_max = transaction_bytes_max(state);
        let transaction = PooledTransaction::opaque(chain_id, raw, bytes_max, now_ms());
        let transaction = transaction.map_err(|no| refused(&no))?;
        let key = transaction.key();
        self.take(Submission::Transaction(transaction)).await?;
        Ok(key)
    }

    async fn take_bundle(&self, bundle: PooledBundle) -> Result<(), RpcError> {
        // Before it is taken in: whoever asks next is answered its legs.
        self.submitted.remember(&bundle);
        self.take(Submission::Bundle(bundle)).await
    }

    async fn status_of_taken(&self, hash: B256) -> Result<BundleStatus, RpcError> {
        let status = self.bundle_status(hash).await?;
        Ok(status.unwrap_or_else(|| self.received_bundle(hash)))
    }

    /// True when a submission of this name would change nothing.
    async fn is_pooled(&self, name: Name) -> bool {
        let state = self.handle.status(name).await;
        state.is_some_and(|state| {
            !state.is_ended() || matches!(state, pool::State::Committed { .. })
        })
    }

    async fn recover<T: Send + 'static>(
        &self,
        recover: impl FnOnce(&Store) -> Result<T, RpcError> + Send + 'static,
    ) -> Result<T, RpcError> {
        let store = self.handle.shared().store.clone();
        self.recoveries.run(move || recover(&store)).await?
    }

    async fn take(&self, submission: Submission) -> Result<(), RpcError> {
        self.learn_nonces(&submission).await;
        let admitted = self.handle.submit(submission).await;
        admitted
            .map(|_admission| ())
            .map_err(|error| not_taken(&error))
    }

    /// Asks the rollups for the next nonces of senders that the pool does not know.
    async fn learn_nonces(&self, submission: &Submission) {
        let transactions = submission
            .transactions()
            .filter(|found| found.nonce.is_some());
        let mut senders: Vec<_> = transactions
            .map(|found| (found.chain_id, found.sender))
            .collect();
        senders.sort_unstable();
        senders.dedup();
        let learn = senders.into_iter().map(|(chain_id, sender)| async move {
            if self.handle.knows_sender(chain_id, sender).await {
                return;
            }
            if let Some(nonce) = self.executions.next_nonce(chain_id, sender).await {
                self.handle.expect_nonce(chain_id, sender, nonce).await;
            }
        });
        futures::future::join_all(learn).await;
    }
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

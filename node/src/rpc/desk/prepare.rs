//! From bytes to what a pool takes.
//!
//! ```text
//!  open: decode, cheap checks ─► known? ─► recover the sender
//! ```
//! What is known is answered before a signature costs anything: libraries send again whatever they got
//! no answer for. Of several that came at once, the sequencer's thread is asked once, and one worker
//! recovers all: what it costs to wake somebody is shared.

use bytes::Bytes;
use cloverleaf_api::error::RpcError;
use cloverleaf_api::reason::Reason;
use cloverleaf_bundle::State;
use cloverleaf_mempool::pool::{Name, active, is_checked};
use cloverleaf_mempool::{Envelope, PooledTransaction, pool};
use cloverleaf_storage::Store;
use cloverleaf_types::rollup::Format;
use cloverleaf_types::{ChainId, TransactionKey, transaction_id};

use super::control::decode_control;
use super::refusal::refused;
use super::submit::transaction_bytes_max;
use super::{Desk, registered, unreadable};
use crate::clock::now_ms;

/// A transaction that passed all that can be checked without the pool.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(super) key: TransactionKey,
    pub(super) found: Found,
}

/// Where a prepared transaction was found.
#[derive(Debug)]
pub(super) enum Found {
    /// Here, alive or committed: handing it in would change nothing.
    Known(pool::State),
    /// In a block that this node's pool has forgotten.
    Placed,
    /// Nowhere.
    New(Box<PooledTransaction>),
}

/// A transaction that is one by its bytes; who sent it is not known yet.
struct Opened {
    key: TransactionKey,
    kind: Kind,
}

/// With its state, if another submission would not change that.
type Looked = (Opened, Option<pool::State>);

enum Kind {
    /// A wallet's.
    Envelope {
        envelope: Box<Envelope>,
        /// Every validator verifies it (L1).
        checked: bool,
    },
    /// A change of the network itself (S1).
    Control(Bytes),
    /// Bytes of which only the rollup knows what they are.
    Opaque(Box<PooledTransaction>),
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
        self.prepare_one(open(&self.handle.state(), chain_id, raw)?)
            .await
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
        self.prepare_one(open_envelope(&self.handle.state(), expected, raw)?)
            .await
    }

    /// Prepares several that came at once; each outcome stands where its transaction stood.
    pub(crate) async fn prepare_all(
        &self,
        submitted: Vec<(ChainId, Bytes)>,
    ) -> Vec<Result<Prepared, RpcError>> {
        let state = self.handle.state();
        let submitted = submitted.into_iter();
        let opened = submitted.map(|(chain_id, raw)| open(&state, chain_id, raw));
        self.prepare_opened(opened.collect()).await
    }

    async fn prepare_one(&self, opened: Opened) -> Result<Prepared, RpcError> {
        let mut prepared = self.prepare_opened(vec![Ok(opened)]).await;
        prepared
            .pop()
            .unwrap_or_else(|| Err(RpcError::new(Reason::Internal)))
    }

    async fn prepare_opened(
        &self,
        opened: Vec<Result<Opened, RpcError>>,
    ) -> Vec<Result<Prepared, RpcError>> {
        let asked = opened.iter().flatten().filter(|it| it.is_looked_up());
        let names: Vec<Name> = asked.map(|it| Name::Transaction(it.key)).collect();
        let mut states = match names.len() {
            0 => Vec::new(),
            _ => self.handle.statuses(names).await,
        }
        .into_iter();
        let mut with_state = |opened: Opened| {
            let state = opened.is_looked_up().then(|| states.next().flatten());
            (opened, state.flatten().filter(would_not_change))
        };
        let wanted: Vec<_> = opened
            .into_iter()
            .map(|it| it.map(&mut with_state))
            .collect();
        let (count, state) = (wanted.len(), self.handle.state());
        let mut still = wanted.iter().flatten();
        if !still.any(|(opened, known)| known.is_none() && opened.is_looked_up()) {
            return found_all(&self.handle.shared().store, &state, wanted);
        }
        let prepared = self.recover(move |store| Ok(found_all(store, &state, wanted)));
        prepared
            .await
            .unwrap_or_else(|failed| (0..count).map(|_| Err(failed.clone())).collect())
    }
}

impl Opened {
    /// True when pool and store are asked for it, and a signature is recovered: all but opaque bytes.
    fn is_looked_up(&self) -> bool {
        !matches!(self.kind, Kind::Opaque(_))
    }

    /// What a pool takes, unless it is in a block that this node's pool has forgotten.
    fn found(self, store: &Store, state: &State) -> Result<Found, RpcError> {
        let (chain_id, id) = self.key;
        let placed = || store.transaction(chain_id, id).map_err(unreadable);
        let transaction = match self.kind {
            Kind::Opaque(transaction) => return Ok(Found::New(transaction)),
            _ if placed()?.is_some() => return Ok(Found::Placed),
            Kind::Envelope { envelope, checked } => envelope
                .recover(checked, now_ms())
                .map_err(|no| refused(&no))?,
            Kind::Control(raw) => decode_control(state, raw)?,
        };
        Ok(Found::New(Box::new(transaction)))
    }
}

fn found_all(
    store: &Store,
    state: &State,
    wanted: Vec<Result<Looked, RpcError>>,
) -> Vec<Result<Prepared, RpcError>> {
    let found = |(opened, known): Looked| {
        let key = opened.key;
        let found = match known {
            Some(known) => Found::Known(known),
            None => opened.found(store, state)?,
        };
        Ok(Prepared { key, found })
    };
    wanted.into_iter().map(|it| it.and_then(found)).collect()
}

/// True of a state that another submission of the same would not change.
fn would_not_change(state: &pool::State) -> bool {
    !state.is_ended() || matches!(state, pool::State::Committed { .. })
}

/// Finds out what a chain's bytes are.
fn open(state: &State, chain_id: ChainId, raw: Bytes) -> Result<Opened, RpcError> {
    if chain_id == ChainId::CONTROL {
        return Ok(Opened {
            key: (chain_id, transaction_id(&raw)),
            kind: Kind::Control(raw),
        });
    }
    match registered(state, chain_id)?.rollup.format {
        Format::Evm => open_envelope(state, Some(chain_id), raw),
        Format::Opaque => open_opaque(state, chain_id, raw),
    }
}

/// Decodes a transaction, and finds its rollup.
fn open_envelope(state: &State, expected: Option<ChainId>, raw: Bytes) -> Result<Opened, RpcError> {
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
    Ok(Opened {
        key: (chain_id, envelope.id()),
        kind: Kind::Envelope {
            envelope: Box::new(envelope),
            checked: is_checked(rollup),
        },
    })
}

fn open_opaque(state: &State, chain_id: ChainId, raw: Bytes) -> Result<Opened, RpcError> {
    let rollup = state.rollup(chain_id).map(|found| &found.rollup);
    active(chain_id, rollup).map_err(|no| refused(&no))?;
    let bytes_max = transaction_bytes_max(state);
    let transaction = PooledTransaction::opaque(chain_id, raw, bytes_max, now_ms());
    let transaction = transaction.map_err(|no| refused(&no))?;
    Ok(Opened {
        key: transaction.key(),
        kind: Kind::Opaque(Box::new(transaction)),
    })
}

//! Decoding what wallets send: EIP-2718 envelopes, checked before a signature costs anything.

use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_eips::eip2718::{Decodable2718 as _, Encodable2718 as _};
use bytes::Bytes;
use cloverleaf_types::{Address, ChainId, TransactionId, transaction_id};
use reth_primitives::SignedTransaction as _;

use super::gas::intrinsic_gas;
use super::transaction::PooledTransaction;
use crate::error::Refusal;

/// Access lists (EIP-2930), dynamic fees (EIP-1559) and set-code transactions (EIP-7702). Blobs
/// (type 3) need a data layer that a rollup has not; deposits (0x7e) come from its own bridge.
const TYPES: [u8; 3] = [1, 2, 4];

/// The first byte of a legacy transaction: an RLP list.
const LEGACY_FROM: u8 = 0xc0;

/// The largest type byte (EIP-2718).
const TYPE_MAX: u8 = 0x7f;

/// A decoded transaction that passed all checks but its sender's signature.
#[derive(Clone, Debug)]
pub struct Envelope {
    inner: TxEnvelope,
    chain_id: ChainId,
    id: TransactionId,
    raw: Bytes,
}

impl Envelope {
    /// Decodes a transaction and checks what costs little: type, size, replay protection, gas, fees.
    ///
    /// # Errors
    /// The first check that fails; its sender is at fault.
    pub fn decode(raw: Bytes, bytes_max: usize) -> Result<Self, Refusal> {
        if raw.len() > bytes_max {
            return Err(Refusal::OversizedData {
                bytes: raw.len(),
                bytes_max,
            });
        }
        let inner = decode_canonical(&raw)?;
        let chain_id = inner.chain_id().ok_or(Refusal::NotReplayProtected)?;
        check_gas_and_fees(&inner)?;
        if inner.nonce() == u64::MAX {
            return Err(malformed("nonce has max value (EIP-2681)"));
        }
        Ok(Self {
            inner,
            chain_id: ChainId(chain_id),
            id: transaction_id(&raw),
            raw,
        })
    }

    /// The chain that it was signed for.
    #[must_use]
    pub fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        self.id
    }

    /// Checks that it is for the rollup that it was sent to.
    ///
    /// # Errors
    /// It is for another.
    pub fn check_chain(&self, expected: ChainId) -> Result<(), Refusal> {
        if self.chain_id == expected {
            return Ok(());
        }
        Err(Refusal::WrongChainId {
            found: self.chain_id,
            expected,
        })
    }

    /// Recovers the sender: tens of microseconds of a core, so the node does it in a bounded pool.
    /// `checked` marks it for every validator's verification (L1).
    ///
    /// # Errors
    /// No key can have made the signature, or it is not the one canonical form of it (EIP-2).
    pub fn recover(self, checked: bool, received_ms: u64) -> Result<PooledTransaction, Refusal> {
        let sender = self
            .inner
            .try_recover()
            .map_err(|_| Refusal::InvalidSender)?;
        Ok(self.with_sender(sender, checked, received_ms))
    }

    /// As [`Self::recover`], with a sender that this node has recovered before.
    pub(super) fn with_sender(
        self,
        sender: Address,
        checked: bool,
        received_ms: u64,
    ) -> PooledTransaction {
        PooledTransaction {
            chain_id: self.chain_id,
            id: self.id,
            sender,
            nonce: Some(self.inner.nonce()),
            max_fee_per_gas: self.inner.max_fee_per_gas(),
            max_priority_fee_per_gas: self.inner.priority_fee_or_price(),
            checked,
            raw: self.raw,
            received_ms,
        }
    }
}

/// Who signed an EVM transaction of a chain; nobody when it is none, or for another chain. What a pool
/// asks beyond that (gas, fees) is no part of it: a signature that is there is never called false.
pub(crate) fn evm_signer(chain_id: ChainId, raw: &[u8]) -> Option<Address> {
    let transaction = decode_canonical(raw).ok()?;
    if transaction.chain_id() != Some(chain_id.0) {
        return None;
    }
    transaction.try_recover().ok()
}

fn decode_canonical(raw: &[u8]) -> Result<TxEnvelope, Refusal> {
    check_type(raw)?;
    let decoded = TxEnvelope::decode_2718_exact(raw).map_err(malformed)?;
    // One transaction has one id: no second encoding of it may pass.
    if decoded.encoded_2718() != raw {
        return Err(malformed("it is not canonical"));
    }
    Ok(decoded)
}

fn malformed(what: impl ToString) -> Refusal {
    Refusal::MalformedRlp {
        what: what.to_string(),
    }
}

fn check_type(raw: &[u8]) -> Result<(), Refusal> {
    match raw.first() {
        None => Err(malformed("it is empty")),
        Some(kind) if TYPES.contains(kind) || *kind >= LEGACY_FROM => Ok(()),
        Some(kind) if *kind <= TYPE_MAX => {
            Err(Refusal::TransactionTypeNotSupported { kind: *kind })
        }
        Some(_) => Err(malformed("it starts neither with a type nor with a list")),
    }
}

fn check_gas_and_fees(transaction: &TxEnvelope) -> Result<(), Refusal> {
    let (gas, needed) = (transaction.gas_limit(), intrinsic_gas(transaction));
    if gas < needed {
        return Err(Refusal::IntrinsicGasTooLow { gas, needed });
    }
    let fee_cap = transaction.max_fee_per_gas();
    match transaction.max_priority_fee_per_gas() {
        Some(tip) if tip > fee_cap => Err(Refusal::FeeCapBelowTip { fee_cap, tip }),
        _ => Ok(()),
    }
}

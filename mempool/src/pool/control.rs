//! Control transactions (S1): signed changes of the network itself, on their way to chain 0.
//!
//! Chain 0's nonces are in the state, so whoever signs may send several at once: they wait in their
//! signer's queue and are sealed in order, as a rollup's are.

use bytes::Bytes;
use cloverleaf_bundle::State;
use cloverleaf_types::{
    Address, ChainId, ControlTransaction, NetworkId, Recover, Verified, transaction_id,
};

use super::transaction::PooledTransaction;
use crate::error::Refusal;

impl PooledTransaction {
    /// Checks a control transaction by its signature and the applied state. One that is its signer's
    /// next is checked whole; a later one only for its signer, since those before it may change what
    /// is allowed.
    ///
    /// # Errors
    /// What is wrong with it; its signer is at fault.
    pub fn control(
        state: &State,
        raw: Bytes,
        recover: &dyn Recover,
        received_ms: u64,
    ) -> Result<Self, Refusal> {
        let verified = verified_control(&raw, state.network(), recover)?;
        let (signer, nonce) = (verified.signer, verified.draft.nonce);
        if nonce == u64::MAX {
            return Err(Refusal::BadControl {
                what: "no nonce can follow the highest".to_owned(),
            });
        }
        let known = state.authority() == signer
            || state
                .rollups()
                .iter()
                .any(|it| it.rollup.operator == signer);
        if !known || nonce == state.control_nonce(signer) {
            state.check_control(&verified)?;
        }
        Ok(Self::of_control(signer, nonce, raw, received_ms))
    }

    /// A control transaction whose signature was verified.
    pub(super) fn of_control(signer: Address, nonce: u64, raw: Bytes, received_ms: u64) -> Self {
        Self {
            chain_id: ChainId::CONTROL,
            id: transaction_id(&raw),
            sender: signer,
            nonce: Some(nonce),
            max_fee_per_gas: 0,
            max_priority_fee_per_gas: 0,
            checked: true, // L1: chain 0 is verified everywhere
            raw,
            received_ms,
        }
    }
}

/// Decodes a control transaction and verifies its signature for the network.
///
/// # Errors
/// It does not decode, or its signer did not sign it for this network.
pub fn verified_control(
    raw: &Bytes,
    network: NetworkId,
    recover: &dyn Recover,
) -> Result<Verified<ControlTransaction>, Refusal> {
    let decoded = ControlTransaction::decode(raw)?;
    let verified = decoded.verify(network, recover);
    verified.map_err(|error| Refusal::BadControl {
        what: format!("{error}; it must be signed as EIP-712 typed data for network {network}"),
    })
}

//! Control transactions (S1): changes of the network itself, for chain 0.

use bytes::Bytes;
use cloverleaf_api::error::RpcError;
use cloverleaf_bundle::State;
use cloverleaf_mempool::PooledTransaction;
use cloverleaf_types::{Address, ChainId, Secp256k1};

use super::Desk;
use super::refusal::refused;
use crate::clock::now_ms;

impl Desk {
    /// The next nonce of whoever signs control transactions: what is pooled here counts.
    pub(crate) async fn control_nonce(&self, signer: Address) -> u64 {
        let decided = self.handle.state().control_nonce(signer);
        let pending = self.handle.pending_nonce(ChainId::CONTROL, signer).await;
        decided.max(pending.unwrap_or_default())
    }
}

/// Checks a control transaction by its signature and the applied state.
///
/// # Errors
/// What is wrong with it; its signer is at fault.
pub(super) fn decode_control(state: &State, raw: Bytes) -> Result<PooledTransaction, RpcError> {
    PooledTransaction::control(state, raw, &Secp256k1, now_ms()).map_err(|no| refused(&no))
}

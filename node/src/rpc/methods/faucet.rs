//! The faucet of a dev network: a transfer like any other, from an account that everybody knows.

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_network::TxSignerSync as _;
use alloy_network::eip2718::Encodable2718 as _;
use alloy_primitives::{TxKind, U256};
use alloy_signer_local::PrivateKeySigner;
use bytes::Bytes;
use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::{FaucetRequest, FaucetResponse};
use cloverleaf_api::reason::Reason;
use cloverleaf_types::ChainId;
use tokio::sync::Semaphore;

use crate::rpc::desk::{Desk, registered};

/// What one request gives, in wei: 1 ETH.
const GIVEN_WEI: u128 = 1_000_000_000_000_000_000;

/// Gas of a transfer to an account without code.
const GAS_LIMIT: u64 = 21_000;

/// Most that it pays per gas, in wei: a hundred times the demo rollups' first base fee.
const MAX_FEE_PER_GAS_WEI: u128 = 100_000_000_000;

/// What of it is the tip, in wei.
const TIP_WEI: u128 = 1_000_000_000;

/// Pays from one account.
#[derive(Debug)]
pub(super) struct Faucet {
    signer: PrivateKeySigner,
    /// One gift at a time: the next one takes the nonce after it.
    turn: Semaphore,
}

impl Faucet {
    pub(super) fn new(signer: PrivateKeySigner) -> Self {
        Self {
            signer,
            turn: Semaphore::new(1),
        }
    }

    /// The answer of a node that has none.
    pub(super) fn absent() -> RpcError {
        RpcError::because(Reason::NotFound, "only dev networks have a faucet")
    }

    /// Sends the transfer.
    ///
    /// # Errors
    /// The rollup is not registered, or the transfer is refused.
    pub(super) async fn give(
        &self,
        desk: &Desk,
        request: &FaucetRequest,
    ) -> Result<FaucetResponse, RpcError> {
        let chain_id = request.chain_id;
        registered(&desk.handle().state(), chain_id)?;
        let _turn = self.turn.acquire().await.map_err(internal)?;
        let nonce = self.next_nonce(desk, chain_id).await;
        let raw = transfer(&self.signer, request, nonce)?;
        let (_, hash) = desk.send_envelope(Some(chain_id), raw).await?;
        Ok(FaucetResponse { chain_id, hash })
    }

    async fn next_nonce(&self, desk: &Desk, chain_id: ChainId) -> u64 {
        let account = self.signer.address();
        let pooled = desk.handle().pending_nonce(chain_id, account);
        let executed = desk.executions().next_nonce(chain_id, account);
        let (pooled, executed) = futures::join!(pooled, executed);
        pooled.max(executed).unwrap_or(0)
    }
}

fn transfer(
    signer: &PrivateKeySigner,
    request: &FaucetRequest,
    nonce: u64,
) -> Result<Bytes, RpcError> {
    let mut transfer = TxEip1559 {
        chain_id: request.chain_id.0,
        nonce,
        gas_limit: GAS_LIMIT,
        max_fee_per_gas: MAX_FEE_PER_GAS_WEI,
        max_priority_fee_per_gas: TIP_WEI,
        to: TxKind::Call(request.address),
        value: U256::from(GIVEN_WEI),
        ..TxEip1559::default()
    };
    let signature = signer
        .sign_transaction_sync(&mut transfer)
        .map_err(internal)?;
    Ok(TxEnvelope::from(transfer.into_signed(signature))
        .encoded_2718()
        .into())
}

fn internal(error: impl core::fmt::Display) -> RpcError {
    RpcError::because(Reason::Internal, error)
}

#[cfg(test)]
mod tests {
    use cloverleaf_mempool::Envelope;
    use cloverleaf_types::Address;

    use super::*;

    #[test]
    fn gift_is_a_transfer_of_the_faucet_that_the_pool_takes() {
        let signer = PrivateKeySigner::random();
        let request = FaucetRequest {
            chain_id: ChainId(901),
            address: Address::repeat_byte(7),
        };
        let raw = transfer(&signer, &request, 5).unwrap();
        let envelope = Envelope::decode(raw, 1_000).unwrap();
        assert_eq!(envelope.chain_id(), ChainId(901));
        let pooled = envelope.recover(false, 0).unwrap();
        assert_eq!((pooled.sender, pooled.nonce), (signer.address(), Some(5)));
    }
}

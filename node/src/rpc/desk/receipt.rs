//! Waiting for a rollup's receipt.

use cloverleaf_api::error::{RpcError, hex};
use cloverleaf_api::json::TransactionOutcome;
use cloverleaf_api::reason::Reason;
use cloverleaf_mempool::pool;
use serde_json::json;
use serde_json::value::RawValue;

use super::submit::Received;
use super::{Desk, Fate, unreadable};
use crate::clock::pause;
use crate::rpc::limits::RECEIPT_INTERVAL_MS;

impl Desk {
    /// The rollup's receipt of a transaction whose commit is waited for. Waits as long as its caller
    /// does.
    ///
    /// # Errors
    /// There will be none: `notPlaced`, `skippedByRollup`.
    pub(crate) async fn receipt(&self, received: Received) -> Result<Box<RawValue>, RpcError> {
        let (key, state) = received.end().await;
        let (chain_id, hash) = key;
        if let Some(ended) = state.filter(|state| state.is_ended())
            && !matches!(ended, pool::State::Committed { .. })
        {
            return Err(not_placed(&ended));
        }
        let place = move |store: &cloverleaf_storage::Store| {
            store.transaction(chain_id, hash).map_err(unreadable)
        };
        loop {
            let method = "eth_getTransactionReceipt";
            let receipt = self.executions.look(chain_id, method, &json!([hash])).await;
            if let Ok(Some(receipt)) = receipt {
                return Ok(receipt);
            }
            if let Some(place) = self.read(place).await?
                && let Fate::Told(TransactionOutcome::Skipped {
                    reason, message, ..
                }) = self.fate(key, place.seq, place.index).await?
            {
                return Err(RpcError::because(Reason::SkippedByRollup, message)
                    .with("skipped", reason)
                    .with("hash", hash.to_string())
                    .with("height", hex(place.height.0)));
            }
            pause(RECEIPT_INTERVAL_MS).await;
        }
    }
}

fn not_placed(ended: &pool::State) -> RpcError {
    let error = RpcError::because(Reason::NotPlaced, ended.text()).with("state", ended.text());
    match ended {
        pool::State::Dropped { reason, .. } => error.with("dropped", reason.text()),
        _ => error,
    }
}

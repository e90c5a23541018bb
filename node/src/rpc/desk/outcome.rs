//! What a rollup made of a committed transaction, as far as its execution RPC tells. The sequencer
//! orders and does not execute: a rollup can skip what is invalid for it, and then there will never
//! be a receipt.

use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::{
    At, BatchOutput, Quantity, TransactionOutcome, TransactionStatus, quantity,
};
use cloverleaf_mempool::Envelope;
use cloverleaf_types::{Address, Batch, ChainId, TransactionKey};
use serde::Deserialize;
use serde_json::json;

use super::{Desk, broken};

/// EIP-5792: on chain, and not with the effect that was wanted.
const STATUS_FAILED: u16 = 500;

/// What is read of a receipt.
#[derive(Deserialize)]
struct Receipt {
    #[serde(with = "quantity")]
    status: u8,
}

impl Desk {
    /// Adds what the rollup made of it to the status of a committed transaction.
    ///
    /// # Errors
    /// The store failed.
    pub(super) async fn with_outcome(
        &self,
        mut status: TransactionStatus,
    ) -> Result<TransactionStatus, RpcError> {
        let (key, place) = ((status.chain_id, status.hash), status.seq.zip(status.index));
        if let Some((seq, index)) = place {
            status.execution = self.outcome(key, seq, index).await?;
        }
        if status.execution.as_ref().is_some_and(is_failure) {
            status.progress.status = STATUS_FAILED;
        }
        Ok(status)
    }

    /// What the rollup made of a transaction of one of its batches. Nothing when it has not come to
    /// it, cannot be asked, or does not tell.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn outcome(
        &self,
        key: TransactionKey,
        seq: u64,
        index: u32,
    ) -> Result<Option<TransactionOutcome>, RpcError> {
        let (chain_id, hash) = key;
        if !self.executions.knows(chain_id) {
            return Ok(None);
        }
        let params = json!([Quantity(seq)]);
        let output = self.executions.look(chain_id, "rollup_getOutput", &params);
        let output: Option<BatchOutput> = output.await;
        if let Some(output) = output {
            let position = usize::try_from(index).unwrap_or(usize::MAX);
            let outcome = output.transactions.into_iter().nth(position);
            return Ok(outcome.filter(|outcome| outcome.hash() == hash));
        }
        if let Some(executed) = self.executed(key).await {
            return Ok(Some(executed));
        }
        let Some((sender, nonce)) = self.sender_of(chain_id, seq, index).await? else {
            return Ok(None);
        };
        let next = self.executions.next_nonce(chain_id, sender).await;
        if next.is_none_or(|next| next <= nonce) {
            return Ok(None);
        }
        // Its nonce is used, by itself if it was executed since the first look.
        let executed = self.executed(key).await;
        Ok(Some(executed.unwrap_or_else(|| {
            TransactionOutcome::Skipped {
                hash,
                reason: "nonceTooLow".to_owned(),
                message: format!(
                    "another transaction of the sender was executed with nonce {nonce}"
                ),
            }
        })))
    }

    async fn executed(&self, key: TransactionKey) -> Option<TransactionOutcome> {
        let (chain_id, hash) = key;
        let method = "eth_getTransactionReceipt";
        let receipt = self.executions.look(chain_id, method, &json!([hash])).await;
        let Receipt { status } = receipt?;
        Some(TransactionOutcome::Executed { hash, status })
    }

    /// Who signed a transaction of a batch, and its nonce; nothing for what is no envelope.
    async fn sender_of(
        &self,
        chain_id: ChainId,
        seq: u64,
        index: u32,
    ) -> Result<Option<(Address, u64)>, RpcError> {
        let Some(stored) = self.batch(chain_id, At::Number(seq)).await? else {
            return Ok(None);
        };
        let recover = move |_: &cloverleaf_storage::Store| {
            let batch = Batch::decode(stored.bytes).map_err(broken)?;
            let position = usize::try_from(index).unwrap_or(usize::MAX);
            let raw = batch.claimed().transactions().get(position).cloned();
            let envelope = raw.and_then(|raw| Envelope::decode(raw, usize::MAX).ok());
            let sent = envelope.and_then(|envelope| envelope.recover(false, 0).ok());
            Ok(sent.and_then(|sent| Some((sent.sender, sent.nonce?))))
        };
        self.recover(recover).await
    }
}

fn is_failure(outcome: &TransactionOutcome) -> bool {
    match outcome {
        TransactionOutcome::Executed { status, .. } => *status == 0,
        TransactionOutcome::Skipped { .. } => true,
    }
}

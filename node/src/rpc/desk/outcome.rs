//! What a rollup made of a committed transaction, as far as its execution RPC tells. The sequencer
//! orders and does not execute: a rollup can skip what is invalid for it, and then there will never
//! be a receipt.
//!
//! ```text
//!  rollup_getOutput ─┬─ an output: it says what became of each (an embedded rollup)
//!                    ├─ null: not come to it yet
//!                    ├─ refused: kept no longer, so it came past it; a receipt may still be there
//!                    └─ no such method: any other rollup
//!                         receipt ─┬─ is there: executed
//!                                  └─ null ─ its nonce ─┬─ not used: not come to it yet
//!                                                       └─ used: no receipt still? then skipped
//! ```
//! What does not answer says nothing: a transaction is skipped only when all of this was answered.

use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::{
    BatchOutput, Quantity, TransactionOutcome, TransactionStatus, quantity,
};
use cloverleaf_mempool::Envelope;
use cloverleaf_types::{Address, Batch, ChainId, TransactionKey};
use serde::Deserialize;
use serde_json::json;

use super::{Desk, broken, unreadable};
use crate::clock::now_ms;
use crate::rpc::execution::Untold;
use crate::rpc::limits::RECEIPTS_KEPT_MS;

/// EIP-5792: on chain, and not with the effect that was wanted.
const STATUS_FAILED: u16 = 500;

/// JSON-RPC's code for a method that is not there.
const METHOD_NOT_FOUND: i64 = -32601;

/// What is known of a transaction's execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its rollup has not come to it, or does not answer.
    Open,
    /// Its rollup has come past it, and does not tell any more what it made of it.
    Past,
    /// Its rollup tells.
    Told(TransactionOutcome),
}

/// Who signed a transaction of a batch, and when it was decided.
#[derive(Clone, Copy, Debug)]
struct Sent {
    sender: Address,
    nonce: u64,
    block_ms: u64,
}

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
        if let Some((seq, index)) = place
            && let Fate::Told(outcome) = self.fate(key, seq, index).await?
        {
            if is_failure(&outcome) {
                status.progress.status = STATUS_FAILED;
            }
            status.execution = Some(outcome);
        }
        Ok(status)
    }

    /// What became of a transaction of one of its rollup's batches, there.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn fate(
        &self,
        key: TransactionKey,
        seq: u64,
        index: u32,
    ) -> Result<Fate, RpcError> {
        let (chain_id, hash) = key;
        if !self.executions.knows(chain_id) {
            return Ok(Fate::Open);
        }
        let params = json!([Quantity(seq)]);
        let output = self.executions.look(chain_id, "rollup_getOutput", &params);
        let output: Result<Option<BatchOutput>, Untold> = output.await;
        match output {
            Ok(Some(output)) => {
                let position = usize::try_from(index).unwrap_or(usize::MAX);
                let outcome = output.transactions.into_iter().nth(position);
                let outcome = outcome.filter(|outcome| outcome.hash() == hash);
                Ok(outcome.map_or(Fate::Open, Fate::Told))
            }
            Ok(None) | Err(Untold::Silent) => Ok(Fate::Open),
            Err(Untold::Refused {
                code: METHOD_NOT_FOUND,
            }) => self.fate_by_receipt(key, seq, index).await,
            Err(Untold::Refused { .. }) => Ok(match self.executed(key).await {
                Ok(executed) => executed.map_or(Fate::Past, Fate::Told),
                Err(_) => Fate::Open,
            }),
        }
    }

    /// The same of a rollup that tells receipts and nonces only.
    async fn fate_by_receipt(
        &self,
        key: TransactionKey,
        seq: u64,
        index: u32,
    ) -> Result<Fate, RpcError> {
        match self.executed(key).await {
            Ok(None) => {}
            Ok(Some(executed)) => return Ok(Fate::Told(executed)),
            Err(_) => return Ok(Fate::Open),
        }
        let Some(sent) = self.sent(key.0, seq, index).await? else {
            return Ok(Fate::Open);
        };
        let next = self.executions.next_nonce(key.0, sent.sender).await;
        if next.is_none_or(|next| next <= sent.nonce) {
            return Ok(Fate::Open);
        }
        // By itself, if it was executed since the first look.
        let executed = self.executed(key).await;
        Ok(after_its_nonce(key, &sent, executed, now_ms()))
    }

    async fn executed(&self, key: TransactionKey) -> Result<Option<TransactionOutcome>, Untold> {
        let (chain_id, hash) = key;
        let method = "eth_getTransactionReceipt";
        let receipt = self.executions.look(chain_id, method, &json!([hash])).await;
        let receipt: Option<Receipt> = receipt?;
        Ok(receipt.map(|Receipt { status }| TransactionOutcome::Executed { hash, status }))
    }

    /// Who signed a transaction of a batch; nothing for what is no envelope.
    async fn sent(
        &self,
        chain_id: ChainId,
        seq: u64,
        index: u32,
    ) -> Result<Option<Sent>, RpcError> {
        let read =
            move |store: &cloverleaf_storage::Store| store.batch(chain_id, seq).map_err(unreadable);
        let Some(stored) = self.read(read).await? else {
            return Ok(None); // it was pruned
        };
        let block_ms = stored.decision.header.timestamp_ms;
        let recover = move |_: &cloverleaf_storage::Store| {
            let batch = Batch::decode(stored.bytes).map_err(broken)?;
            let position = usize::try_from(index).unwrap_or(usize::MAX);
            let raw = batch.claimed().transactions().get(position).cloned();
            let envelope = raw.and_then(|raw| Envelope::decode(raw, usize::MAX).ok());
            let signed = envelope.and_then(|envelope| envelope.recover(false, 0).ok());
            Ok(signed.and_then(|signed| {
                let (sender, nonce) = (signed.sender, signed.nonce?);
                Some(Sent {
                    sender,
                    nonce,
                    block_ms,
                })
            }))
        };
        self.recover(recover).await
    }
}

/// What became of a transaction whose nonce its rollup has used, by the receipt that it then has.
fn after_its_nonce(
    (_, hash): TransactionKey,
    sent: &Sent,
    executed: Result<Option<TransactionOutcome>, Untold>,
    now_ms: u64,
) -> Fate {
    match executed {
        Ok(Some(executed)) => Fate::Told(executed),
        Ok(None) if now_ms.saturating_sub(sent.block_ms) <= RECEIPTS_KEPT_MS => {
            let nonce = sent.nonce;
            Fate::Told(TransactionOutcome::Skipped {
                hash,
                reason: "nonceTooLow".to_owned(),
                message: format!(
                    "another transaction of the sender was executed with nonce {nonce}"
                ),
            })
        }
        Ok(None) | Err(_) => Fate::Past,
    }
}

fn is_failure(outcome: &TransactionOutcome) -> bool {
    match outcome {
        TransactionOutcome::Executed { status, .. } => *status == 0,
        TransactionOutcome::Skipped { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::B256;

    use super::*;

    const KEY: TransactionKey = (ChainId(901), B256::ZERO);

    const SENT: Sent = Sent {
        sender: Address::ZERO,
        nonce: 3,
        block_ms: 5_000,
    };

    #[test]
    fn null_receipt_is_a_skip_only_while_every_node_still_has_receipts_of_that_time() {
        for (age_ms, skipped) in [
            (0, true),
            (RECEIPTS_KEPT_MS, true),
            (RECEIPTS_KEPT_MS + 1, false),
        ] {
            let fate = after_its_nonce(KEY, &SENT, Ok(None), SENT.block_ms + age_ms);
            let told = matches!(fate, Fate::Told(TransactionOutcome::Skipped { .. }));
            assert_eq!(told, skipped, "{age_ms} ms");
            assert!(told || fate == Fate::Past);
        }
    }

    #[test]
    fn receipt_that_nobody_told_is_no_skip() {
        for untold in [Untold::Silent, Untold::Refused { code: -32000 }] {
            let fate = after_its_nonce(KEY, &SENT, Err(untold), SENT.block_ms);
            assert_eq!(fate, Fate::Past);
        }
    }
}

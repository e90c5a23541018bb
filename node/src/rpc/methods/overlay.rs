//! What a rollup answers, corrected by what is sequenced or pooled here and not executed yet.

use alloy_consensus::TxEnvelope;
use alloy_consensus::transaction::{SignerRecoverable as _, TransactionInfo};
use alloy_network::eip2718::Decodable2718 as _;
use alloy_rpc_types_eth::Transaction;
use bytes::Bytes;
use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::{At, Quantity, TransactionOutcome};
use cloverleaf_types::{Address, B256, Batch, ChainId};
use serde_json::value::RawValue;

use super::Methods;
use super::params::Params;
use crate::rpc::desk::{Fate, broken, unreadable};
use crate::rpc::envelope::Outcome;

impl Methods {
    /// `eth_getTransactionCount`: for "pending" the larger of the rollup's answer and the pool's.
    pub(super) async fn transaction_count(
        &self,
        chain_id: ChainId,
        params: Option<&RawValue>,
    ) -> Outcome {
        let method = "eth_getTransactionCount";
        let executed = self.desk.executions().pass_on(chain_id, method, params);
        match pending_of(method, params) {
            Err(error) => Outcome::Error(error),
            Ok(None) => executed.await,
            Ok(Some(sender)) => {
                let pooled = self.desk.handle().pending_nonce(chain_id, sender);
                let (pooled, executed) = futures::join!(pooled, executed);
                larger(pooled, executed)
            }
        }
    }

    /// `eth_getTransactionByHash`: what is pooled here, or in a block that the rollup has not executed
    /// yet, is pending for it.
    pub(super) async fn transaction_by_hash(
        &self,
        chain_id: ChainId,
        params: Option<&RawValue>,
    ) -> Outcome {
        let method = "eth_getTransactionByHash";
        let hash = Params::read(method, params).and_then(|params| params.required(0));
        let hash: B256 = match hash {
            Ok(hash) => hash,
            Err(error) => return Outcome::Error(error),
        };
        let executions = self.desk.executions();
        let executed = match executions.pass_on(chain_id, method, params).await {
            Outcome::Result(found) if found.get() != "null" => return Outcome::Result(found),
            executed => executed,
        };
        match self.pending_transaction(chain_id, hash).await {
            Ok(None) => executed,
            pending => Outcome::of(pending),
        }
    }

    async fn pending_transaction(
        &self,
        chain_id: ChainId,
        hash: B256,
    ) -> Result<Option<Transaction>, RpcError> {
        let raw = match self.desk.handle().raw((chain_id, hash)).await {
            Some(pooled) => Some(pooled),
            None => self.unexecuted(chain_id, hash).await?,
        };
        Ok(raw.and_then(|raw| pending(&raw)))
    }

    /// The bytes of a transaction that is in a block, unless its rollup skipped it or has come past it
    /// otherwise: it is pending no more, and whoever waits for it must not wait for ever.
    async fn unexecuted(&self, chain_id: ChainId, hash: B256) -> Result<Option<Bytes>, RpcError> {
        let place = move |store: &cloverleaf_storage::Store| {
            store.transaction(chain_id, hash).map_err(unreadable)
        };
        let Some(place) = self.desk.read(place).await? else {
            return Ok(None);
        };
        let fate = self.desk.fate((chain_id, hash), place.seq, place.index);
        if let Fate::Past | Fate::Told(TransactionOutcome::Skipped { .. }) = fate.await? {
            return Ok(None);
        }
        let Some(stored) = self.desk.batch(chain_id, At::Number(place.seq)).await? else {
            return Ok(None);
        };
        let batch = Batch::decode(stored.bytes).map_err(broken)?;
        let index = usize::try_from(place.index).unwrap_or(usize::MAX);
        Ok(batch.claimed().transactions().get(index).cloned())
    }
}

/// Whose pending nonce is asked for; nothing when another state of the rollup is.
fn pending_of(method: &str, params: Option<&RawValue>) -> Result<Option<Address>, RpcError> {
    let params = Params::read(method, params)?;
    let sender = params.required(0)?;
    let block: Option<serde_json::Value> = params.optional(1)?;
    Ok(block
        .is_some_and(|block| block == "pending")
        .then_some(sender))
}

/// The pool's nonce, unless the rollup is further; its failure matters only when nothing is pooled.
fn larger(pooled: Option<u64>, executed: Outcome) -> Outcome {
    let Some(pooled) = pooled else {
        return executed;
    };
    let known = match &executed {
        Outcome::Result(answer) => serde_json::from_str::<Quantity>(answer.get()).ok(),
        Outcome::Error(_) | Outcome::Foreign(_) => None,
    };
    let nonce = known.map_or(pooled, |known| known.0.max(pooled));
    Outcome::of(Ok(Quantity(nonce)))
}

/// A transaction as wallets see it before it is executed; nothing when its bytes are none.
fn pending(raw: &[u8]) -> Option<Transaction> {
    let transaction = TxEnvelope::decode_2718_exact(raw).ok()?;
    let recovered = transaction.try_into_recovered().ok()?;
    Some(Transaction::from_transaction(
        recovered,
        TransactionInfo::default(),
    ))
}

#[cfg(test)]
mod tests {
    use cloverleaf_api::reason::Reason;

    use super::*;

    fn answered(text: &str) -> Outcome {
        Outcome::Result(RawValue::from_string(text.to_owned()).unwrap())
    }

    fn result(outcome: Outcome) -> String {
        match outcome {
            Outcome::Result(result) => result.get().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pending_nonce_is_the_larger_of_both_answers() {
        assert_eq!(result(larger(Some(5), answered(r#""0x3""#))), r#""0x5""#);
        assert_eq!(result(larger(Some(5), answered(r#""0x9""#))), r#""0x9""#);
        assert_eq!(result(larger(None, answered(r#""0x9""#))), r#""0x9""#);
    }

    #[test]
    fn rollup_that_does_not_answer_does_not_hide_what_is_pooled() {
        let down = || Outcome::Error(RpcError::new(Reason::ExecutionRpcDown));
        assert_eq!(result(larger(Some(5), down())), r#""0x5""#);
        assert!(matches!(larger(None, down()), Outcome::Error(_)));
    }

    #[test]
    fn only_the_pending_tag_is_corrected() {
        let sender = Address::repeat_byte(1);
        let asked = |params: String| {
            let raw = RawValue::from_string(params).unwrap();
            pending_of("eth_getTransactionCount", Some(&raw))
        };
        assert_eq!(
            asked(format!(r#"["{sender}", "pending"]"#)),
            Ok(Some(sender))
        );
        for block in [
            r#", "latest""#,
            r#", "0x1""#,
            r#", {"blockNumber": "0x1"}"#,
            "",
        ] {
            assert_eq!(asked(format!(r#"["{sender}"{block}]"#)), Ok(None));
        }
        assert_eq!(
            asked(r#"["0x01", "pending"]"#.to_owned())
                .unwrap_err()
                .reason,
            Reason::BadHex
        );
    }

    #[test]
    fn bytes_that_are_no_transaction_are_nothing_pending() {
        assert!(pending(b"\x02no").is_none());
    }
}

//! `rollup_getOutput`: what executing a batch came to, as an embedded rollup answers it and an
//! audit reads it.

use alloy_primitives::B256;
use cloverleaf_types::{ChainId, Height, TransactionId};
use serde::{Deserialize, Serialize};

use super::batch::Span;
use super::quantity;

/// The outcome of one batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchOutput {
    /// The rollup.
    #[serde(with = "quantity")]
    pub chain_id: ChainId,
    /// The batch.
    #[serde(with = "quantity")]
    pub seq: u64,
    /// The batch's hash.
    pub batch_hash: B256,
    /// The sequencer's block.
    #[serde(with = "quantity")]
    pub height: Height,
    /// The time of the sequencer's block in milliseconds since 1970.
    #[serde(with = "quantity")]
    pub timestamp_ms: u64,
    /// The rollup's block.
    #[serde(with = "quantity")]
    pub block_number: u64,
    /// The hash of the rollup's block, which commits to its state.
    pub block_hash: B256,
    /// The legs of bundles among `transactions`.
    pub spans: Vec<Span>,
    /// One outcome for each transaction of the batch, in its order.
    pub transactions: Vec<TransactionOutcome>,
}

/// What became of one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "camelCase")]
pub enum TransactionOutcome {
    /// It is in the rollup's block.
    Executed {
        /// keccak256 of its raw bytes.
        hash: TransactionId,
        /// 1 when it succeeded, 0 when it did not.
        #[serde(with = "quantity")]
        status: u8,
    },
    /// It was invalid and is not in the rollup's block.
    Skipped {
        /// keccak256 of its raw bytes.
        hash: TransactionId,
        /// Which rule of the rollup it broke.
        reason: String,
        /// The same in words, with the figures.
        #[serde(default)]
        message: String,
    },
}

impl TransactionOutcome {
    /// keccak256 of the transaction's raw bytes.
    #[must_use]
    pub const fn hash(&self) -> TransactionId {
        match self {
            Self::Executed { hash, .. } | Self::Skipped { hash, .. } => *hash,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn output_is_written_as_documented() {
        let hash = |byte| B256::repeat_byte(byte).to_string();
        let written = json!({
            "chainId": "0x385", "seq": "0x2", "batchHash": hash(1), "height": "0x7",
            "timestampMs": "0x3e8", "blockNumber": "0x2", "blockHash": hash(2),
            "spans": [{
                "manifest": 0, "leg": 1, "legs": 2, "first": 0, "count": 1, "bundleHash": hash(5),
            }],
            "transactions": [
                {"outcome": "executed", "hash": hash(3), "status": "0x1"},
                {"outcome": "skipped", "hash": hash(4), "reason": "nonceTooLow", "message": "…"},
            ],
        });
        let output: BatchOutput = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(output.transactions[1].hash(), B256::repeat_byte(4));
        assert_eq!(serde_json::to_value(output).unwrap(), written);
    }
}

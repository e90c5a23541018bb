//! What executing a batch came to, as `rollup_getOutput` answers it.

use alloy_primitives::B256;
use cloverleaf_types::Span;
use serde::{Deserialize, Serialize};

use crate::skip::SkipReason;

/// The outcome of one batch. Equal on every node that executes the same batches; what an audit
/// compares between rollups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchOutput {
    /// The rollup.
    #[serde(with = "alloy_serde::quantity")]
    pub chain_id: u64,
    /// Number of the batch.
    #[serde(with = "alloy_serde::quantity")]
    pub seq: u64,
    /// Hash of the batch's header.
    pub batch_hash: B256,
    /// Height of the sequencer's block.
    #[serde(with = "alloy_serde::quantity")]
    pub height: u64,
    /// Time of the sequencer's block, in milliseconds since 1970.
    #[serde(with = "alloy_serde::quantity")]
    pub timestamp_ms: u64,
    /// Number of the rollup's block; equal to `seq`.
    #[serde(with = "alloy_serde::quantity")]
    pub block_number: u64,
    /// Hash of the rollup's block, which commits to state and receipts.
    pub block_hash: B256,
    /// Legs of bundles among `transactions`.
    pub spans: Vec<Span>,
    /// One outcome per transaction of the batch, in its order.
    pub transactions: Vec<TransactionOutcome>,
}

/// What became of one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "camelCase")]
pub enum TransactionOutcome {
    /// It is in the block.
    Executed {
        /// keccak256 of its bytes.
        hash: B256,
        /// 1 when it succeeded, 0 when it reverted or ran out of gas.
        #[serde(with = "alloy_serde::quantity")]
        status: u8,
    },
    /// It was invalid and is not in the block.
    Skipped {
        /// keccak256 of its bytes.
        hash: B256,
        /// Which rule it broke.
        reason: SkipReason,
        /// The same in words, with the figures.
        message: String,
    },
}

impl TransactionOutcome {
    /// keccak256 of the transaction's bytes.
    pub const fn hash(&self) -> B256 {
        match self {
            Self::Executed { hash, .. } | Self::Skipped { hash, .. } => *hash,
        }
    }
}

//! An executed block with all that readers may ask about it.

use alloy_consensus::{
    Header, ReceiptEnvelope, TxReceipt as _,
    constants::EMPTY_ROOT_HASH,
    proofs::{calculate_receipt_root, calculate_transaction_root},
};
use alloy_primitives::{B256, Bloom, Log};
use reth_primitives::{Recovered, SealedHeader};

use crate::transaction::Transaction;
use cloverleaf_api::json::BatchOutput;

/// One block, which never changes.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) header: SealedHeader<Header>,
    /// Executed transactions in their order.
    pub(crate) included: Vec<Included>,
    /// What became of the whole batch; none for the genesis block.
    pub(crate) output: Option<BatchOutput>,
}

/// A transaction that is in a block.
#[derive(Clone, Debug)]
pub(crate) struct Included {
    pub(crate) transaction: Recovered<Transaction>,
    pub(crate) success: bool,
    /// Gas used by this transaction alone.
    pub(crate) gas_used: u64,
    /// Gas used in the block up to and with this transaction.
    pub(crate) cumulative_gas_used: u64,
    pub(crate) logs: Vec<Log>,
}

impl Included {
    /// The receipt that the block's receipts root commits to.
    pub(crate) fn receipt(&self) -> ReceiptEnvelope {
        let receipt = alloy_consensus::Receipt {
            status: self.success.into(),
            cumulative_gas_used: self.cumulative_gas_used,
            logs: self.logs.clone(),
        };
        ReceiptEnvelope::from_typed(self.transaction.tx_type(), receipt.with_bloom())
    }
}

impl Block {
    pub(crate) fn number(&self) -> u64 {
        self.header.number
    }

    pub(crate) fn hash(&self) -> B256 {
        self.header.hash()
    }

    /// How many logs of the block come before those of transaction `index`.
    pub(crate) fn logs_before(&self, index: usize) -> usize {
        self.included
            .iter()
            .take(index)
            .map(|transaction| transaction.logs.len())
            .sum()
    }
}

/// What a header says of the transactions in its block.
pub(crate) struct Commitments {
    pub(crate) transactions_root: B256,
    pub(crate) receipts_root: B256,
    pub(crate) logs_bloom: Bloom,
    pub(crate) gas_used: u64,
}

impl Commitments {
    pub(crate) fn of(included: &[Included]) -> Self {
        let Some(last) = included.last() else {
            return Self {
                transactions_root: EMPTY_ROOT_HASH,
                receipts_root: EMPTY_ROOT_HASH,
                logs_bloom: Bloom::ZERO,
                gas_used: 0,
            };
        };
        let transactions: Vec<_> = included
            .iter()
            .map(|included| included.transaction.inner())
            .collect();
        let receipts: Vec<_> = included.iter().map(Included::receipt).collect();
        Self {
            transactions_root: calculate_transaction_root(&transactions),
            receipts_root: calculate_receipt_root(&receipts),
            logs_bloom: receipts
                .iter()
                .fold(Bloom::ZERO, |bloom, receipt| bloom | receipt.bloom()),
            gas_used: last.cumulative_gas_used,
        }
    }
}

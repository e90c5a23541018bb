//! One batch, one block: the pure function at the centre of this crate.
//!
//! The same parent and batch give the same block and state everywhere; no clock, no randomness,
//! no order of a hash map enters.

use std::{collections::BTreeMap, sync::Arc};

use alloy_consensus::{Header, Transaction as _};
use alloy_eips::{eip1559::BaseFeeParams, eip2935::HISTORY_STORAGE_ADDRESS};
use alloy_primitives::{B256, Bytes, keccak256};
use cloverleaf_api::json::{BatchOutput, Span, TransactionOutcome};
use cloverleaf_types::Batch;
use reth_primitives::{Recovered, SealedHeader};
use revm::{ExecuteCommitEvm as _, SystemCallCommitEvm as _, context::result::EVMError};

use crate::{
    block::{Block, Commitments, Included},
    error::Error,
    genesis::empty_header,
    machine::{Machine, Purpose, machine},
    skip::Skip,
    state::{State, WorkingState},
    transaction::{Transaction, decode, environment},
};

/// What a new block stands on.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    pub(crate) header: SealedHeader<Header>,
    pub(crate) state: State,
    /// Hashes of the last blocks by number, the parent's included.
    pub(crate) ancestors: Arc<BTreeMap<u64, B256>>,
}

/// Executes `batch` on `parent`. Invalid transactions are left out and recorded.
///
/// # Errors
/// Only when the EVM itself fails, which no input should bring about.
pub(crate) fn execute(
    chain_id: u64,
    parent: &Parent,
    batch: &Batch,
) -> Result<(Block, State), Error> {
    let mut header = next_header(parent, batch);
    let mut working = WorkingState {
        state: parent.state.clone(),
        ancestors: parent.ancestors.clone(),
    };
    let mut run = Run {
        machine: machine(chain_id, &header, Purpose::Execute, &mut working),
        gas_left: header.gas_limit,
        included: Vec::with_capacity(batch.transactions().len()),
        outcomes: Vec::with_capacity(batch.transactions().len()),
    };
    // EIP-2935: the parent's hash goes into state before the first transaction.
    run.machine
        .system_call_commit(HISTORY_STORAGE_ADDRESS, Bytes::from(parent.header.hash()))
        .map_err(|error| Error::Machine(error.to_string()))?;
    for raw in batch.transactions() {
        run.take(chain_id, raw)?;
    }
    let Run {
        included, outcomes, ..
    } = run;

    let commitments = Commitments::of(&included);
    header.transactions_root = commitments.transactions_root;
    header.receipts_root = commitments.receipts_root;
    header.logs_bloom = commitments.logs_bloom;
    header.gas_used = commitments.gas_used;
    header.state_root = working.state.root();
    let header = SealedHeader::seal_slow(header);
    let output = output(batch, &header, outcomes);
    Ok((
        Block {
            header,
            included,
            output: Some(output),
        },
        working.state,
    ))
}

/// The base fee of the block after `header`, in wei per gas.
pub(crate) fn next_base_fee(header: &Header) -> u64 {
    header
        .next_block_base_fee(BaseFeeParams::ethereum())
        .unwrap_or_default()
}

/// The new block's header, without what only execution can tell.
fn next_header(parent: &Parent, batch: &Batch) -> Header {
    Header {
        parent_hash: parent.header.hash(),
        number: batch.header().seq,
        timestamp: batch.header().timestamp_ms / 1000,
        mix_hash: batch.hash(),
        base_fee_per_gas: Some(next_base_fee(&parent.header)),
        ..empty_header()
    }
}

/// The record of an executed batch for readers.
pub(crate) fn output(
    batch: &Batch,
    header: &SealedHeader<Header>,
    transactions: Vec<TransactionOutcome>,
) -> BatchOutput {
    BatchOutput {
        chain_id: batch.header().chain_id,
        seq: batch.header().seq,
        batch_hash: batch.hash(),
        height: batch.header().height,
        timestamp_ms: batch.header().timestamp_ms,
        block_number: header.number,
        block_hash: header.hash(),
        spans: batch
            .spans()
            .iter()
            .map(|span| Span::of(span, &[]))
            .collect(),
        transactions,
    }
}

/// A block that is being executed.
struct Run<'a> {
    machine: Machine<'a>,
    gas_left: u64,
    included: Vec<Included>,
    outcomes: Vec<TransactionOutcome>,
}

impl Run<'_> {
    fn take(&mut self, chain_id: u64, raw: &[u8]) -> Result<(), Error> {
        let tried = match decode(chain_id, raw) {
            Ok(transaction) => self.execute(transaction)?,
            Err(skip) => Err(skip),
        };
        self.outcomes.push(match tried {
            Ok(included) => {
                let hash = *included.transaction.tx_hash();
                let status = u8::from(included.success);
                self.included.push(included);
                TransactionOutcome::Executed { hash, status }
            }
            Err(Skip { reason, message }) => TransactionOutcome::Skipped {
                hash: keccak256(raw),
                reason: reason.text().to_owned(),
                message,
            },
        });
        Ok(())
    }

    fn execute(
        &mut self,
        transaction: Recovered<Transaction>,
    ) -> Result<Result<Included, Skip>, Error> {
        let gas_limit = transaction.gas_limit();
        if gas_limit > self.gas_left {
            return Ok(Err(Skip::gas_limit_reached(gas_limit, self.gas_left)));
        }
        let result = match self.machine.transact_commit(environment(&transaction)) {
            Ok(result) => result,
            Err(EVMError::Transaction(invalid)) => return Ok(Err(Skip::from(&invalid))),
            Err(other) => return Err(Error::Machine(other.to_string())),
        };
        let gas_used = result.tx_gas_used();
        self.gas_left = self.gas_left.saturating_sub(gas_used);
        let before = self
            .included
            .last()
            .map_or(0, |last| last.cumulative_gas_used);
        Ok(Ok(Included {
            transaction,
            success: result.is_success(),
            gas_used,
            cumulative_gas_used: before.saturating_add(gas_used),
            logs: result.into_logs(),
        }))
    }
}

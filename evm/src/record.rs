//! An executed batch as it is kept on disk.
//!
//! ```text
//! record  = [batch, header, [outcome, …]]
//! batch   = the batch's bytes as the sequencer stores and streams them
//! header  = the block's Ethereum header
//! outcome = [0, sender, success, gas used, [log, …]]      executed
//!         | [1, number of the reason, message]            skipped
//! ```
//! With it a block comes back without being executed again; the batch in it can be executed again.

use alloy_consensus::Header;
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, Bytes, Log, keccak256};
use alloy_rlp::{Decodable, Encodable, RlpDecodable, RlpEncodable};
use cloverleaf_api::json::TransactionOutcome;
use cloverleaf_types::Batch;
use reth_primitives::{Recovered, SealedHeader};

use crate::{
    block::{Block, Included},
    executor,
    skip::SkipReason,
    transaction::Transaction,
};

/// What the block log keeps of one batch.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub(crate) struct Record {
    batch: Bytes,
    header: Header,
    outcomes: Vec<Outcome>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Executed(Execution),
    Skipped(Refusal),
}

#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
struct Execution {
    kind: u8,
    sender: Address,
    success: bool,
    gas_used: u64,
    logs: Vec<Log>,
}

#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
struct Refusal {
    kind: u8,
    reason: u8,
    message: String,
}

const EXECUTED: u8 = 0;
const SKIPPED: u8 = 1;

impl Record {
    /// The record of a batch and the block that it gave.
    pub(crate) fn new(batch: &Batch, block: &Block) -> Self {
        let mut included = block.included.iter();
        let outcomes = block.output.iter().flat_map(|output| &output.transactions);
        Self {
            batch: batch.encoded().clone().into(),
            header: block.header.header().clone(),
            outcomes: outcomes
                .filter_map(|outcome| match outcome {
                    TransactionOutcome::Executed { .. } => included.next().map(Outcome::executed),
                    TransactionOutcome::Skipped {
                        reason, message, ..
                    } => Some(Outcome::skipped(reason, message)),
                })
                .collect(),
        }
    }

    /// The block's number.
    pub(crate) fn number(&self) -> u64 {
        self.header.number
    }

    /// The block's header.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The batch, checked as if it came from outside.
    pub(crate) fn batch(&self) -> Result<Batch, String> {
        let batch = Batch::decode(self.batch.0.clone()).map_err(|error| error.to_string())?;
        Ok(batch
            .verify()
            .map_err(|error| error.to_string())?
            .into_inner())
    }

    /// The block, without executing anything.
    pub(crate) fn into_block(self) -> Result<Block, String> {
        let batch = self.batch()?;
        if batch.transactions().len() != self.outcomes.len() {
            return Err("a batch without one outcome for each transaction".into());
        }
        let mut included = Vec::new();
        let mut outcomes = Vec::with_capacity(self.outcomes.len());
        let mut cumulative_gas_used = 0_u64;
        for (raw, outcome) in batch.transactions().iter().zip(self.outcomes) {
            match outcome {
                Outcome::Executed(execution) => {
                    cumulative_gas_used = cumulative_gas_used.saturating_add(execution.gas_used);
                    outcomes.push(TransactionOutcome::Executed {
                        hash: keccak256(raw),
                        status: u8::from(execution.success),
                    });
                    included.push(execution.restore(raw, cumulative_gas_used)?);
                }
                Outcome::Skipped(refusal) => outcomes.push(refusal.restore(raw)?),
            }
        }
        let header = SealedHeader::seal_slow(self.header);
        let output = Some(executor::output(&batch, &header, outcomes));
        Ok(Block {
            header,
            included,
            output,
        })
    }
}

impl Outcome {
    fn executed(included: &Included) -> Self {
        Self::Executed(Execution {
            kind: EXECUTED,
            sender: included.transaction.signer(),
            success: included.success,
            gas_used: included.gas_used,
            logs: included.logs.clone(),
        })
    }

    fn skipped(reason: &str, message: &str) -> Self {
        let number = SkipReason::ALL
            .iter()
            .position(|known| known.text() == reason);
        Self::Skipped(Refusal {
            kind: SKIPPED,
            reason: number
                .and_then(|number| u8::try_from(number).ok())
                .expect("the executor skips for one of the reasons"),
            message: message.to_owned(),
        })
    }
}

impl Execution {
    fn restore(self, raw: &[u8], cumulative_gas_used: u64) -> Result<Included, String> {
        let transaction = Transaction::decode_2718_exact(raw).map_err(|error| error.to_string())?;
        Ok(Included {
            transaction: Recovered::new_unchecked(transaction, self.sender),
            success: self.success,
            gas_used: self.gas_used,
            cumulative_gas_used,
            logs: self.logs,
        })
    }
}

impl Refusal {
    fn restore(self, raw: &[u8]) -> Result<TransactionOutcome, String> {
        let reason = SkipReason::ALL
            .get(usize::from(self.reason))
            .ok_or_else(|| format!("skip reason {} of another program version", self.reason))?;
        Ok(TransactionOutcome::Skipped {
            hash: keccak256(raw),
            reason: reason.text().to_owned(),
            message: self.message,
        })
    }
}

impl Encodable for Outcome {
    fn encode(&self, out: &mut dyn alloy_rlp::BufMut) {
        match self {
            Self::Executed(execution) => execution.encode(out),
            Self::Skipped(refusal) => refusal.encode(out),
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::Executed(execution) => execution.length(),
            Self::Skipped(refusal) => refusal.length(),
        }
    }
}

impl Decodable for Outcome {
    fn decode(buf: &mut &[u8]) -> alloy_rlp::Result<Self> {
        let mut items = *buf;
        alloy_rlp::Header::decode_bytes(&mut items, true)
            .and_then(|mut items| u8::decode(&mut items))
            .and_then(|kind| match kind {
                EXECUTED => Execution::decode(buf).map(Self::Executed),
                SKIPPED => Refusal::decode(buf).map(Self::Skipped),
                _ => Err(alloy_rlp::Error::Custom("unknown outcome")),
            })
    }
}

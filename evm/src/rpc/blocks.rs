//! Blocks, transactions, receipts and outputs.

use std::sync::Arc;

use alloy_consensus::{BlockHeader as _, transaction::TransactionInfo};
use alloy_eips::{BlockId, BlockNumberOrTag, eip2718::Encodable2718 as _};
use alloy_primitives::{B256, Sealed, U256};
use alloy_rlp::Encodable as _;
use alloy_rpc_types_eth::{Block, BlockTransactions, Header, Log, Transaction, TransactionReceipt};
use serde_json::{Value, json};

use super::{
    error::RpcError,
    methods::{hex, to_json},
    params::{Number, Params},
};
use crate::{
    block::{Block as Executed, Included},
    chain::Chain,
    rollup::Rollup,
};

pub(super) fn by_number(rollup: &Rollup, params: &Params) -> Result<Value, RpcError> {
    let id = BlockId::Number(params.required(0)?);
    block_json(find(&rollup.chain(), id)?, params.optional(1)?)
}

pub(super) fn by_hash(rollup: &Rollup, params: &Params) -> Result<Value, RpcError> {
    let hash: B256 = params.required(0)?;
    let block = rollup.chain().block_by_hash(&hash).cloned();
    block_json(block, params.optional(1)?)
}

pub(super) fn transaction(rollup: &Rollup, params: &Params) -> Result<Value, RpcError> {
    match locate(rollup, params)? {
        Some((block, index)) => to_json(&transaction_view(&block, index)),
        None => Ok(Value::Null),
    }
}

pub(super) fn receipt(rollup: &Rollup, params: &Params) -> Result<Value, RpcError> {
    match locate(rollup, params)? {
        Some((block, index)) => to_json(&receipt_view(&block, index, block.logs_before(index))),
        None => Ok(Value::Null),
    }
}

pub(super) fn receipts(rollup: &Rollup, params: &Params) -> Result<Value, RpcError> {
    let Some(block) = find(&rollup.chain(), params.required(0)?)? else {
        return Ok(Value::Null);
    };
    let mut logs_before = 0;
    let mut receipts = Vec::with_capacity(block.included.len());
    for (index, included) in block.included.iter().enumerate() {
        receipts.push(receipt_view(&block, index, logs_before));
        logs_before += included.logs.len();
    }
    to_json(&receipts)
}

pub(super) fn output(rollup: &Rollup, params: &Params) -> Result<Value, RpcError> {
    let seq = params.required::<Number>(0)?.saturating();
    let block = find(&rollup.chain(), BlockId::number(seq))?;
    block
        .as_ref()
        .map_or(Ok(Value::Null), |block| to_json(&block.output))
}

pub(super) fn head(rollup: &Rollup) -> Result<Value, RpcError> {
    let block = rollup.chain().head().clone();
    let output = block.output.as_ref();
    Ok(json!({
        "chainId": hex(rollup.chain_id()),
        "seq": hex(block.number()),
        "batchHash": output.map(|output| output.batch_hash),
        "height": output.map(|output| hex(output.height.0)),
        "timestampMs": output.map(|output| hex(output.timestamp_ms)),
        "blockNumber": hex(block.number()),
        "blockHash": block.hash(),
        "stateRoot": block.header.state_root,
    }))
}

/// The block that `id` names; `None` when there is no such block yet.
pub(super) fn find(chain: &Chain, id: BlockId) -> Result<Option<Arc<Executed>>, RpcError> {
    let number = match id {
        BlockId::Hash(hash) => return Ok(chain.block_by_hash(&hash.block_hash).cloned()),
        BlockId::Number(number) => number_of(chain, number),
    };
    match chain.block(number) {
        Some(block) => Ok(Some(block.clone())),
        None if number > chain.head().number() => Ok(None),
        None => Err(RpcError::server(format!(
            "block {number} is no longer kept; the oldest kept is {}",
            chain.oldest_kept()
        ))),
    }
}

/// What a tag means here: all that is executed was decided, so it is final, and nothing is pending.
pub(super) fn number_of(chain: &Chain, tag: BlockNumberOrTag) -> u64 {
    match tag {
        BlockNumberOrTag::Number(number) => number,
        BlockNumberOrTag::Earliest => chain.genesis().number(),
        BlockNumberOrTag::Latest
        | BlockNumberOrTag::Pending
        | BlockNumberOrTag::Safe
        | BlockNumberOrTag::Finalized => chain.head().number(),
    }
}

/// A log of `block` as readers get it.
pub(super) fn log_view(
    block: &Executed,
    transaction_index: usize,
    log_index: usize,
    log: &alloy_primitives::Log,
) -> Log {
    Log {
        inner: log.clone(),
        block_hash: Some(block.hash()),
        block_number: Some(block.number()),
        block_timestamp: Some(block.header.timestamp),
        transaction_hash: Some(*block.included[transaction_index].transaction.tx_hash()),
        transaction_index: Some(position(transaction_index)),
        log_index: Some(position(log_index)),
        removed: false,
    }
}

fn locate(rollup: &Rollup, params: &Params) -> Result<Option<(Arc<Executed>, usize)>, RpcError> {
    let hash: B256 = params.required(0)?;
    let chain = rollup.chain();
    Ok(chain
        .transaction(&hash)
        .map(|(block, index)| (block.clone(), index)))
}

fn block_json(block: Option<Arc<Executed>>, full: Option<bool>) -> Result<Value, RpcError> {
    let Some(block) = block else {
        return Ok(Value::Null);
    };
    let transactions = if full.unwrap_or(false) {
        let indexes = 0..block.included.len();
        BlockTransactions::Full(
            indexes
                .map(|index| transaction_view(&block, index))
                .collect(),
        )
    } else {
        BlockTransactions::Hashes(
            block
                .included
                .iter()
                .map(|included| *included.transaction.tx_hash())
                .collect(),
        )
    };
    let sealed = Sealed::new_unchecked(block.header.header().clone(), block.hash());
    let header = Header::from_consensus(sealed, None, Some(U256::from(size(&block))));
    to_json(&Block::new(header, transactions).with_withdrawals(Some(Vec::new().into())))
}

/// Length of the block's header and transactions, in bytes.
fn size(block: &Executed) -> usize {
    let transactions = block.included.iter();
    block.header.header().length()
        + transactions
            .map(|included| included.transaction.encode_2718_len())
            .sum::<usize>()
}

fn transaction_view(block: &Executed, index: usize) -> Transaction {
    let included = &block.included[index];
    let place = TransactionInfo {
        hash: Some(*included.transaction.tx_hash()),
        index: Some(position(index)),
        block_hash: Some(block.hash()),
        block_number: Some(block.number()),
        base_fee: block.header.base_fee_per_gas(),
        block_timestamp: Some(block.header.timestamp),
    };
    Transaction::from_transaction(included.transaction.clone(), place)
}

fn receipt_view(block: &Executed, index: usize, logs_before: usize) -> TransactionReceipt {
    use alloy_consensus::Transaction as _;

    let included = &block.included[index];
    let mut log_index = logs_before;
    let inner = included.receipt().map_logs(|log| {
        let view = log_view(block, index, log_index, &log);
        log_index += 1;
        view
    });
    let Included {
        transaction,
        gas_used,
        ..
    } = included;
    let created = transaction.kind().is_create();
    TransactionReceipt {
        inner,
        transaction_hash: *transaction.tx_hash(),
        transaction_index: Some(position(index)),
        block_hash: Some(block.hash()),
        block_number: Some(block.number()),
        gas_used: *gas_used,
        effective_gas_price: transaction.effective_gas_price(block.header.base_fee_per_gas()),
        blob_gas_used: None,
        blob_gas_price: None,
        from: transaction.signer(),
        to: transaction.to(),
        contract_address: created.then(|| transaction.signer().create(transaction.nonce())),
    }
}

fn position(index: usize) -> u64 {
    u64::try_from(index).expect("a position in memory fits 64 bits")
}

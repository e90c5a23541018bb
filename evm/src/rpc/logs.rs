//! `eth_getLogs`.

use std::sync::Arc;

use alloy_consensus::BlockHeader as _;
use alloy_eips::BlockId;
use alloy_rpc_types_eth::{Filter, FilterBlockOption, Log};
use serde_json::Value;

use super::{
    blocks::{find, log_view, number_of},
    error::RpcError,
    methods::to_json,
    params::Params,
};
use crate::{
    block::Block,
    limits::{LOG_BLOCKS_MAX, LOG_RESULTS_MAX},
    rollup::Rollup,
};

pub(super) fn logs(rollup: &Rollup, params: &Params) -> Result<Value, RpcError> {
    let filter: Filter = params.required(0)?;
    let mut found = Vec::new();
    for block in blocks(rollup, &filter)? {
        if filter.matches_bloom(block.header.logs_bloom()) {
            collect(&block, &filter, &mut found)?;
        }
    }
    to_json(&found)
}

/// The blocks that the filter asks for; a range may begin before what is kept only where it can
/// have no logs: in the genesis block.
fn blocks(rollup: &Rollup, filter: &Filter) -> Result<Vec<Arc<Block>>, RpcError> {
    let chain = rollup.chain();
    let (from, to) = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            return match chain.block_by_hash(&hash) {
                Some(block) => Ok(vec![block.clone()]),
                None => Err(RpcError::server("unknown block")),
            };
        }
        FilterBlockOption::Range {
            from_block,
            to_block,
        } => {
            let number = |tag: Option<_>| number_of(&chain, tag.unwrap_or_default());
            (number(from_block), number(to_block))
        }
    };
    if from > to {
        return Err(RpcError::params(
            "invalid block range params: fromBlock is after toBlock",
        ));
    }
    let to = to.min(chain.head().number());
    if to.saturating_sub(from) >= LOG_BLOCKS_MAX {
        return Err(RpcError::limit(format!(
            "query spans more than {LOG_BLOCKS_MAX} blocks; ask for shorter ranges"
        )));
    }
    let mut blocks = Vec::new();
    for number in from..=to {
        blocks.extend(find(&chain, BlockId::number(number))?);
    }
    Ok(blocks)
}

fn collect(block: &Block, filter: &Filter, found: &mut Vec<Log>) -> Result<(), RpcError> {
    let logs = block
        .included
        .iter()
        .enumerate()
        .flat_map(|(index, included)| included.logs.iter().map(move |log| (index, log)));
    for (log_index, (transaction_index, log)) in logs.enumerate() {
        if !filter.matches(log) {
            continue;
        }
        if found.len() == LOG_RESULTS_MAX {
            return Err(RpcError::limit(format!(
                "query returned more than {LOG_RESULTS_MAX} results; ask for shorter ranges"
            )));
        }
        found.push(log_view(block, transaction_index, log_index, log));
    }
    Ok(())
}

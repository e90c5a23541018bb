//! What a transaction should offer.

use std::sync::Arc;

use alloy_consensus::{BlockHeader as _, Transaction as _};
use alloy_eips::BlockNumberOrTag;
use alloy_rpc_types_eth::FeeHistory;
use serde_json::Value;

use super::{
    blocks::number_of,
    error::RpcError,
    methods::to_json,
    params::{Number, Params},
};
use crate::{
    block::Block,
    executor::next_base_fee,
    limits::{FEE_HISTORY_BLOCKS_MAX, FEE_HISTORY_PERCENTILES_MAX, SUGGESTED_TIP_WEI},
    rollup::Rollup,
};

/// For legacy transactions, which cannot follow the base fee: room for it to double, since a
/// transaction that offers too little is skipped for good.
pub(super) fn gas_price(rollup: &Rollup) -> Result<Value, RpcError> {
    let base_fee = u128::from(next_base_fee(&rollup.chain().head().header));
    to_json(&format!("{:#x}", 2 * base_fee + SUGGESTED_TIP_WEI))
}

pub(super) fn tip() -> Result<Value, RpcError> {
    to_json(&format!("{SUGGESTED_TIP_WEI:#x}"))
}

pub(super) fn history(rollup: &Rollup, params: &Params) -> Result<Value, RpcError> {
    let count = params
        .required::<Number>(0)?
        .saturating()
        .min(FEE_HISTORY_BLOCKS_MAX);
    let newest: BlockNumberOrTag = params.required(1)?;
    let percentiles: Option<Vec<f64>> = params.optional(2)?;
    check_percentiles(percentiles.as_deref().unwrap_or_default())?;

    let blocks = last_blocks(rollup, newest, count)?;
    let Some(newest) = blocks.last() else {
        return to_json(&FeeHistory::default());
    };
    let base_fees = blocks
        .iter()
        .map(|block| block.header.base_fee_per_gas().unwrap_or_default());
    let mut history = FeeHistory {
        base_fee_per_gas: base_fees.map(u128::from).collect(),
        gas_used_ratio: blocks.iter().map(|block| used_ratio(block)).collect(),
        oldest_block: blocks[0].number(),
        reward: percentiles.map(|percentiles| {
            blocks
                .iter()
                .map(|block| tips(block, &percentiles))
                .collect()
        }),
        ..FeeHistory::default()
    };
    history
        .base_fee_per_gas
        .push(next_base_fee(&newest.header).into());
    to_json(&history)
}

/// Up to `count` blocks, the last of them `newest`.
fn last_blocks(
    rollup: &Rollup,
    newest: BlockNumberOrTag,
    count: u64,
) -> Result<Vec<Arc<Block>>, RpcError> {
    let chain = rollup.chain();
    let newest = number_of(&chain, newest);
    let head = chain.head().number();
    if newest > head {
        return Err(RpcError::server(format!(
            "request beyond head block: requested {newest}, head {head}"
        )));
    }
    let first = (newest + 1).saturating_sub(count).max(chain.oldest_kept());
    Ok((first..=newest)
        .filter_map(|number| chain.block(number).cloned())
        .collect())
}

fn check_percentiles(percentiles: &[f64]) -> Result<(), RpcError> {
    if percentiles.len() > FEE_HISTORY_PERCENTILES_MAX {
        return Err(RpcError::params(format!(
            "over the query limit {FEE_HISTORY_PERCENTILES_MAX} of reward percentiles"
        )));
    }
    let in_range = percentiles
        .iter()
        .all(|percentile| (0.0..=100.0).contains(percentile));
    if in_range && percentiles.is_sorted() {
        return Ok(());
    }
    Err(RpcError::params(
        "invalid reward percentile: they have to rise and lie in 0..=100",
    ))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio for people; gas is far below 2^52"
)]
fn used_ratio(block: &Block) -> f64 {
    block.header.gas_used as f64 / block.header.gas_limit as f64
}

/// The tip that each percentile of the block's gas paid at most, in wei per gas.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "percentiles of gas for fee suggestions; gas is far below 2^52 and never negative"
)]
fn tips(block: &Block, percentiles: &[f64]) -> Vec<u128> {
    let base_fee = block.header.base_fee_per_gas().unwrap_or_default();
    let mut paid: Vec<(u128, u64)> = block
        .included
        .iter()
        .map(|included| {
            let tip = included
                .transaction
                .effective_tip_per_gas(base_fee)
                .unwrap_or_default();
            (tip, included.gas_used)
        })
        .collect();
    paid.sort_unstable();
    let mut seen = 0;
    let mut paid = paid.into_iter().peekable();
    let mut tip = 0;
    percentiles
        .iter()
        .map(|percentile| {
            let wanted = (block.header.gas_used as f64 * percentile / 100.0) as u64;
            while let Some((next, gas)) = paid.next_if(|_| seen == 0 || seen < wanted) {
                tip = next;
                seen += gas;
            }
            tip
        })
        .collect()
}

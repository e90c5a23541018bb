//! Balances, nonces, code and storage.

use std::sync::Arc;

use alloy_eips::BlockId;
use alloy_primitives::{Address, B256, Bytes, U256};
use serde_json::Value;

use super::{
    blocks::find,
    error::RpcError,
    methods::{hex, to_json},
    params::{Number, Params},
};
use crate::{block::Block, rollup::Rollup, state::State};

pub(super) fn balance(rollup: &Rollup, params: &Params) -> Result<Value, RpcError> {
    let (state, address) = state_and_address(rollup, params, 1)?;
    to_json(
        &state
            .account(&address)
            .map_or(U256::ZERO, |account| account.balance),
    )
}

pub(super) fn nonce(rollup: &Rollup, params: &Params) -> Result<Value, RpcError> {
    let (state, address) = state_and_address(rollup, params, 1)?;
    Ok(hex(state
        .account(&address)
        .map_or(0, |account| account.nonce)))
}

pub(super) fn code(rollup: &Rollup, params: &Params) -> Result<Value, RpcError> {
    let (state, address) = state_and_address(rollup, params, 1)?;
    let code = state
        .account(&address)
        .map(|account| account.code.original_bytes());
    to_json(&code.unwrap_or_else(Bytes::new))
}

pub(super) fn storage(rollup: &Rollup, params: &Params) -> Result<Value, RpcError> {
    let (state, address) = state_and_address(rollup, params, 2)?;
    let slot = params.required::<Number>(1)?.value();
    to_json(&B256::from(state.storage(&address, slot)))
}

/// The block that the parameter at `index` names, the latest without one, and the state after it.
pub(super) fn at(
    rollup: &Rollup,
    params: &Params,
    index: usize,
) -> Result<(Arc<Block>, State), RpcError> {
    let id = params.optional(index)?.unwrap_or(BlockId::latest());
    let chain = rollup.chain();
    let block = find(&chain, id)?
        .ok_or_else(|| RpcError::server(format!("block {id} is not there yet")))?;
    match chain.state(block.number()) {
        Some(state) => Ok((block, state.clone())),
        None => Err(RpcError::server(format!(
            "historical state of block {} is not kept; ask for latest",
            block.number()
        ))),
    }
}

fn state_and_address(
    rollup: &Rollup,
    params: &Params,
    block_index: usize,
) -> Result<(State, Address), RpcError> {
    let address = params.required(0)?;
    let (_, state) = at(rollup, params, block_index)?;
    Ok((state, address))
}

//! The table of methods.

use serde::Serialize;
use serde_json::{Value, json};

use super::{blocks, calls, error::RpcError, fees, logs, params::Params, states};
use crate::rollup::Rollup;

/// What `web3_clientVersion` answers.
const CLIENT_VERSION: &str = concat!("cloverleaf-evm/v", env!("CARGO_PKG_VERSION"));

/// Answers one call.
pub(super) fn call(rollup: &Rollup, method: &str, params: &Params) -> Result<Value, RpcError> {
    match method {
        "eth_chainId" => Ok(hex(rollup.chain_id())),
        "net_version" => Ok(rollup.chain_id().to_string().into()),
        "web3_clientVersion" => Ok(CLIENT_VERSION.into()),
        // Everything executed is final here, so there is nothing to catch up with.
        "eth_syncing" => Ok(false.into()),
        "eth_accounts" => Ok(json!([])),
        "eth_blockNumber" => Ok(hex(rollup.last_executed_seq())),

        "eth_getBlockByNumber" => blocks::by_number(rollup, params),
        "eth_getBlockByHash" => blocks::by_hash(rollup, params),
        "eth_getTransactionByHash" => blocks::transaction(rollup, params),
        "eth_getTransactionReceipt" => blocks::receipt(rollup, params),
        "eth_getBlockReceipts" => blocks::receipts(rollup, params),
        "eth_getLogs" => logs::logs(rollup, params),

        "eth_getBalance" => states::balance(rollup, params),
        "eth_getTransactionCount" => states::nonce(rollup, params),
        "eth_getCode" => states::code(rollup, params),
        "eth_getStorageAt" => states::storage(rollup, params),

        "eth_call" => calls::call(rollup, params),
        "eth_estimateGas" => calls::estimate_gas(rollup, params),

        "eth_gasPrice" => fees::gas_price(rollup),
        "eth_maxPriorityFeePerGas" => fees::tip(),
        "eth_feeHistory" => fees::history(rollup, params),

        "rollup_getOutput" => blocks::output(rollup, params),
        "rollup_head" => blocks::head(rollup),
        unknown => Err(RpcError::unknown_method(unknown)),
    }
}

/// A number as Ethereum's JSON-RPC writes it.
pub(super) fn hex(number: u64) -> Value {
    Value::String(format!("{number:#x}"))
}

/// A value as JSON.
pub(super) fn to_json(value: &impl Serialize) -> Result<Value, RpcError> {
    serde_json::to_value(value).map_err(|error| RpcError::internal(error.to_string()))
}

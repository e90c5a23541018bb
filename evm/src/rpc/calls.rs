//! `eth_call` and `eth_estimateGas`.

use alloy_primitives::Bytes;
use alloy_rpc_types_eth::TransactionRequest;
use serde_json::Value;

use super::{
    error::RpcError,
    methods::{hex, to_json},
    params::Params,
    states,
};
use crate::{
    rollup::Rollup,
    simulate::{Failure, Simulator},
    state::WorkingState,
};

pub(super) fn call(rollup: &Rollup, params: &Params) -> Result<Value, RpcError> {
    let (simulator, request) = prepare(rollup, params)?;
    to_json(&simulator.call(&request).map_err(refuse)?)
}

pub(super) fn estimate_gas(rollup: &Rollup, params: &Params) -> Result<Value, RpcError> {
    let (simulator, request) = prepare(rollup, params)?;
    Ok(hex(simulator.estimate_gas(&request).map_err(refuse)?))
}

fn prepare(rollup: &Rollup, params: &Params) -> Result<(Simulator, TransactionRequest), RpcError> {
    let request = params.required(0)?;
    params.absent(2, "state overrides")?;
    params.absent(3, "block overrides")?;
    let (block, state) = states::at(rollup, params, 1)?;
    let ancestors = rollup.chain().ancestors().clone();
    let simulator = Simulator {
        chain_id: rollup.chain_id(),
        header: block.header.header().clone(),
        working: WorkingState { state, ancestors },
    };
    Ok((simulator, request))
}

fn refuse(failure: Failure) -> RpcError {
    match failure {
        Failure::Request(problem) => RpcError::params(problem),
        Failure::Invalid(problem) | Failure::Halted(problem) => RpcError::server(problem),
        Failure::Reverted(output) => RpcError::reverted(reason(&output).as_deref(), &output),
        Failure::Machine(problem) => RpcError::internal(problem),
    }
}

/// The text of Solidity's `Error(string)`, if that is what reverted.
fn reason(output: &Bytes) -> Option<String> {
    const SELECTOR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];
    const WORD: usize = 32;

    let body = output.strip_prefix(&SELECTOR)?;
    let length = body.get(WORD..2 * WORD)?;
    let (high, low) = length.split_at(WORD - 4);
    if high.iter().any(|byte| *byte != 0) {
        return None;
    }
    let length = usize::try_from(u32::from_be_bytes(low.try_into().ok()?)).ok()?;
    let text = body.get(2 * WORD..)?.get(..length)?;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::hex;

    use super::*;

    #[test]
    fn the_reason_of_a_revert_is_read_and_garbage_is_not() {
        let output = hex!(
            "08c379a0"
            "0000000000000000000000000000000000000000000000000000000000000020"
            "0000000000000000000000000000000000000000000000000000000000000003"
            "6162630000000000000000000000000000000000000000000000000000000000"
        );
        assert_eq!(reason(&Bytes::from(output)), Some("abc".to_owned()));
        for length in 0..output.len() - 29 {
            assert_eq!(reason(&Bytes::copy_from_slice(&output[..length])), None);
        }
    }
}

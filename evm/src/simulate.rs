//! Answers to "what would this transaction do": `eth_call` and `eth_estimateGas`.

use alloy_consensus::Header;
use alloy_primitives::{Bytes, TxKind, U256};
use alloy_rpc_types_eth::TransactionRequest;
use revm::{
    ExecuteEvm as _,
    context::{
        TxEnv,
        either::Either,
        result::{EVMError, ExecutionResult, HaltReason},
    },
};

use crate::{
    machine::{Purpose, machine},
    skip::Skip,
    state::WorkingState,
};

/// Gas of a plain transfer, the least that any transaction uses.
const TRANSFER_GAS: u64 = 21_000;

/// Gas that a call with value leaves to its callee; an estimate needs it on top of what was used.
const CALL_STIPEND_GAS: u64 = 2_300;

/// An estimate may lie this many thousandths above the least that works, as in geth.
const ESTIMATE_TOLERANCE_PER_MILLE: u64 = 15;

/// Why a simulated transaction has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The request contradicts itself.
    Request(String),
    /// The transaction would not be valid.
    Invalid(String),
    /// It reverted, with these bytes.
    Reverted(Bytes),
    /// It ran into an error that has no bytes.
    Halted(String),
    /// The EVM failed.
    Machine(String),
}

/// A state and the block in which transactions are tried on it.
#[derive(Debug)]
pub(crate) struct Simulator {
    pub(crate) chain_id: u64,
    pub(crate) header: Header,
    pub(crate) working: WorkingState,
}

impl Simulator {
    /// The bytes that the call returns.
    pub(crate) fn call(mut self, request: &TransactionRequest) -> Result<Bytes, Failure> {
        let mut environment = self.environment(request)?;
        environment.gas_limit = self.affordable_gas(&environment)?;
        match self.run(environment)? {
            ExecutionResult::Success { output, .. } => Ok(output.into_data()),
            failed => Err(failure(failed)),
        }
    }

    /// The least gas limit, within a small tolerance, with which the transaction succeeds.
    pub(crate) fn estimate_gas(mut self, request: &TransactionRequest) -> Result<u64, Failure> {
        let environment = self.environment(request)?;
        let most = self.affordable_gas(&environment)?;
        if self.is_plain_transfer(&environment) && self.succeeds_with(&environment, TRANSFER_GAS)? {
            return Ok(TRANSFER_GAS);
        }
        let first = self.run(TxEnv {
            gas_limit: most,
            ..environment.clone()
        })?;
        let gas = *first.gas();
        match first {
            ExecutionResult::Success { .. } => {}
            ExecutionResult::Halt {
                reason: HaltReason::OutOfGas(_),
                ..
            } => {
                return Err(Failure::Invalid(format!(
                    "gas required exceeds allowance ({most})"
                )));
            }
            failed => return Err(failure(failed)),
        }

        // What was used is always too little by one; what was used before refunds, with the 64th
        // that each call holds back, is most often enough.
        let mut too_little = gas.tx_gas_used().saturating_sub(1);
        let mut enough = most;
        let likely = (gas.total_gas_spent() + CALL_STIPEND_GAS) * 64 / 63;
        if likely < enough {
            if self.succeeds_with(&environment, likely)? {
                enough = likely;
            } else {
                too_little = likely;
            }
        }
        while enough - too_little > 1
            && (enough - too_little) * 1000 > enough * ESTIMATE_TOLERANCE_PER_MILLE
        {
            let middle = too_little + (enough - too_little) / 2;
            if self.succeeds_with(&environment, middle)? {
                enough = middle;
            } else {
                too_little = middle;
            }
        }
        Ok(enough)
    }

    fn run(&mut self, environment: TxEnv) -> Result<ExecutionResult, Failure> {
        let mut machine = machine(
            self.chain_id,
            &self.header,
            Purpose::Simulate,
            &mut self.working,
        );
        match machine.transact(environment) {
            Ok(done) => Ok(done.result),
            Err(EVMError::Transaction(invalid)) => {
                Err(Failure::Invalid(Skip::from(&invalid).message))
            }
            Err(other) => Err(Failure::Machine(other.to_string())),
        }
    }

    fn succeeds_with(&mut self, environment: &TxEnv, gas_limit: u64) -> Result<bool, Failure> {
        match self.run(TxEnv {
            gas_limit,
            ..environment.clone()
        }) {
            Ok(result) => Ok(result.is_success()),
            // Too little for the transaction's own bytes.
            Err(Failure::Invalid(_)) => Ok(false),
            Err(other) => Err(other),
        }
    }

    fn is_plain_transfer(&self, environment: &TxEnv) -> bool {
        let TxKind::Call(to) = environment.kind else {
            return false;
        };
        environment.data.is_empty()
            && environment.authorization_list.is_empty()
            && self
                .working
                .state
                .account(&to)
                .is_none_or(|account| account.code.is_empty())
    }

    /// The request's gas limit, or the block's, lowered to what the sender can pay for.
    fn affordable_gas(&self, environment: &TxEnv) -> Result<u64, Failure> {
        let wanted = environment.gas_limit;
        if environment.gas_price == 0 {
            return Ok(wanted);
        }
        let balance = self
            .working
            .state
            .account(&environment.caller)
            .map_or(U256::ZERO, |account| account.balance);
        let Some(for_gas) = balance.checked_sub(environment.value) else {
            return Err(Failure::Invalid(format!(
                "insufficient funds for transfer: balance {balance}, value {}",
                environment.value
            )));
        };
        let affordable = for_gas / U256::from(environment.gas_price);
        Ok(wanted.min(affordable.saturating_to()))
    }

    fn environment(&self, request: &TransactionRequest) -> Result<TxEnv, Failure> {
        if request.gas_price.is_some()
            && (request.max_fee_per_gas.is_some() || request.max_priority_fee_per_gas.is_some())
        {
            return Err(Failure::Request(
                "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified".into(),
            ));
        }
        if let Some(id) = request.chain_id.filter(|id| *id != self.chain_id) {
            return Err(Failure::Request(format!(
                "chainId does not match node's (have={id}, want={})",
                self.chain_id
            )));
        }
        let input = request
            .input
            .clone()
            .try_into_unique_input()
            .map_err(|error| Failure::Request(error.to_string()))?;
        let limit = self.header.gas_limit;
        let mut environment = TxEnv {
            tx_type: 0,
            caller: request.from.unwrap_or_default(),
            gas_limit: request.gas.unwrap_or(limit).min(limit),
            gas_price: request
                .max_fee_per_gas
                .or(request.gas_price)
                .unwrap_or_default(),
            kind: request.to.unwrap_or_default(),
            value: request.value.unwrap_or_default(),
            data: input.unwrap_or_default(),
            nonce: request.nonce.unwrap_or_default(),
            chain_id: Some(self.chain_id),
            access_list: request.access_list.clone().unwrap_or_default(),
            // Without a price nothing is paid, so a tip alone is left out.
            gas_priority_fee: request
                .max_fee_per_gas
                .map(|_price| request.max_priority_fee_per_gas.unwrap_or_default()),
            blob_hashes: Vec::new(),
            max_fee_per_blob_gas: 0,
            authorization_list: request
                .authorization_list
                .iter()
                .flatten()
                .cloned()
                .map(Either::Left)
                .collect(),
        };
        environment
            .derive_tx_type()
            .map_err(|error| Failure::Request(error.to_string()))?;
        Ok(environment)
    }
}

fn failure(result: ExecutionResult) -> Failure {
    match result {
        ExecutionResult::Revert { output, .. } => Failure::Reverted(output),
        ExecutionResult::Halt { reason, .. } => Failure::Halted(reason.to_string()),
        ExecutionResult::Success { .. } => Failure::Machine("success taken for a failure".into()),
    }
}

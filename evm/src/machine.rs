//! The EVM with this rollup's rules.

use alloy_consensus::Header;
use alloy_primitives::U256;
use revm::{
    Context, MainBuilder as _, MainContext as _, MainnetEvm,
    context::{BlockEnv, CfgEnv},
    handler::MainnetContext,
};

use crate::{state::WorkingState, transaction::SPEC};

/// An EVM over a state that it changes.
pub(crate) type Machine<'a> = MainnetEvm<MainnetContext<&'a mut WorkingState>>;

/// Whether the EVM executes what was signed or answers a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// All rules hold.
    Execute,
    /// Nonces are not looked at, contracts may be senders, and the fee may be zero.
    Simulate,
}

/// An EVM in the block of `header`.
pub(crate) fn machine<'a>(
    chain_id: u64,
    header: &Header,
    purpose: Purpose,
    state: &'a mut WorkingState,
) -> Machine<'a> {
    let mut rules = CfgEnv::new_with_spec(SPEC).with_chain_id(chain_id);
    if purpose == Purpose::Simulate {
        rules.disable_nonce_check = true;
        rules.disable_eip3607 = true;
        rules.disable_base_fee = true;
    }
    Context::mainnet()
        .with_db(state)
        .with_cfg(rules)
        .with_block(environment(header))
        .build_mainnet()
}

fn environment(header: &Header) -> BlockEnv {
    BlockEnv {
        number: U256::from(header.number),
        beneficiary: header.beneficiary,
        timestamp: U256::from(header.timestamp),
        gas_limit: header.gas_limit,
        basefee: header.base_fee_per_gas.unwrap_or_default(),
        prevrandao: Some(header.mix_hash),
        ..BlockEnv::default()
    }
}

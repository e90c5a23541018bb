//! From a batch's raw bytes to what the EVM takes.

use alloy_consensus::{Transaction as _, Typed2718 as _};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::keccak256;
use reth_primitives::{Recovered, SignedTransaction as _};
use revm::{
    context::{TxEnv, either::Either},
    primitives::hardfork::SpecId,
};

use crate::skip::{Skip, SkipReason};

/// A signed transaction of any type.
pub(crate) type Transaction = alloy_consensus::TxEnvelope;

/// The rules that every block follows.
pub(crate) const SPEC: SpecId = SpecId::PRAGUE;

/// Transaction types that this rollup takes: legacy, access list, dynamic fee, set code.
const TYPES: [u8; 4] = [0, 1, 2, 4];

/// First byte of an RLP list, which is what a legacy transaction is.
const RLP_LIST: u8 = 0xc0;

/// Decodes a raw transaction for this chain and recovers its sender.
pub(crate) fn decode(chain_id: u64, raw: &[u8]) -> Result<Recovered<Transaction>, Skip> {
    if let Some(&kind) = raw.first().filter(|&&first| first < RLP_LIST)
        && (kind == 0 || !TYPES.contains(&kind))
    {
        return Err(Skip::new(
            SkipReason::TransactionTypeNotSupported,
            format!("transaction type not supported: 0x{kind:02x}"),
        ));
    }
    let transaction = Transaction::decode_2718_exact(raw)
        .map_err(|error| Skip::new(SkipReason::Malformed, format!("malformed: {error}")))?;
    // The sequencer names a transaction by the hash of its bytes; only the canonical ones are it.
    if *transaction.tx_hash() != keccak256(raw) {
        return Err(Skip::new(
            SkipReason::Malformed,
            "malformed: not the canonical encoding",
        ));
    }
    match transaction.chain_id() {
        Some(id) if id == chain_id => {}
        Some(id) => {
            return Err(Skip::new(
                SkipReason::WrongChainId,
                format!("invalid chain id for signer: have {id} want {chain_id}"),
            ));
        }
        None => {
            return Err(Skip::new(
                SkipReason::NotReplayProtected,
                "only replay-protected (EIP-155) transactions allowed",
            ));
        }
    }
    transaction
        .try_into_recovered()
        .map_err(|_unrecovered| Skip::new(SkipReason::InvalidSender, "invalid sender"))
}

/// The transaction as the EVM's environment.
pub(crate) fn environment(transaction: &Recovered<Transaction>) -> TxEnv {
    TxEnv {
        tx_type: transaction.ty(),
        caller: transaction.signer(),
        gas_limit: transaction.gas_limit(),
        gas_price: transaction.max_fee_per_gas(),
        kind: transaction.kind(),
        value: transaction.value(),
        data: transaction.input().clone(),
        nonce: transaction.nonce(),
        chain_id: transaction.chain_id(),
        access_list: transaction.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: transaction.max_priority_fee_per_gas(),
        blob_hashes: Vec::new(),
        max_fee_per_blob_gas: 0,
        authorization_list: transaction
            .authorization_list()
            .unwrap_or_default()
            .iter()
            .cloned()
            .map(Either::Left)
            .collect(),
    }
}

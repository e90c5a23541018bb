//! Transactions as wallets encode them, with a signature that nobody made: pools take what was
//! recovered before, and nothing behind them looks at it again.

use alloy_rlp::Encodable;
use bytes::Bytes;
use cloverleaf_mempool::PooledTransaction;
use cloverleaf_types::{Address, ChainId, transaction_id};

/// What every transaction pays per gas, in wei.
const GAS_PRICE: u64 = 1_000_000_000;

/// Enough for any data of these transactions.
const GAS_LIMIT: u64 = 1_000_000;

/// A legacy transaction (EIP-155) from a sender to itself; `salt` makes it unlike all others.
pub(crate) fn raw_transaction(
    chain_id: ChainId,
    sender: Address,
    nonce: u64,
    salt: u64,
    data_bytes: usize,
) -> Bytes {
    let data = vec![1_u8; data_bytes];
    let v = 35 + 2 * chain_id.0;
    let (r, s) = (salt.max(1), 1_u64);
    let fields: [&dyn Encodable; 9] = [
        &nonce,
        &GAS_PRICE,
        &GAS_LIMIT,
        &sender,
        &salt,
        &data.as_slice(),
        &v,
        &r,
        &s,
    ];
    let payload_length = fields.iter().map(|field| field.length()).sum();
    let mut raw = Vec::with_capacity(payload_length + 9);
    alloy_rlp::Header {
        list: true,
        payload_length,
    }
    .encode(&mut raw);
    for field in fields {
        field.encode(&mut raw);
    }
    raw.into()
}

/// A transaction as a node's ingress hands it to its pool.
pub(crate) fn pooled(
    chain_id: ChainId,
    sender: Address,
    nonce: u64,
    raw: Bytes,
    received_ms: u64,
) -> PooledTransaction {
    PooledTransaction {
        chain_id,
        id: transaction_id(&raw),
        sender,
        nonce: Some(nonce),
        max_fee_per_gas: GAS_PRICE.into(),
        max_priority_fee_per_gas: GAS_PRICE.into(),
        checked: false,
        raw,
        received_ms,
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_mempool::Envelope;

    use super::*;

    #[test]
    fn pool_reads_the_transactions_that_it_gets_back_from_its_lane_log() {
        let raw = raw_transaction(ChainId(101), Address::repeat_byte(1), 7, 0xABCD, 60);
        let envelope = Envelope::decode(raw.clone(), 1_000).unwrap();
        assert_eq!(envelope.chain_id(), ChainId(101));
        assert_eq!(envelope.id(), transaction_id(&raw));
    }
}

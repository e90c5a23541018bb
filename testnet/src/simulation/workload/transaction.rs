//! Transactions as wallets encode them. Most have a signature that nobody made: pools take what was
//! recovered before, and where nothing is marked nobody behind them looks at it again. What is sent to
//! a rollup that every validator verifies is signed.

use alloy_rlp::Encodable;
use bytes::Bytes;
use cloverleaf_consensus::LocalSigner;
use cloverleaf_mempool::PooledTransaction;
use cloverleaf_types::{Address, ChainId, Signer, transaction_id};

/// The lowest price per gas, in wei.
pub(crate) const GAS_PRICE: u64 = 1_000_000_000;

/// Enough for any data of these transactions.
const GAS_LIMIT: u64 = 1_000_000;

/// A legacy transaction (EIP-155) from a sender to itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Legacy {
    pub(crate) chain_id: ChainId,
    pub(crate) sender: Address,
    pub(crate) nonce: u64,
    /// What it pays per gas, in wei.
    pub(crate) gas_price: u64,
    /// Makes it unlike all others.
    pub(crate) salt: u64,
    pub(crate) data_bytes: usize,
}

impl Legacy {
    /// With a signature that nobody made.
    pub(crate) fn unsigned(&self) -> Bytes {
        let v = 35 + 2 * self.chain_id.0;
        let r = self.salt.max(1).to_be_bytes();
        self.encode(v, trimmed(&r), &[1])
    }

    /// Signed, whoever it says that it is from.
    pub(crate) fn signed(&self, key: &LocalSigner) -> Bytes {
        let digest = transaction_id(&self.encode(self.chain_id.0, &[], &[]));
        let signature = key.sign(digest).0;
        let v = 8 + 2 * self.chain_id.0 + u64::from(signature[64]);
        self.encode(v, trimmed(&signature[..32]), trimmed(&signature[32..64]))
    }

    fn encode(&self, v: u64, r: &[u8], s: &[u8]) -> Bytes {
        let data = vec![1_u8; self.data_bytes];
        let fields: [&dyn Encodable; 9] = [
            &self.nonce,
            &self.gas_price,
            &GAS_LIMIT,
            &self.sender,
            &self.salt,
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
}

/// A number as RLP has it.
fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// A transaction as a node's ingress hands it to its pool.
pub(crate) fn pooled(transaction: &Legacy, raw: Bytes, received_ms: u64) -> PooledTransaction {
    PooledTransaction {
        chain_id: transaction.chain_id,
        id: transaction_id(&raw),
        sender: transaction.sender,
        nonce: Some(transaction.nonce),
        max_fee_per_gas: transaction.gas_price.into(),
        max_priority_fee_per_gas: transaction.gas_price.into(),
        checked: false,
        raw,
        received_ms,
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_mempool::Envelope;

    use super::*;

    fn legacy(sender: Address) -> Legacy {
        Legacy {
            chain_id: ChainId(101),
            sender,
            nonce: 7,
            gas_price: GAS_PRICE,
            salt: 0xABCD,
            data_bytes: 60,
        }
    }

    #[test]
    fn pool_reads_the_transactions_that_it_gets_back_from_its_lane_log() {
        let raw = legacy(Address::repeat_byte(1)).unsigned();
        let envelope = Envelope::decode(raw.clone(), 1_000).unwrap();
        assert_eq!(envelope.chain_id(), ChainId(101));
        assert_eq!(envelope.id(), transaction_id(&raw));
    }

    #[test]
    fn signed_transaction_is_its_signers() {
        let key = LocalSigner::new(&[9; 32]).unwrap();
        let raw = legacy(key.address()).signed(&key);
        let recovered = Envelope::decode(raw, 1_000).unwrap().recover(true, 0);
        assert_eq!(recovered.unwrap().sender, key.address());
    }
}

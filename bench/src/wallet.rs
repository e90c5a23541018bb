//! An account that signs transfers.

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Bytes, TxKind, U256, keccak256};
use cloverleaf_consensus::LocalSigner;
use cloverleaf_types::{B256, ChainId, Signature, Signer as _};

/// Gas of a transfer, and of a byte of data at most (EIP-7623).
const TRANSFER_GAS: u64 = 21_000;
const DATA_BYTE_GAS: u64 = 40;

/// An account on one rollup, and its next nonce.
#[derive(Debug)]
pub struct Wallet {
    /// Its rollup.
    pub chain_id: ChainId,
    signer: LocalSigner,
    nonce: u64,
}

impl Wallet {
    /// The account of a name; the same name gives the same account.
    ///
    /// # Panics
    /// Never: almost every hash is a key, and those that are asked for are.
    #[must_use]
    pub fn new(name: &str, chain_id: ChainId) -> Self {
        Self {
            chain_id,
            signer: LocalSigner::new(&keccak256(name).0).expect("almost every hash is a key"),
            nonce: 0,
        }
    }

    /// Who signs.
    #[must_use]
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// Its signature of a hash.
    #[must_use]
    pub fn sign_hash(&self, hash: B256) -> Signature {
        self.signer.sign(hash)
    }

    /// Its next transfer of 1 wei.
    pub fn transfer(&mut self) -> Bytes {
        self.sign(Bytes::new())
    }

    /// Its next transaction, with data that nothing can compress.
    pub fn with_data(&mut self, bytes: usize) -> Bytes {
        let words = (0_u64..).map(|word| keccak256(word.to_be_bytes()).0);
        let data: Vec<u8> = words.flatten().take(bytes).collect();
        self.sign(data.into())
    }

    fn sign(&mut self, input: Bytes) -> Bytes {
        let data_gas = DATA_BYTE_GAS * u64::try_from(input.len()).expect("it is in memory");
        let transaction = TxEip1559 {
            chain_id: self.chain_id.0,
            nonce: self.nonce,
            gas_limit: TRANSFER_GAS + data_gas,
            max_fee_per_gas: 2_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to: TxKind::Call(Address::repeat_byte(9)),
            value: U256::from(1),
            input,
            ..TxEip1559::default()
        };
        self.nonce += 1;
        let signature = self.signer.sign(transaction.signature_hash()).to_alloy();
        let signature = signature.expect("it was just made");
        let signed = TxEnvelope::from(transaction.into_signed(signature));
        signed.encoded_2718().into()
    }
}

#[cfg(test)]
mod tests {
    use cloverleaf_mempool::Envelope;

    use super::*;

    #[test]
    fn pools_take_what_it_signs() {
        let mut wallet = Wallet::new("test", ChainId(901));
        let transactions = [wallet.transfer(), wallet.with_data(1_000)];
        for (nonce, raw) in (0..).zip(transactions) {
            let envelope = Envelope::decode(raw.0, 10_000).unwrap();
            let pooled = envelope.recover(false, 0).unwrap();
            assert_eq!(pooled.sender, wallet.address());
            assert_eq!(pooled.nonce, Some(nonce));
        }
    }
}

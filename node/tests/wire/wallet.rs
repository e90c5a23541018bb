//! An account that signs whatever a test needs, right or wrong.

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope, TxLegacy};
use alloy_network::TxSignerSync as _;
use alloy_network::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256, keccak256};
use alloy_signer_local::PrivateKeySigner;
use cloverleaf_types::B256;

/// An account that nobody has used.
pub(crate) struct Wallet {
    signer: PrivateKeySigner,
}

/// The order of secp256k1's group.
const ORDER: U256 = U256::from_limbs([
    0xbfd2_5e8c_d036_4141,
    0xbaae_dce6_af48_a03b,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
]);

impl Wallet {
    pub(crate) fn new() -> Self {
        Self {
            signer: PrivateKeySigner::random(),
        }
    }

    pub(crate) fn address(&self) -> Address {
        self.signer.address()
    }

    /// A transfer that every rollup takes.
    pub(crate) fn transfer(&self, chain_id: u64, nonce: u64) -> Bytes {
        self.signed(transfer(chain_id, nonce))
    }

    /// The same with something changed.
    pub(crate) fn signed(&self, mut transaction: TxEip1559) -> Bytes {
        let signature = self.signer.sign_transaction_sync(&mut transaction).unwrap();
        encoded(transaction, signature)
    }

    /// A legacy transaction; without a chain it could be played on any.
    pub(crate) fn legacy(&self, chain_id: Option<u64>, nonce: u64) -> Bytes {
        let mut transaction = TxLegacy {
            chain_id,
            nonce,
            gas_price: 2_000_000_000,
            gas_limit: 21_000,
            to: TxKind::Call(Address::repeat_byte(9)),
            ..TxLegacy::default()
        };
        let signature = self.signer.sign_transaction_sync(&mut transaction).unwrap();
        encoded(transaction, signature)
    }

    /// Signatures that no key can have made, or that are not the canonical form of one.
    pub(crate) fn badly_signed(&self, chain_id: u64, nonce: u64) -> [Bytes; 2] {
        let mut transaction = transfer(chain_id, nonce);
        let good = self.signer.sign_transaction_sync(&mut transaction).unwrap();
        let high_s = Signature::new(good.r(), ORDER - good.s(), !good.v());
        let zero = Signature::new(U256::ZERO, U256::ZERO, false);
        [high_s, zero].map(|signature| encoded(transaction.clone(), signature))
    }
}

/// An unsigned transfer of 1 wei.
pub(crate) fn transfer(chain_id: u64, nonce: u64) -> TxEip1559 {
    TxEip1559 {
        chain_id,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 2_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(Address::repeat_byte(9)),
        value: U256::from(1),
        ..TxEip1559::default()
    }
}

pub(crate) fn hash(raw: &Bytes) -> B256 {
    keccak256(raw)
}

fn encoded<T: SignableTransaction<Signature>>(transaction: T, signature: Signature) -> Bytes
where
    TxEnvelope: From<alloy_consensus::Signed<T>>,
{
    TxEnvelope::from(transaction.into_signed(signature))
        .encoded_2718()
        .into()
}

//! Accounts that sign transfers: the same for the same seed.

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_network::TxSignerSync as _;
use alloy_network::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, b256, keccak256};
use alloy_signer_local::PrivateKeySigner;
use cloverleaf_types::{ChainId, TransactionKey};

/// The first of the ten accounts that the demo rollups fund. Known to everybody.
const FUNDED: B256 = b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

/// An account.
pub(crate) struct Wallet(PrivateKeySigner);

/// A signed transaction.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) key: TransactionKey,
    pub(crate) raw: Bytes,
}

impl Wallet {
    /// An account that nobody funds: its transactions are ordered, and skipped when executed.
    pub(crate) fn seeded(seed: u64, worker: usize, account: u64) -> Self {
        let words = [seed, u64::try_from(worker).unwrap(), account];
        let secret = keccak256(words.map(u64::to_be_bytes).concat());
        Self(PrivateKeySigner::from_bytes(&secret).expect("almost every hash is a key"))
    }

    /// An account with money on both demo rollups.
    pub(crate) fn funded() -> Self {
        Self(PrivateKeySigner::from_bytes(&FUNDED).unwrap())
    }

    /// A transfer of 1 wei.
    pub(crate) fn transfer(&self, chain_id: u64, nonce: u64) -> Signed {
        self.transfer_with(chain_id, nonce, 21_000)
    }

    /// Another transfer with the first nonce.
    pub(crate) fn used(&self, chain_id: u64) -> Signed {
        self.transfer_with(chain_id, 0, 21_001)
    }

    fn transfer_with(&self, chain_id: u64, nonce: u64, gas_limit: u64) -> Signed {
        let mut transaction = TxEip1559 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: 2_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to: TxKind::Call(Address::repeat_byte(9)),
            value: U256::from(1),
            ..TxEip1559::default()
        };
        let signature = self.0.sign_transaction_sync(&mut transaction).unwrap();
        let envelope = TxEnvelope::from(transaction.into_signed(signature));
        let raw: Bytes = envelope.encoded_2718().into();
        Signed {
            key: (ChainId(chain_id), keccak256(&raw)),
            raw,
        }
    }
}

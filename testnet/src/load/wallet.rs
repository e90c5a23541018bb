//! Accounts that sign transfers: the same for the same seed.

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, b256, keccak256};
use cloverleaf_consensus::LocalSigner;
use cloverleaf_types::limits::TRANSACTION_BYTES_MAX;
use cloverleaf_types::{ChainId, Signer as _, TransactionKey};

/// The first of the ten accounts that the demo rollups fund. Known to everybody.
const FUNDED: B256 = b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

/// What a transaction has beside its input, at most.
const ROOM_BYTES: usize = 1024;

/// Gas of a transfer, and of a byte of input at most (EIP-7623).
const TRANSFER_GAS: u64 = 21_000;
const INPUT_BYTE_GAS: u64 = 40;

/// An account.
#[derive(Clone, Debug)]
pub struct Wallet(LocalSigner);

/// A signed transaction.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Its rollup and its id.
    pub key: TransactionKey,
    /// As its rollup encodes it.
    pub raw: Bytes,
}

impl Wallet {
    /// An account that nobody funds: its transactions are ordered, and skipped when executed.
    ///
    /// # Panics
    /// Never: almost every hash is a key, and those that tests ask for are.
    #[must_use]
    pub fn seeded(seed: u64, worker: usize, account: u64) -> Self {
        let words = [seed, u64::try_from(worker).expect("few workers"), account];
        let secret = keccak256(words.map(u64::to_be_bytes).concat());
        Self(LocalSigner::new(&secret.0).expect("almost every hash is a key"))
    }

    /// An account with money on both demo rollups.
    ///
    /// # Panics
    /// Never: it is a key.
    #[must_use]
    pub fn funded() -> Self {
        Self(LocalSigner::new(&FUNDED.0).expect("it is a key"))
    }

    /// A transfer of 1 wei.
    ///
    /// # Panics
    /// Never: a key that is here can sign.
    #[must_use]
    pub fn transfer(&self, chain_id: u64, nonce: u64) -> Signed {
        self.transfer_with(chain_id, nonce, TRANSFER_GAS)
    }

    /// Another transfer with the first nonce.
    ///
    /// # Panics
    /// Never: a key that is here can sign.
    #[must_use]
    pub fn used(&self, chain_id: u64) -> Signed {
        self.transfer_with(chain_id, 0, TRANSFER_GAS + 1)
    }

    /// Nearly the longest transaction there is.
    ///
    /// # Panics
    /// Never: a key that is here can sign.
    #[must_use]
    pub fn long(&self, chain_id: u64, nonce: u64) -> Signed {
        let input = vec![7; TRANSACTION_BYTES_MAX - ROOM_BYTES];
        self.sign(chain_id, nonce, (10_000_000, input.into()))
    }

    /// A transfer with so many bytes of input that nothing can compress.
    ///
    /// # Panics
    /// Never: a key that is here can sign.
    #[must_use]
    pub fn with_input(&self, chain_id: u64, nonce: u64, bytes: usize) -> Signed {
        let own = keccak256([self.0.address().as_slice(), &nonce.to_be_bytes()].concat());
        let words =
            (0_u64..).map(|word| keccak256([own.as_slice(), &word.to_be_bytes()].concat()).0);
        let input: Vec<u8> = words.flatten().take(bytes).collect();
        let input_gas = INPUT_BYTE_GAS * u64::try_from(bytes).expect("it is in memory");
        self.sign(chain_id, nonce, (TRANSFER_GAS + input_gas, input.into()))
    }

    fn transfer_with(&self, chain_id: u64, nonce: u64, gas_limit: u64) -> Signed {
        self.sign(chain_id, nonce, (gas_limit, Bytes::new()))
    }

    fn sign(&self, chain_id: u64, nonce: u64, (gas_limit, input): (u64, Bytes)) -> Signed {
        let transaction = TxEip1559 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: 2_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to: TxKind::Call(Address::repeat_byte(9)),
            value: U256::from(1),
            input,
            ..TxEip1559::default()
        };
        let signature = self.0.sign(transaction.signature_hash()).to_alloy();
        let signature = signature.expect("it was just made");
        let envelope = TxEnvelope::from(transaction.into_signed(signature));
        let raw: Bytes = envelope.encoded_2718().into();
        Signed {
            key: (ChainId(chain_id), keccak256(&raw)),
            raw,
        }
    }
}

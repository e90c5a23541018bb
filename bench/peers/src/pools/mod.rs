//! Pools of others, and the same transactions for all: those of `mempool::insert_seal`, each of another
//! sender.

mod ethrex;
mod plain;

pub use ethrex::EthrexPool;
pub use plain::PlainPool;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// Length of a transaction, in bytes.
const TRANSACTION_BYTES: usize = 200;

/// Rollups that share the pool.
const ROLLUPS: u64 = 10;

/// What each pays for a unit of gas, in wei.
const TIP: u128 = 1_000_000_000;

/// Most of a parcel, in bytes: the pools are emptied so many at a time.
pub const PARCEL_BYTES: usize = 512 * 1024;

/// A transaction, decoded and recovered as a pool gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its rollup.
    pub chain_id: u64,
    /// Its hash.
    pub id: [u8; 32],
    /// Who signed it.
    pub sender: [u8; 20],
    /// Its place among its sender's transactions.
    pub nonce: u64,
    /// Most that it pays per gas, in wei.
    pub max_fee_per_gas: u128,
    /// What of it is the tip, in wei.
    pub max_priority_fee_per_gas: u128,
    /// Its own bytes.
    pub raw: Bytes,
}

/// So many transactions.
#[must_use]
pub fn transactions(count: usize) -> Vec<Transaction> {
    let transaction = |position: u64| {
        let mut raw = position.to_be_bytes().to_vec();
        raw.resize(TRANSACTION_BYTES, 0xaa);
        let mut sender = [0; 20];
        sender[..8].copy_from_slice(&position.to_be_bytes());
        Transaction {
            chain_id: 101 + position % ROLLUPS,
            id: Sha256::digest(&raw).into(),
            sender,
            nonce: 0,
            max_fee_per_gas: TIP,
            max_priority_fee_per_gas: TIP,
            raw: Bytes::from(raw),
        }
    };
    (0..).map(transaction).take(count).collect()
}

//! What a transaction costs before it does anything: Prague rules.

use alloy_consensus::{Transaction as _, TxEnvelope};

/// Any transaction (yellow paper, appendix G).
const TRANSACTION: u64 = 21_000;
/// Creating a contract (EIP-2).
const CREATE: u64 = 32_000;
/// A 32-byte word of a contract's init code (EIP-3860).
const INIT_CODE_WORD: u64 = 2;
/// A zero byte of input; a non-zero byte counts as four of them (EIP-2028).
const TOKEN: u64 = 4;
/// Tokens of a non-zero byte (EIP-7623).
const TOKENS_OF_NON_ZERO: u64 = 4;
/// What a token costs at least (EIP-7623).
const TOKEN_FLOOR: u64 = 10;
/// An address of an access list (EIP-2930).
const ACCESS_LIST_ADDRESS: u64 = 2_400;
/// A storage key of an access list (EIP-2930).
const ACCESS_LIST_KEY: u64 = 1_900;
/// An authorization to set code (EIP-7702).
const AUTHORIZATION: u64 = 25_000;

/// The least gas limit with which a transaction can be executed: its intrinsic gas (geth's
/// `IntrinsicGas`) and its floor (geth's `FloorDataGas`).
pub(super) fn intrinsic_gas(transaction: &TxEnvelope) -> u64 {
    let input = transaction.input();
    let zeros = count(input.iter().filter(|byte| **byte == 0).count());
    let tokens = zeros + TOKENS_OF_NON_ZERO * (count(input.len()) - zeros);
    let create = if transaction.is_create() {
        CREATE + INIT_CODE_WORD * count(input.len().div_ceil(32))
    } else {
        0
    };
    let access_list = transaction.access_list().map_or(0, |list| {
        let keys: usize = list.iter().map(|item| item.storage_keys.len()).sum();
        ACCESS_LIST_ADDRESS * count(list.len()) + ACCESS_LIST_KEY * count(keys)
    });
    let authorizations = AUTHORIZATION * transaction.authorization_count().unwrap_or(0);
    let intrinsic = TRANSACTION + create + TOKEN * tokens + access_list + authorizations;
    intrinsic.max(TRANSACTION + TOKEN_FLOOR * tokens)
}

fn count(length: usize) -> u64 {
    u64::try_from(length).expect("a transaction's length fits 64 bits")
}

//! The rollup before its first batch.

use std::collections::BTreeMap;

use alloy_consensus::{
    Header,
    constants::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH},
};
use alloy_eips::{
    eip2935::{HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CODE},
    eip7685::EMPTY_REQUESTS_HASH,
};
use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use reth_primitives::SealedHeader;

use crate::{
    limits::{BLOCK_GAS_LIMIT, GENESIS_BASE_FEE_WEI},
    rollup::RollupConfig,
    state::{Account, State},
};

/// Words from which every Ethereum test chain derives its accounts. Known to all: for play only.
pub const DEV_MNEMONIC: &str = "test test test test test test test test test test test junk";

/// The first ten accounts of [`DEV_MNEMONIC`].
pub const DEV_ACCOUNTS: [Address; 10] = [
    address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
    address!("70997970C51812dc3A010C7d01b50e0d17dc79C8"),
    address!("3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
    address!("90F79bf6EB2c4f870365E785982E1f101E93b906"),
    address!("15d34AAf54267DB7D7c367839AAf71A00a2C6A65"),
    address!("9965507D1a55bcC2695C58ba16FB37d819B0A4dc"),
    address!("976EA74026E726554dB657fA54763abd0C3a0aa9"),
    address!("14dC79964da2C08b23698B3D3cc7Ca32193d9955"),
    address!("23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f"),
    address!("a0Ee7A142d267C1f36714E4a8F75612F20a79720"),
];

/// Balance of each account of [`DEV_ACCOUNTS`] at genesis, in ETH.
pub const DEV_BALANCE_ETH: u64 = 10_000;

/// Balance of the faucet at genesis, in ETH.
pub const FAUCET_BALANCE_ETH: u64 = 1_000_000;

/// The genesis block's header and the state it commits to.
pub(crate) fn genesis(config: &RollupConfig) -> (SealedHeader<Header>, State) {
    let state = genesis_state(config.faucet);
    let header = Header {
        // The chain id enters no other field: two rollups never share a genesis hash.
        extra_data: Bytes::copy_from_slice(&config.chain_id.to_be_bytes()),
        timestamp: config.genesis_time_s,
        state_root: state.root(),
        base_fee_per_gas: Some(GENESIS_BASE_FEE_WEI),
        ..empty_header()
    };
    (SealedHeader::seal_slow(header), state)
}

/// A header with Prague's fields and nothing in its block.
pub(crate) fn empty_header() -> Header {
    Header {
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        transactions_root: EMPTY_ROOT_HASH,
        receipts_root: EMPTY_ROOT_HASH,
        gas_limit: BLOCK_GAS_LIMIT,
        withdrawals_root: Some(EMPTY_ROOT_HASH),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    }
}

fn genesis_state(faucet: Option<Address>) -> State {
    let funded = DEV_ACCOUNTS
        .into_iter()
        .map(|address| (address, DEV_BALANCE_ETH))
        .chain(faucet.map(|address| (address, FAUCET_BALANCE_ETH)));
    let mut accounts: BTreeMap<Address, Account> = funded
        .map(|(address, eth)| (address, Account::new(0, in_wei(eth), Bytes::new())))
        .collect();
    let history = Account::new(1, U256::ZERO, HISTORY_STORAGE_CODE.clone());
    accounts.insert(HISTORY_STORAGE_ADDRESS, history);

    let mut state = State::default();
    for (address, account) in accounts {
        state.insert_hashed(keccak256(address), account);
    }
    state
}

fn in_wei(eth: u64) -> U256 {
    U256::from(eth) * U256::from(10).pow(U256::from(18))
}

#[cfg(test)]
mod tests {
    use alloy_signer_local::{MnemonicBuilder, coins_bip39::English};

    use super::*;

    #[test]
    fn the_accounts_are_the_mnemonics_first_ten() {
        for (index, expected) in (0_u32..).zip(DEV_ACCOUNTS) {
            let signer = MnemonicBuilder::<English>::default()
                .phrase(DEV_MNEMONIC)
                .index(index)
                .unwrap()
                .build()
                .unwrap();
            assert_eq!(signer.address(), expected);
        }
    }

    #[test]
    fn rollups_differ_from_their_first_hash_on() {
        let config = |chain_id| RollupConfig {
            chain_id,
            data_dir: "unused".into(),
            genesis_time_s: 0,
            faucet: None,
        };
        assert_ne!(
            genesis(&config(901)).0.hash(),
            genesis(&config(902)).0.hash()
        );
    }
}

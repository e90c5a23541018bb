//! The rollup's accounts, as the EVM reads and changes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use alloy_rlp::Encodable;
use alloy_trie::TrieAccount;
use revm::{
    Database, DatabaseCommit,
    database_interface::DBErrorMarker,
    primitives::AddressMap,
    state::{Account as ChangedAccount, AccountInfo, Bytecode},
};

use crate::trie::{Leaf, Trie};

/// All accounts after some block. A copy costs one pointer and never changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    accounts: Trie<Account>,
}

/// One account with its code and storage.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Transactions sent, or contracts created, so far.
    pub(crate) nonce: u64,
    /// In wei.
    pub(crate) balance: U256,
    /// Kept with the account, so that nothing has to be looked up by its hash.
    pub(crate) code: Bytecode,
    /// keccak256 of the code.
    pub(crate) code_hash: B256,
    /// Values by the hash of their slot; zero values are absent.
    pub(crate) storage: Trie<U256>,
}

impl Account {
    /// An account with this code and no storage yet.
    pub(crate) fn new(nonce: u64, balance: U256, code: Bytes) -> Self {
        let code = Bytecode::new_raw_checked(code.clone())
            .unwrap_or_else(|_malformed_delegation| Bytecode::new_legacy(code));
        Self {
            nonce,
            balance,
            code_hash: code.hash_slow(),
            code,
            storage: Trie::default(),
        }
    }
}

impl Default for Account {
    fn default() -> Self {
        Self {
            nonce: 0,
            balance: U256::ZERO,
            code: Bytecode::default(),
            code_hash: KECCAK256_EMPTY,
            storage: Trie::default(),
        }
    }
}

impl Leaf for Account {
    fn encode_leaf(&self, out: &mut Vec<u8>) {
        let storage_root = self.storage.root_hash();
        TrieAccount::new(self.nonce, self.balance, storage_root, self.code_hash).encode(out);
    }
}

impl Leaf for U256 {
    fn encode_leaf(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
}

impl State {
    /// The account at `address`, if there is one.
    pub(crate) fn account(&self, address: &Address) -> Option<&Account> {
        self.accounts.get(&keccak256(address))
    }

    /// The value in `slot` of the account at `address`; zero where nothing is.
    pub(crate) fn storage(&self, address: &Address, slot: U256) -> U256 {
        self.account(address)
            .and_then(|account| account.storage.get(&slot_key(slot)))
            .copied()
            .unwrap_or_default()
    }

    /// The state root.
    pub(crate) fn root(&self) -> B256 {
        self.accounts.root_hash()
    }

    /// Puts an account at the hash of its address.
    pub(crate) fn insert_hashed(&mut self, hashed_address: B256, account: Account) {
        self.accounts.insert(hashed_address, account);
    }

    /// Calls `visitor` with every account and the hash of its address, in rising order.
    pub(crate) fn visit(&self, visitor: &mut impl FnMut(B256, &Account)) {
        self.accounts.visit(visitor);
    }

    fn apply(&mut self, address: &Address, change: ChangedAccount) {
        let key = keccak256(address);
        // Under Cancun's rules only what was created in the same transaction is destroyed; under
        // EIP-161 no empty account stays.
        if change.is_selfdestructed() || change.is_empty() {
            self.accounts.remove(&key);
            return;
        }
        let mut account = match self.accounts.get(&key) {
            Some(account) if !change.is_created() => account.clone(),
            _ => Account::default(),
        };
        account.nonce = change.info.nonce;
        account.balance = change.info.balance;
        if account.code_hash != change.info.code_hash {
            account.code_hash = change.info.code_hash;
            account.code = change.info.code.clone().unwrap_or_default();
        }
        let slots: BTreeMap<_, _> = change
            .changed_storage_slots()
            .map(|(slot, value)| (*slot, value.present_value()))
            .collect();
        for (slot, value) in slots {
            if value.is_zero() {
                account.storage.remove(&slot_key(slot));
            } else {
                account.storage.insert(slot_key(slot), value);
            }
        }
        self.accounts.insert(key, account);
    }
}

fn slot_key(slot: U256) -> B256 {
    keccak256(slot.to_be_bytes::<32>())
}

/// What the EVM works on while it executes a block or a call.
#[derive(Clone, Debug)]
pub(crate) struct WorkingState {
    /// Changes as transactions are committed.
    pub(crate) state: State,
    /// Hashes of the last 256 blocks by number, for `BLOCKHASH`.
    pub(crate) ancestors: Arc<BTreeMap<u64, B256>>,
}

/// The EVM asked for code apart from its account, which never has to happen.
#[derive(Debug, thiserror::Error)]
#[error("code {0} was asked for apart from its account")]
pub(crate) struct DetachedCode(B256);

impl DBErrorMarker for DetachedCode {}

impl Database for WorkingState {
    type Error = DetachedCode;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, DetachedCode> {
        Ok(self.state.account(&address).map(|account| {
            let Account {
                nonce,
                balance,
                code,
                code_hash,
                ..
            } = account;
            AccountInfo::new(*balance, *nonce, *code_hash, code.clone())
        }))
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, DetachedCode> {
        Err(DetachedCode(code_hash))
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, DetachedCode> {
        Ok(self.state.storage(&address, slot))
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, DetachedCode> {
        Ok(self.ancestors.get(&number).copied().unwrap_or_default())
    }
}

impl DatabaseCommit for WorkingState {
    fn commit(&mut self, changes: AddressMap<ChangedAccount>) {
        let changes: BTreeMap<_, _> = changes.into_iter().collect();
        for (address, change) in changes {
            if change.is_touched() {
                self.state.apply(&address, change);
            }
        }
    }
}

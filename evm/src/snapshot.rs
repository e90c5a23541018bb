//! The state after some block, in a file of its own, so that a start need not execute all again.
//!
//! ```text
//! snapshot = [format, genesis hash, block number, block hash, [account, …]]
//! account  = [hash of address, nonce, balance, code, [[hash of slot, value], …]]   by rising hash
//! ```
//! The file needs no checksum: the state in it must have the root that the block's header names.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use alloy_primitives::{B256, Bytes, U256};
use alloy_rlp::{Decodable as _, RlpDecodable, RlpEncodable};

use crate::state::{Account, State};

/// Version of the format.
const FORMAT: u8 = 1;

/// A state with the name of the block that it follows.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) genesis_hash: B256,
    pub(crate) number: u64,
    pub(crate) block_hash: B256,
    pub(crate) state: State,
}

#[derive(Debug, RlpEncodable, RlpDecodable)]
struct Stored {
    format: u8,
    genesis_hash: B256,
    number: u64,
    block_hash: B256,
    accounts: Vec<StoredAccount>,
}

#[derive(Debug, RlpEncodable, RlpDecodable)]
struct StoredAccount {
    hashed_address: B256,
    nonce: u64,
    balance: U256,
    code: Bytes,
    storage: Vec<StoredSlot>,
}

#[derive(Debug, RlpEncodable, RlpDecodable)]
struct StoredSlot {
    hashed_slot: B256,
    value: U256,
}

impl Snapshot {
    /// Writes the snapshot to `path`: afterwards the file is the old one or the new one, whole.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let draft = path.with_extension("draft");
        let mut file = File::create(&draft)?;
        file.write_all(&alloy_rlp::encode(self.stored()))?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }

    /// Reads what [`Snapshot::write`] wrote; `None` when there is no file.
    pub(crate) fn read(path: &Path) -> io::Result<Option<Self>> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let stored = Stored::decode(&mut bytes.as_slice())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if stored.format != FORMAT {
            let problem = format!("snapshot format {}, known is {FORMAT}", stored.format);
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        Ok(Some(stored.restore()))
    }

    fn stored(&self) -> Stored {
        let mut accounts = Vec::new();
        self.state.visit(&mut |hashed_address, account| {
            let mut storage = Vec::new();
            account.storage.visit(&mut |hashed_slot, value: &U256| {
                storage.push(StoredSlot {
                    hashed_slot,
                    value: *value,
                });
            });
            accounts.push(StoredAccount {
                hashed_address,
                nonce: account.nonce,
                balance: account.balance,
                code: account.code.original_bytes(),
                storage,
            });
        });
        Stored {
            format: FORMAT,
            genesis_hash: self.genesis_hash,
            number: self.number,
            block_hash: self.block_hash,
            accounts,
        }
    }
}

impl Stored {
    fn restore(self) -> Snapshot {
        let mut state = State::default();
        for stored in self.accounts {
            let mut account = Account::new(stored.nonce, stored.balance, stored.code);
            for slot in stored.storage {
                account.storage.insert(slot.hashed_slot, slot.value);
            }
            state.insert_hashed(stored.hashed_address, account);
        }
        Snapshot {
            genesis_hash: self.genesis_hash,
            number: self.number,
            block_hash: self.block_hash,
            state,
        }
    }
}

//! The rollup: one owner of chain and log, many readers.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
};

use alloy_primitives::Address;
use cloverleaf_api::json::BatchOutput;
use cloverleaf_types::{Batch, ChainId, Head, NetworkId, Verified};

use crate::{
    block::Block, chain::Chain, error::Error, executor::execute, genesis::genesis, record::Record,
    store::Store,
};

/// What a rollup is started with. All of it but the folder enters the genesis block: nodes that
/// are to have the same blocks need the same values.
#[derive(Clone, Debug)]
pub struct RollupConfig {
    /// The rollup's EIP-155 chain id.
    pub chain_id: u64,
    /// Folder of its own for block log and snapshots; made when it is missing.
    pub data_dir: PathBuf,
    /// Timestamp of the genesis block, in seconds since 1970.
    pub genesis_time_s: u64,
    /// An account that is funded at genesis to fund others.
    pub faucet: Option<Address>,
}

/// An embedded rollup. Copies share everything.
#[derive(Clone, Debug)]
pub struct Rollup {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    chain_id: u64,
    chain: RwLock<Chain>,
    /// Held by whoever executes, from before the batch is looked at until its block is in place.
    store: Mutex<Store>,
}

impl Rollup {
    /// Opens the rollup with the blocks that its folder has. Reads files and may execute up to
    /// [some hundred](crate::limits) batches: call it off the async threads.
    ///
    /// # Errors
    /// The folder cannot be used, or holds something that does not fit together.
    pub fn open(config: &RollupConfig) -> Result<Self, Error> {
        let (header, state) = genesis(config);
        let block = Block {
            header,
            included: Vec::new(),
            output: None,
        };
        let (store, chain) = Store::open(config, Chain::new(block, state))?;
        let shared = Shared {
            chain_id: config.chain_id,
            chain: RwLock::new(chain),
            store: Mutex::new(store),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The rollup's chain id.
    pub fn chain_id(&self) -> u64 {
        self.shared.chain_id
    }

    /// Number of the last batch that was executed; 0 before the first.
    pub fn last_executed_seq(&self) -> u64 {
        self.chain().head().number()
    }

    /// The last batch that was executed, as the next one names it; [`Head::empty`] before the first.
    pub fn head(&self, network: NetworkId) -> Head {
        let chain_id = ChainId(self.shared.chain_id);
        match &self.chain().head().output {
            Some(output) => Head {
                chain_id,
                seq: output.seq,
                batch_hash: output.batch_hash,
            },
            None => Head::empty(network, chain_id),
        }
    }

    /// Executes the next batch and returns when its block is durable and readable. A batch that
    /// was executed before gives the output it gave then. Runs off the async threads.
    ///
    /// # Errors
    /// The batch is not the next one of this rollup, or the disk or the EVM fails. After an error
    /// the rollup is as before the call.
    pub async fn execute(&self, batch: Verified<Batch>) -> Result<BatchOutput, Error> {
        let rollup = self.clone();
        off_async_threads(move || rollup.execute_here(&batch)).await?
    }

    /// [`Rollup::execute`] on the caller's thread.
    ///
    /// # Errors
    /// As there.
    pub fn execute_here(&self, batch: &Batch) -> Result<BatchOutput, Error> {
        let mut store = self.store();
        let parent = {
            let chain = self.chain();
            if let Some(known) = admit(self.shared.chain_id, &chain, batch)? {
                return Ok(known);
            }
            chain.parent()
        };
        let (block, state) = execute(self.shared.chain_id, &parent, batch)?;
        store.append(&Record::new(batch, &block))?;
        let output = block
            .output
            .clone()
            .expect("an executed batch has an output");
        let number = block.number();
        let oldest_kept = {
            let mut chain = self
                .shared
                .chain
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            chain.push(block, state.clone());
            chain.oldest_kept()
        };
        store.maintain(number, output.block_hash, &state, oldest_kept);
        Ok(output)
    }

    /// The chain for reading. Take what is needed and let go; never across an await.
    pub(crate) fn chain(&self) -> RwLockReadGuard<'_, Chain> {
        // A chain is changed by one call that cannot stop half-way, so a panic elsewhere leaves it
        // whole.
        self.shared
            .chain
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.shared
            .store
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does `work`, which may take milliseconds, on a thread where it holds up nothing else.
pub(crate) async fn off_async_threads<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    #[expect(
        clippy::disallowed_methods,
        reason = "its owner is this function, which awaits it"
    )]
    let task = tokio::task::spawn_blocking(work);
    task.await.map_err(|error| Error::CutOff(error.to_string()))
}

/// Whether `batch` may be executed now; the output of one that was.
fn admit(chain_id: u64, chain: &Chain, batch: &Batch) -> Result<Option<BatchOutput>, Error> {
    let header = batch.header();
    if header.chain_id.0 != chain_id {
        return Err(Error::OtherRollup {
            expected: chain_id,
            got: header.chain_id.0,
        });
    }
    let head = chain.head();
    if header.seq == 0 || header.seq > head.number() + 1 {
        return Err(Error::OutOfOrder {
            expected: head.number() + 1,
            got: header.seq,
        });
    }
    if header.seq <= head.number() {
        let known = chain
            .block(header.seq)
            .and_then(|block| block.output.as_ref());
        return match known {
            Some(known) if known.batch_hash == batch.hash() => Ok(Some(known.clone())),
            Some(known) => Err(contradiction(header.seq, known, batch.hash())),
            None => Err(Error::OutOfOrder {
                expected: head.number() + 1,
                got: header.seq,
            }),
        };
    }
    match &head.output {
        Some(last) if last.batch_hash != header.prev_batch_hash => {
            Err(contradiction(last.seq, last, header.prev_batch_hash))
        }
        _ => Ok(None),
    }
}

fn contradiction(seq: u64, executed: &BatchOutput, given: alloy_primitives::B256) -> Error {
    Error::Contradiction {
        seq,
        executed: executed.batch_hash,
        given,
    }
}

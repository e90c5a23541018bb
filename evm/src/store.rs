//! What the rollup keeps on disk, and how it comes back from it.

use std::{
    io,
    path::{Path, PathBuf},
};

use alloy_primitives::B256;

use crate::{
    block_log::BlockLog, chain::Chain, error::Error, executor::execute,
    limits::SNAPSHOT_EVERY_BLOCKS, record::Record, rollup::RollupConfig, snapshot::Snapshot,
    state::State,
};

/// The block log and the latest snapshot.
#[derive(Debug)]
pub(crate) struct Store {
    log: BlockLog,
    snapshot: PathBuf,
    genesis_hash: B256,
}

impl Store {
    /// Opens the folder and puts its blocks on `chain`, which is at genesis: those up to the
    /// snapshot as the log has them, the others by executing their batches again.
    pub(crate) fn open(config: &RollupConfig, chain: Chain) -> Result<(Self, Chain), Error> {
        let folder = &config.data_dir;
        let genesis_hash = chain.genesis().hash();
        let snapshot = folder.join("state.snapshot");
        let mut recovery = Recovery {
            chain_id: config.chain_id,
            folder,
            snapshot: usable_snapshot(&snapshot, genesis_hash),
            chain,
        };
        let log = BlockLog::open(folder, |record| recovery.take(record))?;
        let chain = recovery.finish()?;
        Ok((
            Self {
                log,
                snapshot,
                genesis_hash,
            },
            chain,
        ))
    }

    /// Makes a record durable.
    pub(crate) fn append(&mut self, record: &Record) -> Result<(), Error> {
        Ok(self.log.append(record)?)
    }

    /// Now and then writes a snapshot and lets go of old records. Not doing so costs time at the
    /// next start and nothing else, so a failure is only reported.
    pub(crate) fn maintain(&mut self, number: u64, block_hash: B256, state: &State, oldest: u64) {
        if !number.is_multiple_of(SNAPSHOT_EVERY_BLOCKS) {
            return;
        }
        let genesis_hash = self.genesis_hash;
        let snapshot = Snapshot {
            genesis_hash,
            number,
            block_hash,
            state: state.clone(),
        };
        let done = snapshot
            .write(&self.snapshot)
            .map_err(|source| files(&self.snapshot, source))
            .and_then(|()| Ok(self.log.prune(oldest)?));
        if let Err(error) = done {
            tracing::warn!(%error, number, "no snapshot of the rollup's state");
        }
    }
}

pub(crate) fn files(path: &Path, source: io::Error) -> Error {
    Error::Files {
        path: path.to_owned(),
        source,
    }
}

/// A snapshot is a short cut: one that cannot be used is left aside.
fn usable_snapshot(path: &Path, genesis_hash: B256) -> Option<Snapshot> {
    match Snapshot::read(path) {
        Ok(snapshot) => snapshot.filter(|snapshot| snapshot.genesis_hash == genesis_hash),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "snapshot left aside");
            None
        }
    }
}

/// A chain that is being put together from records.
struct Recovery<'a> {
    chain_id: u64,
    folder: &'a Path,
    /// Until its block has come.
    snapshot: Option<Snapshot>,
    chain: Chain,
}

impl Recovery<'_> {
    fn take(&mut self, record: Record) -> Result<(), Error> {
        let head = self.chain.head();
        let at_genesis = head.number() == self.chain.genesis().number();
        let follows = record.header().parent_hash == head.hash();
        // The log may begin later than the chain, where a snapshot covers what is missing.
        let begins = at_genesis && self.is_covered(record.number());
        if !(follows || begins) {
            let problem = format!(
                "block {} does not follow on block {}",
                record.number(),
                head.number()
            );
            return Err(self.damaged(problem));
        }
        if self.is_covered(record.number()) {
            self.restore(record)
        } else {
            self.replay(&record)
        }
    }

    fn finish(self) -> Result<Chain, Error> {
        match &self.snapshot {
            Some(snapshot) => Err(self.damaged(format!(
                "the log ends at block {}, before the snapshot at block {}",
                self.chain.head().number(),
                snapshot.number
            ))),
            None => Ok(self.chain),
        }
    }

    fn is_covered(&self, number: u64) -> bool {
        self.snapshot
            .as_ref()
            .is_some_and(|snapshot| number <= snapshot.number)
    }

    fn restore(&mut self, record: Record) -> Result<(), Error> {
        let block = record
            .into_block()
            .map_err(|problem| self.damaged(problem))?;
        let (number, hash, root) = (block.number(), block.hash(), block.header.state_root);
        self.chain.push_block(block);
        if let Some(snapshot) = self.snapshot.take_if(|snapshot| snapshot.number == number) {
            if snapshot.block_hash != hash || snapshot.state.root() != root {
                return Err(self.damaged(format!("the snapshot is not of block {number}")));
            }
            self.chain.resume(snapshot.state);
        }
        Ok(())
    }

    fn replay(&mut self, record: &Record) -> Result<(), Error> {
        let batch = record.batch().map_err(|problem| self.damaged(problem))?;
        let (block, state) = execute(self.chain_id, &self.chain.parent(), &batch)?;
        let expected = record.header().hash_slow();
        if block.hash() != expected {
            return Err(Error::Diverged {
                seq: record.number(),
                expected,
                got: block.hash(),
            });
        }
        self.chain.push(block, state);
        Ok(())
    }

    fn damaged(&self, problem: String) -> Error {
        Error::Damaged {
            path: self.folder.to_owned(),
            problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Bytes;
    use cloverleaf_types::{BatchDraft, ChainId, Height, L1Ref};
    use tempfile::TempDir;

    use super::*;
    use crate::{block::Block, genesis::genesis, rollup::Rollup};

    #[test]
    fn a_block_that_cannot_be_had_again_from_its_batch_is_refused() {
        let folder = TempDir::new().unwrap();
        let config = RollupConfig {
            chain_id: 901,
            data_dir: folder.path().to_owned(),
            genesis_time_s: 0,
            faucet: None,
        };
        let (header, state) = genesis(&config);
        let block = Block {
            header,
            included: Vec::new(),
            output: None,
        };
        let (mut store, chain) = Store::open(&config, Chain::new(block, state)).unwrap();
        let draft = BatchDraft {
            chain_id: ChainId(901),
            seq: 1,
            prev_batch_hash: B256::ZERO,
            height: Height(1),
            timestamp_ms: 1_000,
            l1: L1Ref::default(),
            full: Vec::new(),
        };
        let batch = cloverleaf_types::Batch::build(draft, Vec::new(), Vec::new(), &[]);
        let (mut block, _) = execute(901, &chain.parent(), &batch).unwrap();
        let expected = {
            let mut header = block.header.header().clone();
            header.extra_data = Bytes::from_static(b"of another version");
            block.header = reth_primitives::SealedHeader::seal_slow(header);
            block.hash()
        };
        store.append(&Record::new(&batch, &block)).unwrap();
        drop(store);
        let refused = Rollup::open(&config).unwrap_err();
        assert!(
            matches!(refused, Error::Diverged { seq: 1, expected: hash, .. } if hash == expected)
        );
    }
}

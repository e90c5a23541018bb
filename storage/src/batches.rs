//! Reads batches, by rollup and number.

use alloy_rlp::{Decodable, RlpDecodable, RlpEncodable};
use bytes::Bytes;
use cloverleaf_types::batch::BatchHeader;
use cloverleaf_types::merkle::Branch;
use cloverleaf_types::{ChainId, Height};
use rocksdb::Direction;

use crate::column::Column;
use crate::decision::Decision;
use crate::error::StoreError;
use crate::keys;
use crate::store::Store;

/// A batch as it was decided, with all that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBatch {
    /// The batch's number.
    pub seq: u64,
    /// The batch as it is streamed; `types::Batch::decode` reads it.
    pub bytes: Bytes,
    /// The height of its block.
    pub height: Height,
    /// From the head that the batch makes to the block's `heads_root`.
    pub branch: Branch,
    /// Header, certificate and manifests of its block.
    pub decision: Decision,
}

/// Where a batch's block is, and how its head leads there.
#[derive(RlpEncodable, RlpDecodable)]
pub(crate) struct Anchor {
    pub(crate) height: Height,
    pub(crate) branch: Branch,
}

impl Store {
    /// A rollup's batch.
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn batch(&self, chain_id: ChainId, seq: u64) -> Result<Option<StoredBatch>, StoreError> {
        let Some(anchor) = self.anchor(chain_id, seq)? else {
            return Ok(None);
        };
        let (database, height) = (self.database(), anchor.height);
        let missing = || database.damaged(format!("block {height} is missing"));
        let decision = self.decision(height)?.ok_or_else(missing)?;
        Ok(Some(StoredBatch {
            seq,
            bytes: self.batch_bytes(&decision, &anchor, chain_id, seq)?,
            height,
            branch: anchor.branch,
            decision,
        }))
    }

    /// A batch of a block that was read already.
    pub(crate) fn batch_of(
        &self,
        decision: &Decision,
        chain_id: ChainId,
        seq: u64,
    ) -> Result<Bytes, StoreError> {
        let anchor = self.anchor(chain_id, seq)?;
        let anchor = anchor.ok_or_else(|| self.damaged_batch(chain_id, seq))?;
        self.batch_bytes(decision, &anchor, chain_id, seq)
    }

    fn anchor(&self, chain_id: ChainId, seq: u64) -> Result<Option<Anchor>, StoreError> {
        let key = keys::rollup_seq(chain_id, seq);
        self.database().get_as(Column::Branches, &key, Anchor::read)
    }

    /// The bytes, whose header must be the one that the key names and the block commits to.
    fn batch_bytes(
        &self,
        decision: &Decision,
        anchor: &Anchor,
        chain_id: ChainId,
        seq: u64,
    ) -> Result<Bytes, StoreError> {
        let damaged = || self.damaged_batch(chain_id, seq);
        let key = keys::rollup_seq(chain_id, seq);
        let bytes = self.database().get(Column::Batches, &key)?;
        let bytes = bytes.ok_or_else(damaged)?;
        let header = BatchHeader::decode(&mut &bytes[..]).map_err(|_error| damaged())?;
        let is_asked_for = (header.chain_id, header.seq) == (chain_id, seq);
        if is_asked_for && decision.has_batch(&header, &anchor.branch) {
            Ok(bytes)
        } else {
            Err(damaged())
        }
    }

    fn damaged_batch(&self, chain_id: ChainId, seq: u64) -> StoreError {
        let database = self.database();
        database.damaged(format!("batch {seq} of rollup {chain_id}"))
    }

    /// A rollup's batches from a number on: up to `items_max` while they fit into `bytes_max`; the
    /// first is given whatever its size. Empty if there is none at `from_seq`.
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn batches_from(
        &self,
        chain_id: ChainId,
        from_seq: u64,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<StoredBatch>, StoreError> {
        let (mut batches, mut bytes) = (Vec::new(), 0_usize);
        for seq in (from_seq..=u64::MAX).take(items_max) {
            let Some(batch) = self.batch(chain_id, seq)? else {
                break;
            };
            bytes = bytes.saturating_add(batch.bytes.len());
            if bytes > bytes_max && !batches.is_empty() {
                break;
            }
            batches.push(batch);
        }
        Ok(batches)
    }

    /// The number of a rollup's latest batch; nothing before its first.
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn head(&self, chain_id: ChainId) -> Result<Option<u64>, StoreError> {
        self.outermost_batch(chain_id, Direction::Reverse)
    }

    /// The number of a rollup's first batch that is still stored; nothing before its first.
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn first_available(&self, chain_id: ChainId) -> Result<Option<u64>, StoreError> {
        self.outermost_batch(chain_id, Direction::Forward)
    }

    fn outermost_batch(
        &self,
        chain_id: ChainId,
        direction: Direction,
    ) -> Result<Option<u64>, StoreError> {
        let prefix = chain_id.0.to_be_bytes();
        let database = self.database();
        let mut entries = database.with_prefix(Column::Branches, &prefix, direction);
        let Some(entry) = entries.next() else {
            return Ok(None);
        };
        let seq = keys::second_number(&entry?.0);
        let seq = seq.ok_or_else(|| database.damaged("a key of a batch"))?;
        Ok(Some(seq))
    }
}

impl Anchor {
    /// Reads a whole value.
    fn read(mut value: &[u8]) -> Option<Self> {
        let anchor = Self::decode(&mut value).ok()?;
        value.is_empty().then_some(anchor)
    }
}

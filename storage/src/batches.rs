//! Reads batches, by rollup and number.

use std::fmt::Display;
use std::sync::Arc;

use alloy_rlp::{Decodable, RlpDecodable, RlpEncodable};
use bytes::Bytes;
use cloverleaf_types::batch::BatchHeader;
use cloverleaf_types::merkle::Branch;
use cloverleaf_types::{Batch, ChainId, Height};
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
    pub decision: Arc<Decision>,
}

/// Where a batch's block is, and how its head leads there.
#[derive(RlpEncodable, RlpDecodable)]
pub(crate) struct Anchor {
    pub(crate) height: Height,
    pub(crate) branch: Branch,
}

impl Store {
    /// A rollup's batch. Every transaction was hashed, and the batch led to its block's header.
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn batch(&self, chain_id: ChainId, seq: u64) -> Result<Option<StoredBatch>, StoreError> {
        self.batch_within(chain_id, seq, usize::MAX)
    }

    /// The same; nothing for a batch of more bytes either.
    fn batch_within(
        &self,
        chain_id: ChainId,
        seq: u64,
        bytes_max: usize,
    ) -> Result<Option<StoredBatch>, StoreError> {
        let Some(anchor) = self.anchor(chain_id, seq)? else {
            return Ok(None);
        };
        match self.read_batch(anchor, chain_id, seq, bytes_max) {
            // It was removed while it was read.
            Err(StoreError::Damaged { .. }) if self.anchor(chain_id, seq)?.is_none() => Ok(None),
            read => read,
        }
    }

    fn read_batch(
        &self,
        anchor: Anchor,
        chain_id: ChainId,
        seq: u64,
        bytes_max: usize,
    ) -> Result<Option<StoredBatch>, StoreError> {
        let (database, height) = (self.database(), anchor.height);
        let missing = || {
            let why = format!("missing, though batch {seq} of rollup {chain_id} is there");
            database.damaged(Column::Blocks, &keys::height(height), why)
        };
        let decision = self.recent_decision(height)?.ok_or_else(missing)?;
        let bytes = self.batch_bytes(&decision, &anchor, chain_id, seq)?;
        if bytes.len() > bytes_max {
            return Ok(None);
        }
        let decoded = Batch::decode(bytes.clone());
        let decoded = decoded.map_err(|error| self.damaged_batch(chain_id, seq, error))?;
        let verified = decoded.verify(); // M2
        verified.map_err(|error| self.damaged_batch(chain_id, seq, error))?;
        Ok(Some(StoredBatch {
            seq,
            bytes,
            height,
            branch: anchor.branch,
            decision,
        }))
    }

    fn recent_decision(&self, height: Height) -> Result<Option<Arc<Decision>>, StoreError> {
        if let Some(decision) = self.recent().get(height) {
            return Ok(Some(decision));
        }
        let decision = self.decision(height)?.map(Arc::new);
        if let Some(decision) = &decision {
            self.recent().put(height, decision);
        }
        Ok(decision)
    }

    /// A batch of a block that was read already; the caller hashes its body.
    pub(crate) fn batch_of(
        &self,
        decision: &Decision,
        chain_id: ChainId,
        seq: u64,
    ) -> Result<Bytes, StoreError> {
        let anchor = self.anchor(chain_id, seq)?;
        let missing = || {
            let key = keys::rollup_seq(chain_id, seq);
            let why = format!("missing, though block {} names it", decision.header.height);
            self.database().damaged(Column::Branches, &key, why)
        };
        let anchor = anchor.ok_or_else(missing)?;
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
        let damaged = |why: &dyn Display| self.damaged_batch(chain_id, seq, why);
        let key = keys::rollup_seq(chain_id, seq);
        let bytes = self.database().get(Column::Batches, &key)?;
        let bytes = bytes.ok_or_else(|| damaged(&"missing"))?;
        let header = BatchHeader::decode(&mut &bytes[..]).map_err(|error| damaged(&error))?;
        let is_asked_for =
            (header.chain_id, header.seq, header.height) == (chain_id, seq, anchor.height);
        if is_asked_for && decision.has_batch(&header, &anchor.branch) {
            Ok(bytes)
        } else {
            let height = decision.header.height;
            Err(damaged(&format_args!("block {height} does not hold it")))
        }
    }

    pub(crate) fn damaged_batch(
        &self,
        chain_id: ChainId,
        seq: u64,
        why: impl Display,
    ) -> StoreError {
        let key = keys::rollup_seq(chain_id, seq);
        let why = format!("batch {seq} of rollup {chain_id}: {why}");
        self.database().damaged(Column::Batches, &key, why)
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
        let (mut batches, mut room) = (Vec::new(), usize::MAX);
        for seq in (from_seq..=u64::MAX).take(items_max) {
            let Some(batch) = self.batch_within(chain_id, seq, room)? else {
                break;
            };
            room = room.min(bytes_max).saturating_sub(batch.bytes.len());
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
        let (key, _) = entry?;
        let seq = keys::second_number(&key);
        let seq = seq.ok_or_else(|| database.damaged(Column::Branches, &key, "no number"))?;
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

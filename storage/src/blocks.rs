//! Reads blocks, by height.

use alloy_rlp::{Encodable, Header as ListHeader};
use bytes::Bytes;
use cloverleaf_types::{ChainId, DecidedBlock, Header, Height, Manifest};
use rocksdb::Direction;

use crate::column::Column;
use crate::decision::Decision;
use crate::error::StoreError;
use crate::keys;
use crate::store::Store;

impl Store {
    /// Everything of a block but its batches. Of the blocks that were pruned it is there where chain 0
    /// has a batch.
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn decision(&self, height: Height) -> Result<Option<Decision>, StoreError> {
        let key = keys::height(height);
        let database = self.database();
        let decision = database.get_as(Column::Blocks, &key, Decision::read)?;
        match decision {
            Some(decision) if !decision.is_of(self.network(), height) => {
                let why = format!("the parts of block {height} do not belong together");
                Err(database.damaged(Column::Blocks, &key, why))
            }
            decision => Ok(decision),
        }
    }

    /// A block's header.
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn header(&self, height: Height) -> Result<Option<Header>, StoreError> {
        Ok(self.decision(height)?.map(|decision| decision.header))
    }

    /// A block's manifest, by position.
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn manifest(&self, height: Height, index: u32) -> Result<Option<Manifest>, StoreError> {
        let decision = self.decision(height)?;
        let found = |decision: Decision| {
            let mut manifests = decision.manifests.into_iter();
            manifests.find(|manifest| manifest.index == index)
        };
        Ok(decision.and_then(found))
    }

    /// A block as it is sent to followers and peers, put together from what is stored. Every part and
    /// transaction was hashed and led to the header.
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn block_bytes(&self, height: Height) -> Result<Option<Bytes>, StoreError> {
        let read = self.read_block(height)?;
        Ok(read.map(|(bytes, _)| bytes))
    }

    /// Blocks as they are sent, from a height on: up to `items_max` while they fit into
    /// `bytes_max`; the first is given whatever its size. Empty above the tip.
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn blocks_from(
        &self,
        from: Height,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<(Height, Bytes)>, StoreError> {
        let (mut blocks, mut bytes, mut height) = (Vec::new(), 0_usize, from);
        while blocks.len() < items_max && (blocks.is_empty() || bytes < bytes_max) {
            let Some(block) = self.block_bytes(height)? else {
                break;
            };
            bytes = bytes.saturating_add(block.len());
            if bytes > bytes_max && !blocks.is_empty() {
                break;
            }
            blocks.push((height, block));
            height = height.next();
        }
        Ok(blocks)
    }

    /// A block with everything in it, checked like [`Store::block_bytes`].
    ///
    /// # Errors
    /// The disk failed or is damaged.
    pub fn block(&self, height: Height) -> Result<Option<DecidedBlock>, StoreError> {
        let read = self.read_block(height)?;
        Ok(read.map(|(_, block)| block))
    }

    fn read_block(&self, height: Height) -> Result<Option<(Bytes, DecidedBlock)>, StoreError> {
        if height < self.pruned_below()? {
            return Ok(None);
        }
        match self.assemble(height) {
            // It was removed while it was read.
            Err(StoreError::Damaged { .. }) if height < self.pruned_below()? => Ok(None),
            read => read,
        }
    }

    fn assemble(&self, height: Height) -> Result<Option<(Bytes, DecidedBlock)>, StoreError> {
        let Some(decision) = self.decision(height)? else {
            return Ok(None);
        };
        let batches = self.batches_of(&decision)?;
        let bytes = encode_block(&decision, &batches);
        let damaged = |error: &dyn std::error::Error| {
            let (database, key) = (self.database(), keys::height(height));
            database.damaged(Column::Blocks, &key, format!("block {height}: {error}"))
        };
        let block = DecidedBlock::decode(bytes.clone()).map_err(|error| damaged(&error))?;
        let block = block.verify_parts().map_err(|error| damaged(&error))?;
        Ok(Some((bytes, block.into_inner())))
    }

    /// The bytes of a block's batches, by rising chain id; their bodies are not hashed here.
    fn batches_of(&self, decision: &Decision) -> Result<Vec<Bytes>, StoreError> {
        let listed = self.listed(decision.header.height)?.into_iter();
        let batches = listed.map(|(chain_id, seq)| self.batch_of(decision, chain_id, seq));
        batches.collect()
    }

    /// Which batches a block has, by rising chain id.
    pub(crate) fn listed(&self, height: Height) -> Result<Vec<(ChainId, u64)>, StoreError> {
        let (database, prefix) = (self.database(), keys::height(height));
        let entries = database.with_prefix(Column::Heights, &prefix, Direction::Forward);
        let listed = entries.map(|entry| {
            let (key, seq) = entry?;
            let listed = keys::second_number(&key).zip(keys::number(&seq));
            let damaged = || database.damaged(Column::Heights, &key, "names no batch");
            let (chain_id, seq) = listed.ok_or_else(damaged)?;
            Ok((ChainId(chain_id), seq))
        });
        listed.collect()
    }
}

/// `rlp([header, cut, certificate, manifests, [batch, …]])`, as [`DecidedBlock::encode`] does.
fn encode_block(decision: &Decision, batches: &[Bytes]) -> Bytes {
    let batches: Vec<&[u8]> = batches.iter().map(Bytes::as_ref).collect();
    let parts: [&dyn Encodable; 4] = [
        &decision.header,
        &decision.cut,
        &decision.certificate,
        &decision.manifests,
    ];
    let lengths = parts.iter().map(|part| part.length());
    let list = ListHeader {
        list: true,
        payload_length: lengths.sum::<usize>() + alloy_rlp::list_length::<&[u8], [u8]>(&batches),
    };
    let mut out = Vec::with_capacity(list.length_with_payload());
    list.encode(&mut out);
    for part in parts {
        part.encode(&mut out);
    }
    alloy_rlp::encode_list::<&[u8], [u8]>(&batches, &mut out);
    out.into()
}

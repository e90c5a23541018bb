//! From one state to the next by what a decided block says, and by nothing else (S2).

use alloy_primitives::Address;
use cloverleaf_types::{Batch, Block, ChainId, ControlTransaction, CutEntry, Head, Header};

use super::{Metering, State};
use crate::error::BlockError;

/// Applies a block whose header is certified and whose batches agree with themselves. That they are
/// the header's is seen here, by the heads that they lead to.
///
/// # Errors
/// The block does not follow from `parent`. When it [is of the batches](BlockError::is_of_batches),
/// their sender is at fault and another has the true ones; otherwise this node or the network is broken
/// and must stop.
pub fn apply(parent: &State, block: &Block) -> Result<State, BlockError> {
    let header = &block.header;
    check_position(parent, header)?;
    for batch in &block.batches {
        check_batch(parent, batch)?;
    }
    let next = parent.advanced(header, &block.cut, &block.batches)?;
    let mismatch = |field| {
        Err(BlockError::Mismatch {
            height: header.height,
            field,
        })
    };
    if next.heads_root() != header.heads_root {
        let height = header.height;
        return Err(BlockError::OtherHeads { height });
    }
    if next.root() != header.state_root {
        return mismatch("state_root");
    }
    if next.validators.hash() != header.next_validators_hash {
        return mismatch("next_validators_hash");
    }
    Ok(next.at_block(header))
}

impl State {
    /// The state after a block, before the block's hash is known.
    pub(crate) fn advanced(
        &self,
        header: &Header,
        cut: &[CutEntry],
        batches: &[Batch],
    ) -> Result<Self, BlockError> {
        let mut next = self.clone();
        for batch in batches {
            next.enact_all(batch)?; // S1, by the state before the block
        }
        next.height = header.height;
        next.timestamp_ms = header.timestamp_ms;
        next.l1 = header.l1;
        next.rotate_validators();
        next.mark_absent(header.height, self.missed_proposers(header.round));
        for entry in cut {
            let height = header.height;
            let author = self
                .author_of(entry)
                .ok_or(BlockError::UnknownLane { height })?;
            next.cut_lane(author, entry);
        }
        for batch in batches {
            next.append(batch)?;
        }
        next.forget_departed();
        Ok(next)
    }

    /// Does what chain 0's batch says: every control transaction that was placed was allowed.
    fn enact_all(&mut self, batch: &Batch) -> Result<(), BlockError> {
        let height = batch.header().height;
        if batch.header().chain_id != ChainId::CONTROL {
            return Ok(());
        }
        for (position, raw) in batch.transactions().iter().enumerate() {
            let refused = |source| BlockError::Control {
                height,
                position,
                source,
            };
            let transaction = ControlTransaction::decode(raw);
            let transaction = transaction.map_err(|error| refused(error.into()))?;
            self.enact(transaction.claimed()).map_err(refused)?;
        }
        Ok(())
    }

    /// Names the block that made this state.
    pub(crate) fn at_block(mut self, header: &Header) -> Self {
        self.block_hash = header.hash();
        self
    }

    fn cut_lane(&mut self, author: Address, entry: &CutEntry) {
        let last_cut = super::LastCut {
            epoch: entry.epoch,
            seq: entry.seq,
            hash: entry.parcel_hash,
            seen: entry.seen,
        };
        self.lanes.insert(author, last_cut);
        // O3: the author knows what was closed, and seals no more than what fits.
        let of_author = (author, ChainId(0))..=(author, ChainId(u64::MAX));
        self.closed
            .extract_if(of_author, |_, closed_at| entry.seen >= *closed_at)
            .for_each(drop);
        self.end_absence(author, entry);
    }

    fn append(&mut self, batch: &Batch) -> Result<(), BlockError> {
        let header = batch.header();
        let index =
            *self
                .index_of_rollup
                .get(&header.chain_id)
                .ok_or(BlockError::UnknownRollup {
                    height: header.height,
                    chain_id: header.chain_id,
                })?;
        let rollup = &mut self.rollups[index];
        rollup.head = Head::of(header);
        let before = rollup.metering;
        rollup.metering = Metering {
            batches: before.batches + 1,
            transactions: before.transactions + u64::from(header.count),
            bytes: before.bytes + header.bytes,
            legs: before.legs + u64::try_from(batch.spans().len()).expect("fits 64 bits"),
        };
        self.heads.set(index, rollup.head.leaf_hash());
        for author in &header.full {
            self.closed
                .insert((*author, header.chain_id), header.height);
        }
        Ok(())
    }
}

fn check_position(parent: &State, header: &Header) -> Result<(), BlockError> {
    let height = header.height;
    let mismatch = |field| Err(BlockError::Mismatch { height, field });
    if header.network != parent.network {
        return mismatch("network");
    }
    if height != parent.height.next() {
        return Err(BlockError::OutOfOrder {
            height,
            expected: parent.height.next(),
        });
    }
    if header.parent != parent.block_hash {
        return mismatch("parent");
    }
    if header.timestamp_ms <= parent.timestamp_ms {
        return mismatch("timestamp_ms");
    }
    if header.validators_hash != parent.validators.hash() {
        return mismatch("validators_hash");
    }
    Ok(())
}

fn check_batch(parent: &State, batch: &Batch) -> Result<(), BlockError> {
    let header = batch.header();
    let (height, chain_id) = (header.height, header.chain_id);
    let rollup = parent
        .rollup(chain_id)
        .ok_or(BlockError::UnknownRollup { height, chain_id })?;
    let follows = header.seq == rollup.head.seq + 1
        && header.prev_batch_hash == rollup.head.batch_hash
        && header.count > 0;
    if follows {
        Ok(())
    } else {
        Err(BlockError::BatchChain { height, chain_id })
    }
}

//! Decided blocks and batches, as they are stored.

use cloverleaf_api::error::{RpcError, hex};
use cloverleaf_api::json::{At, Batch, Block};
use cloverleaf_api::reason::Reason;
use cloverleaf_storage::{Store, StoredBatch};
use cloverleaf_types::{ChainId, DecidedBlock, Height};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Desk, broken, known, unreadable};

impl Desk {
    /// A block as interfaces show it, in JSON; nothing above the latest.
    ///
    /// # Errors
    /// The block was pruned, or the store failed.
    pub(crate) async fn shown_block(&self, at: At) -> Result<Option<Box<RawValue>>, RpcError> {
        let height = match at {
            At::Latest => self.handle.state().height(),
            At::Number(height) => Height(height),
        };
        let shown = move |store: &Store| {
            let found = block(store, height)?;
            found.map(|found| written(&Block::of(&found))).transpose()
        };
        self.read(shown).await
    }

    /// A rollup's batch; nothing above the latest.
    ///
    /// # Errors
    /// The rollup is not registered, the batch was pruned, or the store failed.
    pub(crate) async fn batch(
        &self,
        chain_id: ChainId,
        at: At,
    ) -> Result<Option<StoredBatch>, RpcError> {
        let latest = known(&self.handle.state(), chain_id)?.head.seq;
        let seq = match at {
            At::Latest => latest,
            At::Number(seq) => seq,
        };
        let found = self.read(move |store| batch(store, chain_id, seq)).await?;
        if found.is_none() && (1..=latest).contains(&seq) {
            return Err(pruned(seq, latest + 1)); // all that there were
        }
        Ok(found)
    }

    /// A rollup's batch as interfaces show it, in JSON; nothing above the latest.
    ///
    /// # Errors
    /// The same; what is stored does not hold together.
    pub(crate) async fn shown_batch(
        &self,
        chain_id: ChainId,
        at: At,
    ) -> Result<Option<Box<RawValue>>, RpcError> {
        let Some(stored) = self.batch(chain_id, at).await? else {
            return Ok(None);
        };
        let shown = move |_: &Store| {
            let batch = cloverleaf_types::Batch::decode(stored.bytes).map_err(broken)?;
            written(&Batch::of(batch.claimed(), &stored.decision.manifests))
        };
        self.read(shown).await.map(Some)
    }
}

/// A shape in JSON. Of a full block that takes longer than async threads may.
fn written<T: Serialize>(shape: &T) -> Result<Box<RawValue>, RpcError> {
    let text = serde_json::value::to_raw_value(shape);
    text.map_err(|error| RpcError::because(Reason::Internal, error))
}

fn block(store: &Store, height: Height) -> Result<Option<DecidedBlock>, RpcError> {
    let found = store.block(height).map_err(unreadable)?;
    if found.is_some() || height == Height::GENESIS {
        return Ok(found);
    }
    match store.first_height().map_err(unreadable)? {
        Some(first) if height < first => Err(pruned(height.0, first.0)),
        _ => Ok(None),
    }
}

fn batch(store: &Store, chain_id: ChainId, seq: u64) -> Result<Option<StoredBatch>, RpcError> {
    let found = store.batch(chain_id, seq).map_err(unreadable)?;
    if found.is_some() || seq == 0 {
        return Ok(found);
    }
    match store.first_available(chain_id).map_err(unreadable)? {
        Some(first) if seq < first => Err(pruned(seq, first)),
        _ => Ok(None),
    }
}

/// A position that this node no longer has.
pub(crate) fn pruned(asked: u64, first_available: u64) -> RpcError {
    let detail = format_args!("{asked} is gone, the first is {first_available}");
    RpcError::because(Reason::Pruned, detail).with("firstAvailable", hex(first_available))
}

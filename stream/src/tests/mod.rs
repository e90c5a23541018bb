//! Streams over a storage in memory.

mod behaviour;
mod gap_free;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cloverleaf_types::{B256, ChainId, CommitCertificate, Header, Height, Round};

use crate::{
    BatchSource, BlockSource, Hub, Limits, Positioned, Read, SourceError, StreamBlock, StreamItem,
};

/// What is durable: blocks, and each rollup's batches.
#[derive(Default)]
struct Memory {
    durable: Mutex<Durable>,
}

#[derive(Default)]
struct Durable {
    blocks: Vec<Arc<StreamBlock>>,
    batches: BTreeMap<ChainId, Vec<Arc<StreamItem>>>,
    first_available: u64,
    /// Answers as if nothing had been written.
    forgets: bool,
}

impl Memory {
    /// A storage that knows the rollups 1 to `rollups`.
    fn new(rollups: u64) -> Arc<Self> {
        let memory = Self::default();
        let batches = (1..=rollups).map(|chain_id| (ChainId(chain_id), Vec::new()));
        memory.durable.lock().unwrap().batches = batches.collect();
        Arc::new(memory)
    }

    fn hub(self: &Arc<Self>, limits: Limits) -> Hub {
        let (batches, blocks) = (Arc::clone(self), Arc::clone(self));
        Hub::new(batches, blocks, limits).unwrap()
    }

    /// Writes a block with a batch for each of these rollups; what is returned can be announced.
    fn commit(&self, rollups: &[ChainId]) -> (Height, Vec<Arc<StreamItem>>) {
        let mut durable = self.durable.lock().unwrap();
        let height = Height(u64::try_from(durable.blocks.len()).unwrap() + 1);
        let encoded = Bytes::from(height.to_string());
        durable
            .blocks
            .push(Arc::new(StreamBlock { height, encoded }));
        let items: Vec<_> = rollups
            .iter()
            .map(|chain_id| {
                let batches = durable.batches.get_mut(chain_id).unwrap();
                let seq = u64::try_from(batches.len()).unwrap() + 1;
                let item = Arc::new(item(*chain_id, seq, height));
                batches.push(Arc::clone(&item));
                item
            })
            .collect();
        (height, items)
    }
}

fn item(chain_id: ChainId, seq: u64, height: Height) -> StreamItem {
    let header = Header {
        version: Header::VERSION,
        network: B256::ZERO,
        height,
        round: Round::FIRST,
        timestamp_ms: height.0,
        parent: B256::ZERO,
        l1: Default::default(),
        cut_hash: B256::ZERO,
        heads_root: B256::ZERO,
        bundles_root: B256::ZERO,
        state_root: B256::ZERO,
        validators_hash: B256::ZERO,
        next_validators_hash: B256::ZERO,
    };
    let certificate = CommitCertificate {
        height,
        round: Round::FIRST,
        block_hash: header.hash(),
        signatures: Vec::new(),
    };
    StreamItem {
        chain_id,
        seq,
        batch: Bytes::from(format!("batch {seq} of rollup {chain_id}")),
        header: Arc::new(header),
        certificate: Arc::new(certificate),
        branch: Vec::new(),
        bundles: Vec::new(),
    }
}

/// The items from a position on while they fit, or that there is none.
fn page<T: Positioned>(items: &[Arc<T>], from: u64, most: (usize, usize)) -> Read<T> {
    let (items_max, bytes_max) = most;
    let skipped = usize::try_from(from - 1).unwrap();
    let (mut page, mut bytes) = (Vec::new(), 0_usize);
    for item in items.iter().skip(skipped).take(items_max) {
        bytes = bytes.saturating_add(item.memory_bytes());
        if bytes > bytes_max && !page.is_empty() {
            break;
        }
        page.push(Arc::clone(item));
    }
    if page.is_empty() {
        Read::AtTip
    } else {
        Read::Items(page)
    }
}

impl BatchSource for Memory {
    fn head(&self, chain_id: ChainId) -> Result<Option<u64>, SourceError> {
        let durable = self.durable.lock().unwrap();
        let batches = durable.batches.get(&chain_id);
        Ok(batches.map(|batches| u64::try_from(batches.len()).unwrap()))
    }

    fn read(
        &self,
        chain_id: ChainId,
        from_seq: u64,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Read<StreamItem>, SourceError> {
        let durable = self.durable.lock().unwrap();
        let first_available = durable.first_available;
        if durable.forgets {
            return Ok(Read::AtTip);
        }
        if from_seq < first_available {
            return Ok(Read::Pruned { first_available });
        }
        let batches = durable.batches.get(&chain_id);
        let batches = batches.ok_or_else(|| SourceError::new("an unknown rollup was read"))?;
        Ok(page(batches, from_seq, (items_max, bytes_max)))
    }
}

impl BlockSource for Memory {
    fn tip(&self) -> Result<Height, SourceError> {
        let durable = self.durable.lock().unwrap();
        Ok(Height(u64::try_from(durable.blocks.len()).unwrap()))
    }

    fn read_blocks(
        &self,
        from: Height,
        items_max: usize,
        bytes_max: usize,
    ) -> Result<Read<StreamBlock>, SourceError> {
        let durable = self.durable.lock().unwrap();
        let (blocks, first_available) = (&durable.blocks, durable.first_available);
        if from.0 < first_available {
            return Ok(Read::Pruned { first_available });
        }
        Ok(page(blocks, from.0, (items_max, bytes_max)))
    }
}

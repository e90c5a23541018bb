//! Makes a decided block durable.

use std::collections::BTreeMap;

use cloverleaf_types::merkle::Branch;
use cloverleaf_types::{B256, Batch, DecidedBlock, Height, Manifest, ManifestLeg, TransactionId};

use crate::batches::Anchor;
use crate::column::Column;
use crate::database::Writes;
use crate::decision::Decision;
use crate::error::StoreError;
use crate::index::BlockPlaces;
use crate::keys;
use crate::places::BundlePlace;
use crate::store::{Store, meta};

/// A decided block, and what was computed with it.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// The block; its certificate was verified.
    pub block: &'a DecidedBlock,
    /// For each batch, the ids of its transactions.
    pub ids: &'a [Vec<TransactionId>],
    /// For each batch, the branch from the head that it makes to the block's `heads_root`.
    pub branches: &'a [Branch],
    /// The replicated state after the block, as the caller encodes it.
    pub state: &'a [u8],
}

impl Store {
    /// Makes a block and the state after it durable (D1), batches included (D5): one write, one sync. Blocks
    /// the thread for as long as the disk takes.
    ///
    /// # Errors
    /// The block is not the next one or its parts are foreign: nothing has changed. The disk
    /// failed: whether the block is durable is known only after opening again, and the process must
    /// end.
    pub fn commit(&self, commit: &Commit<'_>) -> Result<(), StoreError> {
        self.commit_then(commit, || {})
    }

    /// The same; `durable` is called as soon as the block is, while the places of its transactions are still to
    /// be written into their index. They are found already. It must neither write to the store nor panic.
    ///
    /// # Errors
    /// The same; and if `durable` was called, the block is durable all the same.
    pub fn commit_then(
        &self,
        commit: &Commit<'_>,
        durable: impl FnOnce(),
    ) -> Result<(), StoreError> {
        let mut writer = self.writer();
        if writer.stopped {
            let path = self.database().path().to_path_buf();
            return Err(StoreError::Stopped { path });
        }
        let decision = Decision::of(commit.block);
        let hash = decision.header.hash();
        self.check_follows(&decision)?;
        commit.check(self, &decision)?;
        let (writes, places) = (
            self.writes(commit, &decision, hash),
            BlockPlaces::of(commit),
        );
        let written = self.database().write_synced(writes).and_then(|()| {
            let places = self.show_places(places);
            self.set_tip((commit.block.height(), hash));
            durable();
            self.index_shown(&places)
        });
        writer.stopped = written.is_err();
        written
    }

    fn check_follows(&self, decision: &Decision) -> Result<(), StoreError> {
        let (tip, tip_hash) = self.tip().unwrap_or((Height::GENESIS, self.network()));
        let (height, parent) = (decision.header.height, decision.header.parent);
        if height != tip.next() {
            return Err(StoreError::NotNext {
                expected: tip.next(),
                found: height,
            });
        }
        if parent != tip_hash {
            return Err(StoreError::OtherParent {
                height,
                found: parent,
                expected: tip_hash,
            });
        }
        Ok(())
    }

    fn writes(&self, commit: &Commit<'_>, decision: &Decision, hash: B256) -> Writes<'_> {
        let height = decision.header.height;
        let mut writes = self.database().writes();
        let record = alloy_rlp::encode(decision);
        writes.put(Column::Blocks, &keys::height(height), &record);
        for (batch, (_, branch)) in commit.batches() {
            put_batch(&mut writes, batch, branch);
        }
        for manifest in &decision.manifests {
            let index = manifest.index;
            let place = keys::bundle_place(&BundlePlace { height, index });
            let hash = manifest.bundle_hash();
            writes.put(Column::Bundles, hash.as_slice(), &place);
        }
        writes.put(Column::Meta, meta::STATE, commit.state);
        writes.put(Column::Meta, meta::TIP, &keys::tip(height, hash));
        writes
    }
}

impl<'a> Commit<'a> {
    fn batches(&self) -> impl Iterator<Item = (&'a Batch, (&'a Vec<TransactionId>, &'a Branch))> {
        let computed = self.ids.iter().zip(self.branches);
        self.block.block.batches.iter().zip(computed)
    }

    /// What is written must read back: the same checks as those of reads.
    fn check(&self, store: &Store, decision: &Decision) -> Result<(), StoreError> {
        let height = decision.header.height;
        let foreign = |what| Err(StoreError::Foreign { height, what });
        let batches = self.block.block.batches.len();
        if self.ids.len() != batches || self.branches.len() != batches {
            return foreign("ids and branches");
        }
        if !decision.is_of(store.network(), height) {
            return foreign("network, cut, certificate or manifests");
        }
        let mut climb = decision.climb();
        for (batch, (ids, branch)) in self.batches() {
            if u32::try_from(ids.len()) != Ok(batch.header().count) {
                return foreign("ids");
            }
            if !decision.has_batch_by(batch.header(), branch, &mut climb) {
                return foreign("batches");
            }
        }
        match first_torn(&self.block.block.manifests, &self.block.block.batches) {
            Some(bundle) => Err(StoreError::Torn { height, bundle }),
            None => Ok(()),
        }
    }
}

/// B5: a block places all legs of a bundle, each where its manifest says, and no batch shows a leg of
/// a bundle that the block does not have. The first bundle for which that is not so; nobody's, when a
/// span names no manifest.
fn first_torn(manifests: &[Manifest], batches: &[Batch]) -> Option<B256> {
    let mut missing: BTreeMap<(u32, u32), (&Manifest, &ManifestLeg)> = BTreeMap::new();
    for (index, manifest) in (0..).zip(manifests) {
        if manifest.index != index {
            return Some(manifest.bundle_hash());
        }
        let legs = (0..).zip(&manifest.legs);
        missing.extend(legs.map(|(leg, placed)| ((index, leg), (manifest, placed))));
    }
    for batch in batches {
        let header = batch.header();
        for span in batch.spans() {
            let Some((manifest, leg)) = missing.remove(&(span.manifest, span.leg)) else {
                let named = manifests.iter().find(|it| it.index == span.manifest);
                return Some(named.map_or(B256::ZERO, Manifest::bundle_hash));
            };
            let promised = (leg.chain_id, leg.seq, leg.first, leg.count);
            let shown = (header.chain_id, header.seq, span.first, span.count);
            let is_whole = usize::try_from(span.legs) == Ok(manifest.legs.len());
            if promised != shown || !is_whole {
                return Some(manifest.bundle_hash());
            }
        }
    }
    let mut left = missing.into_values();
    left.next().map(|(manifest, _)| manifest.bundle_hash())
}

fn put_batch(writes: &mut Writes<'_>, batch: &Batch, branch: &Branch) {
    let header = batch.header();
    let key = keys::rollup_seq(header.chain_id, header.seq);
    writes.put(Column::Batches, &key, batch.encoded());
    let anchor = Anchor {
        height: header.height,
        branch: branch.clone(),
    };
    writes.put(Column::Branches, &key, &alloy_rlp::encode(&anchor));
    let key = keys::height_rollup(header.height, header.chain_id);
    writes.put(Column::Heights, &key, &header.seq.to_be_bytes());
}

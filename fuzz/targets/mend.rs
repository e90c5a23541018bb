//! Hashes stop a fuzzer: no change that it makes to a parcel or block leaves them right. Here they are
//! made right again, so that what lies behind them is reached with contents that it made up.

use cloverleaf_bundle::State;
use cloverleaf_types::batch::BatchDraft;
use cloverleaf_types::cut::cut_hash;
use cloverleaf_types::item::leg_hash;
use cloverleaf_types::limits::{BATCH_BYTES_MAX, PARCEL_BYTES_MAX, PARCEL_WEIGHT_MAX};
use cloverleaf_types::manifest::bundles_tree;
use cloverleaf_types::{
    B256, Batch, Block, DecidedBlock, Head, L1Ref, Manifest, Parcel, ParcelDraft, Signer,
};

/// What an author fills in to seal these items.
pub fn draft_of(parcel: &Parcel) -> ParcelDraft {
    let header = parcel.header();
    ParcelDraft {
        network: header.network,
        slot: header.slot(),
        prev: header.prev,
        seen: header.seen,
        time_ms: header.time_ms,
        items: parcel.items().to_vec(),
    }
}

/// The parcel sealed anew, if it is one that an author may seal.
pub fn sealed(parcel: &Parcel, signer: &dyn Signer) -> Option<Parcel> {
    // Some bytes more than the header that it comes with now may have.
    let fits = parcel.encoded().len() + 64 < PARCEL_BYTES_MAX;
    let may_be = fits && parcel.weight() <= PARCEL_WEIGHT_MAX;
    may_be.then(|| Parcel::seal(draft_of(parcel), signer).into_inner())
}

/// The batch built anew, in another place if `at` says so.
pub fn built(batch: &Batch, at: impl FnOnce(&mut BatchDraft)) -> Batch {
    let header = batch.header().clone();
    let mut draft = BatchDraft {
        chain_id: header.chain_id,
        seq: header.seq,
        prev_batch_hash: header.prev_batch_hash,
        height: header.height,
        timestamp_ms: header.timestamp_ms,
        l1: header.l1,
        full: header.full,
    };
    at(&mut draft);
    let ids: Vec<B256> = batch.ids();
    let raws = batch.transactions().to_vec();
    Batch::build(draft, batch.spans().to_vec(), raws, &ids).into_inner()
}

/// True if a batch may be built of these transactions.
pub fn may_be_built(batch: &Batch) -> bool {
    let lengths = batch.transactions().iter().map(|raw| raw.len());
    lengths.sum::<usize>() <= BATCH_BYTES_MAX
}

/// The block after `parent` with this cut, these manifests and these transactions.
pub fn next_block(parent: &State, decided: &DecidedBlock) -> DecidedBlock {
    let mut block = decided.block.clone();
    let header = &mut block.header;
    header.version = 1;
    header.network = parent.network();
    header.height = parent.height().next();
    header.parent = parent.block_hash();
    header.l1 = L1Ref::default();
    header.validators_hash = parent.validators().hash();
    header.cut_hash = cut_hash(&block.cut);
    let (height, timestamp_ms) = (header.height, header.timestamp_ms);
    let batches = block.batches.iter().filter(|batch| may_be_built(batch));
    block.batches = batches
        .map(|batch| {
            let chain_id = batch.header().chain_id;
            let head = parent.rollup(chain_id).map(|rollup| rollup.head);
            let head = head.unwrap_or(Head::empty(parent.network(), chain_id));
            built(batch, |draft| {
                draft.seq = head.seq + 1;
                draft.prev_batch_hash = head.batch_hash;
                (draft.height, draft.timestamp_ms) = (height, timestamp_ms);
                draft.l1 = L1Ref::default();
            })
        })
        .collect();
    let manifests = (0..).zip(&block.manifests);
    block.manifests = manifests
        .map(|(index, it)| placed(&block, index, it))
        .collect();
    block.header.bundles_root = bundles_tree(&block.manifests).root();
    let mut certificate = decided.certificate.clone();
    (certificate.height, certificate.block_hash) = (height, block.hash());
    DecidedBlock { block, certificate }
}

/// The manifest with the hashes of what its legs name in the block.
fn placed(block: &Block, index: u32, manifest: &Manifest) -> Manifest {
    let mut placed = Manifest {
        index,
        ..manifest.clone()
    };
    for leg in &mut placed.legs {
        let Some(batch) = block.batch(leg.chain_id) else {
            continue;
        };
        let ids = batch
            .ids()
            .into_iter()
            .skip(leg.first as usize)
            .take(leg.count as usize);
        leg.leg_hash = leg_hash(leg.chain_id, &ids.collect::<Vec<_>>());
        leg.seq = batch.header().seq;
    }
    placed
}

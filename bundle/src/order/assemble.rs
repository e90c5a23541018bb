//! From placed legs to a block and the state after it.

use alloy_primitives::B256;
use cloverleaf_types::cut::cut_hash;
use cloverleaf_types::manifest::bundles_tree;
use cloverleaf_types::{Batch, BatchDraft, Block, Header, Plan, TransactionId};

use super::place::Placed;
use super::room::Draft;
use super::{Ordered, side_by_side};
use crate::state::{RollupState, State};

pub(super) fn assemble(parent: &State, plan: &Plan, placed: Placed<'_>) -> Ordered {
    let drafts = placed.drafts;
    let bytes = drafts.iter().map(|(_, draft)| draft.bytes()).sum();
    let build = |(rollup, draft)| build_batch(rollup, plan, draft);
    let built = side_by_side::each(drafts, side_by_side::cores(bytes), build);
    let (batches, ids): (Vec<Batch>, Vec<_>) = built.into_iter().unzip();
    let mut header = Header {
        version: Header::VERSION,
        network: parent.network(),
        height: plan.height,
        round: plan.round,
        timestamp_ms: plan.timestamp_ms,
        parent: parent.block_hash(),
        l1: plan.l1,
        cut_hash: cut_hash(&plan.cut),
        heads_root: B256::ZERO,
        bundles_root: bundles_tree(&placed.manifests).root(),
        state_root: B256::ZERO,
        validators_hash: parent.validators().hash(),
        next_validators_hash: parent.next_validators().hash(),
    };
    let state = parent
        .advanced(&header, &plan.cut, &batches)
        .expect("batches of registered rollups, cut of existing lanes");
    header.heads_root = state.heads_root();
    header.state_root = state.root();
    let branches = batches
        .iter()
        .map(|batch| {
            state
                .head_branch(batch.header().chain_id)
                .expect("the rollup is registered")
        })
        .collect();
    let state = state.at_block(&header);
    let block = Block {
        header,
        cut: plan.cut.clone(),
        manifests: placed.manifests,
        batches,
    };
    Ordered {
        block,
        state,
        ids,
        branches,
        drops: placed.drops,
    }
}

fn build_batch(
    rollup: &RollupState,
    plan: &Plan,
    mut draft: Draft<'_>,
) -> (Batch, Vec<TransactionId>) {
    draft.full.sort_unstable();
    let head = rollup.head;
    let of_block = BatchDraft {
        chain_id: rollup.rollup.chain_id,
        seq: head.seq + 1,
        prev_batch_hash: head.batch_hash,
        height: plan.height,
        timestamp_ms: plan.timestamp_ms,
        l1: plan.l1,
        full: draft.full,
    };
    let batch = Batch::build_over(of_block, draft.spans, &draft.transactions, draft.leaves);
    (batch.into_inner(), draft.ids)
}

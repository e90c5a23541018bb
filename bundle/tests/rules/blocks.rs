//! S2: blocks that do not follow from the state before them, one for each rule.

use cloverleaf_bundle::{BlockError, ControlError, apply};
use cloverleaf_types::{B256, Batch, BatchDraft, Block, ChainId, Header, Height, Round};

use crate::support::network::BLOCK_MS;
use crate::support::{Network, bundle, rollup, tx};

const HEIGHT: Height = Height(2);

/// A network at height 1, and a block that follows.
fn network() -> (Network, Block) {
    let mut network = Network::new(2, vec![rollup(901), rollup(902)]);
    network.place(vec![tx(901, 1)]);
    network.seal(0, vec![bundle(&[(901, &[2]), (902, &[3])])]);
    let block = network.order(&network.propose()).block;
    (network, block)
}

fn assert_refused(change: impl Fn(&mut Block), error: &BlockError) {
    let (network, mut block) = network();
    assert!(apply(&network.state, &block).is_ok());
    change(&mut block);
    assert_eq!(apply(&network.state, &block).as_ref(), Err(error));
}

fn assert_mismatch(field: &'static str, change: impl Fn(&mut Header)) {
    let height = HEIGHT;
    let error = BlockError::Mismatch { height, field };
    assert_refused(|block| change(&mut block.header), &error);
}

#[test]
fn block_that_is_not_the_next_is_out_of_order() {
    for height in [Height(1), Height(3)] {
        let error = BlockError::OutOfOrder {
            height,
            expected: HEIGHT,
        };
        assert_refused(|block| block.header.height = height, &error);
    }
}

#[test]
fn header_that_does_not_follow_from_the_state_is_refused_by_its_field() {
    let other = B256::repeat_byte(1);
    assert_mismatch("network", |header| header.network = other);
    assert_mismatch("parent", |header| header.parent = other);
    assert_mismatch("timestamp_ms", |header| header.timestamp_ms = 0);
    assert_mismatch("timestamp_ms", |header| header.timestamp_ms -= BLOCK_MS);
    assert_mismatch("validators_hash", |header| header.validators_hash = other);
    assert_mismatch("state_root", |header| header.state_root = other);
    assert_mismatch("next_validators_hash", |header| {
        header.next_validators_hash = other
    });
}

#[test]
fn block_that_hides_who_was_absent_or_how_far_a_lane_went_has_another_state() {
    let height = HEIGHT;
    assert_mismatch("state_root", |header| header.timestamp_ms += 1);
    let error = BlockError::Mismatch {
        height,
        field: "state_root",
    };
    assert_refused(|block| block.cut.clear(), &error);
    assert_refused(|block| block.cut[0].seq += 1, &error);
    let network = Network::new(4, vec![]);
    let mut block = network.order(&network.propose()).block;
    block.header.round = Round(1);
    let error = BlockError::Mismatch {
        height: Height(1),
        field: "state_root",
    };
    assert_eq!(apply(&network.state, &block), Err(error));
}

#[test]
fn cut_of_a_lane_that_nobody_has_is_refused() {
    let error = BlockError::UnknownLane { height: HEIGHT };
    assert_refused(|block| block.cut[0].lane = 2, &error);
}

/// A batch of one transaction that claims to be rollup `chain_id`'s number `seq`.
fn batch(block: &Block, chain_id: u64, seq: u64, prev_batch_hash: B256) -> Batch {
    let header = block.batches[0].header();
    let draft = BatchDraft {
        chain_id: ChainId(chain_id),
        seq,
        prev_batch_hash,
        height: header.height,
        timestamp_ms: header.timestamp_ms,
        l1: header.l1,
        full: Vec::new(),
    };
    let raws = block.batches[0].transactions().to_vec();
    let ids: Vec<B256> = block.batches[0].ids();
    Batch::build(draft, Vec::new(), raws, &ids).into_inner()
}

#[test]
fn batch_of_a_rollup_that_is_not_registered_is_refused() {
    let error = BlockError::UnknownRollup {
        height: HEIGHT,
        chain_id: ChainId(999),
    };
    let change = |block: &mut Block| block.batches[1] = batch(block, 999, 1, B256::ZERO);
    assert_refused(change, &error);
}

#[test]
fn batch_that_does_not_continue_its_rollups_chain_is_refused() {
    let error = BlockError::BatchChain {
        height: HEIGHT,
        chain_id: ChainId(901),
    };
    let prev = |block: &Block| block.batches[0].header().prev_batch_hash;
    assert_refused(
        |block| block.batches[0] = batch(block, 901, 1, prev(block)),
        &error,
    );
    assert_refused(
        |block| block.batches[0] = batch(block, 901, 3, prev(block)),
        &error,
    );
    assert_refused(
        |block| block.batches[0] = batch(block, 901, 2, B256::ZERO),
        &error,
    );
}

#[test]
fn empty_batch_is_refused() {
    let error = BlockError::BatchChain {
        height: HEIGHT,
        chain_id: ChainId(901),
    };
    let change = |block: &mut Block| {
        let header = block.batches[0].header();
        let draft = BatchDraft {
            chain_id: header.chain_id,
            seq: header.seq,
            prev_batch_hash: header.prev_batch_hash,
            height: header.height,
            timestamp_ms: header.timestamp_ms,
            l1: header.l1,
            full: Vec::new(),
        };
        block.batches[0] = Batch::build(draft, Vec::new(), Vec::new(), &[]).into_inner();
    };
    assert_refused(change, &error);
}

#[test]
fn batch_left_out_leads_to_other_heads() {
    let error = BlockError::OtherHeads { height: HEIGHT };
    assert_refused(|block| drop(block.batches.pop()), &error);
    let other = B256::repeat_byte(1);
    assert_refused(|block| block.header.heads_root = other, &error);
}

#[test]
fn other_batches_under_a_header_are_told_from_a_header_that_does_not_follow() {
    let (height, chain_id) = (HEIGHT, ChainId(901));
    let of_batches = [
        BlockError::OtherHeads { height },
        BlockError::BatchChain { height, chain_id },
        BlockError::UnknownRollup { height, chain_id },
        BlockError::Control {
            height,
            position: 0,
            source: ControlError::ControlChain,
        },
    ];
    assert!(of_batches.iter().all(BlockError::is_of_batches));
    let of_header = [
        BlockError::UnknownLane { height },
        BlockError::Mismatch {
            height,
            field: "state_root",
        },
        BlockError::OutOfOrder {
            height,
            expected: height,
        },
    ];
    assert!(!of_header.iter().any(BlockError::is_of_batches));
}

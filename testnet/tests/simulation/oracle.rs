//! The checker itself: true blocks pass, doctored ones do not.

use std::sync::Arc;

use cloverleaf_testnet::checker::streams::Streams;
use cloverleaf_testnet::checker::window::Window;
use cloverleaf_testnet::checker::{ChainChecker, SignatureWatch, Violation, atomicity};
use cloverleaf_testnet::simulation::{Config, Memo, Simulation, keys};
use cloverleaf_types::vote::vote_digest;
use cloverleaf_types::{
    Address, B256, CommitSignature, DecidedBlock, Genesis, Height, Signer as _, VoteKind,
};

/// A network's blocks, with bundles among them.
fn blocks() -> (Genesis, Vec<DecidedBlock>) {
    let mut network = Simulation::new(Config::calm(77));
    network.start().unwrap();
    network.run_until(60_000, |it| it.height() >= 15).unwrap();
    let blocks = network.blocks().to_vec();
    assert!(blocks.iter().any(|it| !it.block.manifests.is_empty()));
    (network.genesis().clone(), blocks)
}

/// Judges blocks as those of one node.
fn judge(genesis: &Genesis, blocks: &[DecidedBlock]) -> Result<(), Violation> {
    let mut chain = ChainChecker::new(genesis, Arc::new(Memo::default()));
    let mut streams = Streams::new(genesis);
    let mut window = Window::new(genesis.parameters.replay_window_ms);
    for decided in blocks {
        chain.decided(Address::ZERO, decided)?;
        streams.follow(&decided.block)?;
        atomicity::check(&decided.block)?;
        window.follow(&decided.block)?;
    }
    Ok(())
}

/// What the checker says when the first block that suits was doctored.
fn doctored(
    suits: impl Fn(&DecidedBlock) -> bool,
    doctor: impl FnOnce(&mut DecidedBlock),
) -> Violation {
    let (genesis, mut blocks) = blocks();
    let found = blocks
        .iter_mut()
        .find(|it| suits(it))
        .expect("a block that suits");
    doctor(found);
    judge(&genesis, &blocks).expect_err("it was doctored")
}

fn has_bundle(decided: &DecidedBlock) -> bool {
    !decided.block.manifests.is_empty()
}

fn is_late(decided: &DecidedBlock) -> bool {
    decided.height() > Height(5) && !decided.block.batches.is_empty()
}

#[test]
fn true_blocks_pass() {
    let (genesis, blocks) = blocks();
    assert_eq!(judge(&genesis, &blocks), Ok(()));
}

#[test]
fn certificate_with_too_few_or_false_signatures_is_found() {
    let short = doctored(is_late, |it| it.certificate.signatures.truncate(2));
    assert!(matches!(short, Violation::Certificate { .. }), "{short}");
    let twice = doctored(is_late, |it| {
        let first = it.certificate.signatures[0];
        it.certificate.signatures = vec![first; 3];
    });
    assert!(matches!(twice, Violation::Certificate { .. }), "{twice}");
    let moved = doctored(is_late, |it| it.certificate.round.0 += 1);
    assert!(matches!(moved, Violation::Certificate { .. }), "{moved}");
}

#[test]
fn header_that_nobody_signed_is_found() {
    let later = doctored(is_late, |it| it.block.header.timestamp_ms += 1);
    assert!(matches!(later, Violation::Certificate { .. }), "{later}");
}

#[test]
fn node_that_leaves_a_height_out_is_found() {
    let (genesis, blocks) = blocks();
    let mut chain = ChainChecker::new(&genesis, Arc::new(Memo::default()));
    let missed = chain.decided(Address::ZERO, &blocks[1]);
    assert!(
        matches!(missed, Err(Violation::OutOfOrder { .. })),
        "{missed:?}"
    );
}

#[test]
fn two_certified_blocks_at_one_height_are_found() {
    let (genesis, blocks) = blocks();
    let mut other = blocks[0].clone();
    other.block.header.timestamp_ms += 1;
    let hash = other.block.header.hash();
    let certificate = &mut other.certificate;
    certificate.block_hash = hash;
    let (height, round) = (certificate.height, certificate.round);
    let kind = VoteKind::Precommit;
    let digest = vote_digest(genesis.network(), height, round, kind, Some(hash));
    certificate.signatures = (0_u32..)
        .zip(keys(genesis.validators.len()))
        .map(|(index, key)| CommitSignature {
            index,
            signature: key.sign(digest),
        })
        .collect();
    let mut chain = ChainChecker::new(&genesis, Arc::new(Memo::default()));
    chain.decided(Address::ZERO, &blocks[0]).unwrap();
    let found = chain.decided(Address::repeat_byte(1), &other);
    assert!(
        matches!(found, Err(Violation::Disagreement { .. })),
        "{found:?}"
    );
}

#[test]
fn node_that_forgets_a_block_is_found() {
    let (genesis, blocks) = blocks();
    let mut chain = ChainChecker::new(&genesis, Arc::new(Memo::default()));
    chain.decided(Address::ZERO, &blocks[0]).unwrap();
    chain.restarted(Address::ZERO, Height(1)).unwrap();
    let forgotten = chain.restarted(Address::ZERO, Height(0));
    assert!(
        matches!(forgotten, Err(Violation::Forgotten { .. })),
        "{forgotten:?}"
    );
}

#[test]
fn stream_with_a_missing_batch_is_found() {
    let missing = doctored(is_late, |it| {
        it.block.batches.pop();
    });
    assert!(matches!(missing, Violation::Stream { .. }), "{missing}");
}

#[test]
fn bundle_with_a_missing_moved_or_split_leg_is_found() {
    let shown = doctored(has_bundle, |it| {
        it.block.manifests.pop();
    });
    let moved = doctored(has_bundle, |it| it.block.manifests[0].legs[0].first += 1);
    let short = doctored(has_bundle, |it| {
        it.block.manifests[0].legs.pop();
    });
    let other = doctored(has_bundle, |it| {
        it.block.manifests[0].legs[0].leg_hash = B256::repeat_byte(1);
    });
    let swapped = doctored(has_bundle, |it| it.block.manifests[0].legs.reverse());
    for violation in [shown, moved, short, other, swapped] {
        assert!(
            matches!(violation, Violation::Atomicity { .. }),
            "{violation}"
        );
    }
}

#[test]
fn transaction_that_is_placed_twice_is_found() {
    let (genesis, blocks) = blocks();
    let mut window = Window::new(genesis.parameters.replay_window_ms);
    let decided = blocks.iter().find(|it| is_late(it)).unwrap();
    window.follow(&decided.block).unwrap();
    let mut again = decided.block.clone();
    again.header.height = again.header.height.next();
    let twice = window.follow(&again);
    assert!(matches!(twice, Err(Violation::Twice { .. })), "{twice:?}");
}

#[test]
fn key_that_votes_twice_in_a_slot_is_found_and_one_that_repeats_itself_is_not() {
    use cloverleaf_consensus::{LocalSigner, Message, Signed, Vote};
    use cloverleaf_types::Round;
    let signer = LocalSigner::new(&[7; 32]).unwrap();
    let network = B256::repeat_byte(9);
    let vote = |block_hash| {
        let vote = Vote {
            height: Height(3),
            round: Round(0),
            kind: VoteKind::Prevote,
            block_hash,
            voter: signer.address(),
        };
        Message::Vote(Signed::by(vote, network, &signer))
    };
    let mut watch = SignatureWatch::new(network);
    watch.message(&vote(None)).unwrap();
    watch.message(&vote(None)).unwrap();
    let twice = watch.message(&vote(Some(network)));
    assert!(
        matches!(twice, Err(Violation::SignedTwice { .. })),
        "{twice:?}"
    );
}

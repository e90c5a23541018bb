//! Tests of what a follower trusts, as time goes by.

use cloverleaf_api::wire::encode_head_proof;

use super::*;

const DAY_MS: u64 = 24 * 3_600_000;
const PERIOD_MS: u64 = 14 * DAY_MS;

/// A network that began so many days ago, and is trusted for 14 days.
fn begun_before(days: u64) -> Network {
    let mut network = Network::new();
    network.start_ms = unix_ms() - days * DAY_MS;
    network.trust.time_ms = network.start_ms;
    network.trust.trust_period_ms = PERIOD_MS;
    network
}

/// A node with the batches of some blocks, that proves A's head after a later one.
fn proves(blocks: &[Block], after: &Block) -> Node {
    Node::Proves(all_items(blocks), encode_head_proof(&after.head_proof(A)))
}

/// Takes the batch that there is, and waits until its upstream is left as silent, or for a lie.
async fn wait_in_vain(follower: &mut Follower) -> Failure {
    follower.silence_ms = 100;
    follower.next().await.unwrap();
    loop {
        if let Err(failure) = follower.advance(0).await {
            return failure;
        }
    }
}

#[tokio::test]
async fn idle_rollups_root_stays_fresh_by_the_head_that_its_silent_upstream_proves() {
    let mut network = begun_before(13);
    let block = network.block(&[&[(A, &["-1"])]]);
    network.start_ms += 10 * DAY_MS;
    let later = network.empty_block();
    let node = serve(proves(std::slice::from_ref(&block), &later)).await;
    let mut follower = follower(&network, vec![node]);
    let failure = wait_in_vain(&mut follower).await;
    assert!(matches!(failure, Failure::Silent), "{failure:?}");
    assert_eq!(follower.trust().time_ms, later.header.timestamp_ms);
    // Two days later the beginning is over.
    let then_ms = block.header.timestamp_ms + 15 * DAY_MS;
    assert!(check_fresh(&network.trust, then_ms).is_err());
    assert!(check_fresh(follower.trust(), then_ms).is_ok());
}

#[tokio::test]
async fn follower_that_comes_back_after_the_period_goes_on_with_what_it_kept_and_not_from_genesis()
{
    let mut network = begun_before(15);
    let old = network.block(&[&[(A, &["-1"])]]);
    network.start_ms += 10 * DAY_MS;
    let held = network.block(&[&[(A, &["-2"])]]);
    let new = network.block(&[&[(A, &["-3"])]]);
    let node = serve(Node::Sends(items(&[old, held.clone(), new.clone()]))).await;
    let begin = |trust: &TrustRoot| {
        Follower::new(FollowerConfig {
            trust: trust.clone(),
            head: Head::of(held.batches[&A].header()),
            upstreams: vec![node.clone()],
            timing: Timing::default(),
        })
    };
    let refused = begin(&network.trust).unwrap().next().await.unwrap_err();
    assert!(
        matches!(refused, Error::Proof(ProofError::Period { .. })),
        "{refused}"
    );
    let mut kept = network.trust.clone();
    kept.saw(held.header.timestamp_ms);
    expect_all(&mut begin(&kept).unwrap(), &[new]).await;
}

#[tokio::test]
async fn validators_that_changed_while_a_rollup_was_idle_are_learned_of() {
    let mut network = begun_before(1);
    let change = network.change(5, 1);
    network.empty_block();
    let later = network.empty_block();
    let node = serve(proves(&[change], &later)).await;
    let mut follower = follower(&network, vec![node]);
    wait_in_vain(&mut follower).await;
    assert_eq!(follower.trust().control, network.head(ChainId::CONTROL));
    assert_eq!(follower.trust().time_ms, later.header.timestamp_ms);
}

#[tokio::test]
async fn proof_of_a_later_batch_or_by_others_moves_no_root_and_the_latter_is_a_lie() {
    let mut network = begun_before(1);
    let block = network.block(&[&[(A, &["-1"])]]);
    let ahead = network.block(&[&[(A, &["-2"])]]);
    let mut forged = block.clone();
    forged.header.timestamp_ms += DAY_MS;
    forged.certificate = Network::with_keys([5, 6, 7, 8]).certificate(&forged.header, 3);
    for (after, is_lie) in [(&ahead, false), (&forged, true)] {
        let node = serve(proves(std::slice::from_ref(&block), after)).await;
        let mut follower = follower(&network, vec![node]);
        let failure = wait_in_vain(&mut follower).await;
        assert_eq!(matches!(failure, Failure::Wrong(_)), is_lie, "{failure:?}");
        assert_eq!(follower.trust().time_ms, block.header.timestamp_ms);
    }
}

#[tokio::test]
async fn liar_that_shows_true_validators_too_early_takes_no_earlier_batch_away() {
    let mut network = Network::new();
    let blocks = blocks_over_changes(&mut network);
    // It leaves out the batches before the first change.
    let mut early = items(&blocks[3..]);
    early.extend(all_items(&blocks).into_iter().take(2));
    let liar = serve(Node::Sends(early)).await;
    let honest = serve(Node::Sends(all_items(&blocks))).await;
    expect_all(&mut follower(&network, vec![liar, honest]), &blocks).await;
}

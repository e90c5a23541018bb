//! Tests of the follower against streaming nodes.

mod trust;

use std::sync::atomic::{AtomicUsize, Ordering};

use cloverleaf_api::RpcError;

use super::*;
use crate::fixture::{A, B, Block, Network};
use crate::servers::{Node, nobody, serve};

fn follower(network: &Network, upstreams: Vec<String>) -> Follower {
    let timing = Timing {
        backoff_first_ms: 1,
        backoff_longest_ms: 2,
        silence_ms: 5_000,
        ..Timing::default()
    };
    let head = Head::empty(network.trust.network, A);
    let trust = network.trust.clone();
    Follower::new(FollowerConfig {
        trust,
        head,
        upstreams,
        timing,
    })
    .unwrap()
}

/// Four blocks with a batch of A each, two of them with bundles.
fn four_blocks(network: &mut Network) -> Vec<Block> {
    vec![
        network.block(&[&[(A, &["-1"])]]),
        network.block(&[&[(A, &["a1"]), (B, &["b1"])]]),
        network.block(&[&[(A, &["-2", "-3"])]]),
        network.block(&[&[(B, &["b2"]), (A, &["a2"])]]),
    ]
}

fn items(blocks: &[Block]) -> Vec<BatchItem> {
    blocks.iter().map(|block| block.item(A)).collect()
}

/// Items of which one has a wrong byte in its certificate.
fn items_with_a_lie(blocks: &[Block], position: usize) -> Vec<BatchItem> {
    let mut items = items(blocks);
    let proof = items[position].proof.as_mut().unwrap();
    let mut certificate = proof.certificate.to_vec();
    *certificate.last_mut().unwrap() ^= 1;
    proof.certificate = certificate.into();
    items
}

/// Follows until all four batches came, and checks them.
async fn expect_all(follower: &mut Follower, blocks: &[Block]) {
    for block in blocks {
        let next = follower.next().await.unwrap();
        assert_eq!(*next.batch, block.batches[&A]);
        let expected = block
            .manifests
            .iter()
            .map(cloverleaf_types::Manifest::bundle_hash);
        assert_eq!(next.bundle_hashes(), Some(expected.collect()));
    }
}

#[tokio::test]
async fn follower_yields_every_batch_in_order_with_its_bundles() {
    let mut network = Network::new();
    let blocks = four_blocks(&mut network);
    let node = serve(Node::Sends(items(&blocks))).await;
    expect_all(&mut follower(&network, vec![node]), &blocks).await;
}

#[tokio::test]
async fn follower_begins_after_what_its_caller_holds() {
    let mut network = Network::new();
    let blocks = four_blocks(&mut network);
    let node = serve(Node::Sends(items(&blocks))).await;
    let head = Head::of(blocks[1].batches[&A].header());
    let config = FollowerConfig {
        trust: network.trust.clone(),
        head,
        upstreams: vec![node],
        timing: Timing::default(),
    };
    expect_all(&mut Follower::new(config).unwrap(), &blocks[2..]).await;
}

// celo-org/optimism#514: one batch that contradicted the chain ended all confirmations.
#[tokio::test]
async fn liar_is_left_and_what_it_sent_before_the_lie_is_kept() {
    let mut network = Network::new();
    let blocks = four_blocks(&mut network);
    let liar = serve(Node::Sends(items_with_a_lie(&blocks, 2))).await;
    let honest = serve(Node::Sends(items(&blocks))).await;
    let mut follower = follower(&network, vec![liar, honest]);
    expect_all(&mut follower, &blocks).await;
    let now_ms = follower.clock.now_ms();
    follower.upstreams.pass(1);
    assert_eq!(
        follower.upstreams.choose(now_ms),
        Choice::Ask(1),
        "the liar stays out"
    );
}

// Nitro#3212: a reader began at 0 again with the feed that it fell back on.
#[tokio::test]
async fn follower_goes_on_where_a_stream_ended() {
    let mut network = Network::new();
    let blocks = four_blocks(&mut network);
    let short = serve(Node::Ends(items(&blocks[..2]))).await;
    let whole = serve(Node::Sends(items(&blocks))).await;
    expect_all(
        &mut follower(&network, vec![nobody().await, short, whole]),
        &blocks,
    )
    .await;
}

// cdk-erigon#760: a reader whose connection broke never came back without a restart.
#[tokio::test]
async fn one_upstream_that_always_ends_early_is_asked_again() {
    let mut network = Network::new();
    let blocks = four_blocks(&mut network);
    let node = serve(Node::Ends(items(&blocks))).await;
    let mut follower = follower(&network, vec![nobody().await, node]);
    expect_all(&mut follower, &blocks).await;
    assert!(follower.connection.is_some());
}

// celo-org/optimism#500: a call to the network that was never answered hung its caller.
#[tokio::test]
async fn silent_upstream_is_passed_over() {
    let mut network = Network::new();
    let blocks = four_blocks(&mut network);
    let silent = serve(Node::Sends(vec![])).await;
    let honest = serve(Node::Sends(items(&blocks))).await;
    let mut follower = follower(&network, vec![silent, honest]);
    follower.silence_ms = 200;
    expect_all(&mut follower, &blocks).await;
}

/// Follows until the follower is served, or is not; nothing can be verified meanwhile.
async fn follow_until_served(follower: &mut Follower, is_served: bool) {
    let contact = follower.contact();
    let mut next = Box::pin(follower.next());
    while contact.lost_since_ms().is_none() != is_served {
        let ended = tokio::select! {
            biased;
            next = &mut next => Some(next),
            () = tokio::task::yield_now() => None,
        };
        assert!(ended.is_none(), "{ended:?}");
    }
}

#[tokio::test]
async fn follower_that_nobody_serves_says_so_and_one_that_waits_for_batches_does_not() {
    let mut network = Network::new();
    let blocks = four_blocks(&mut network);
    let refuses = serve(Node::Refuses(Status::unavailable("not here"))).await;
    let ends = serve(Node::Ends(items(&blocks))).await;
    let silent = serve(Node::Sends(vec![])).await;
    let mut waits = follower(&network, vec![nobody().await, refuses, silent]);
    assert!(waits.contact().lost_since_ms().is_some(), "nobody is asked");
    follow_until_served(&mut waits, true).await;
    assert_eq!(waits.contact().lost_ms(), 0);
    let mut left = follower(&network, vec![ends]);
    expect_all(&mut left, &blocks).await;
    follow_until_served(&mut left, false).await;
}

#[test]
fn liar_does_not_serve() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build();
    runtime.unwrap().block_on(async {
        let mut network = Network::new();
        let blocks = four_blocks(&mut network);
        let liar = serve(Node::Sends(items_with_a_lie(&blocks, 0))).await;
        let mut follower = follower(&network, vec![liar]);
        follower.contact.lost(0);
        // The one thread for checks is taken: the lie is not found before it is seen to serve.
        let (release, held) = std::sync::mpsc::sync_channel(1);
        let taken = off_async_threads(move || held.recv());
        follow_until_served(&mut follower, true).await;
        release.send(()).unwrap();
        taken.await.unwrap().unwrap();
        follow_until_served(&mut follower, false).await;
        let lost_since_ms = follower.contact.lost_since_ms();
        assert_eq!(lost_since_ms, Some(0), "as if it had not been there");
    });
}

fn refused(refusal: &RpcError) -> Status {
    let code = Code::from_i32(refusal.reason.grpc_code().number());
    Status::with_details(code, &refusal.message, refusal.grpc_details())
}

#[tokio::test]
async fn upstream_that_cut_this_side_off_as_too_slow_is_asked_again_at_once() {
    let mut network = Network::new();
    let blocks = four_blocks(&mut network);
    let lagged = refused(&RpcError::new(Reason::Lagged));
    let node = serve(Node::Breaks(items(&blocks), lagged)).await;
    let mut follower = follower(&network, vec![node]);
    // A wait would be longer than any test.
    follower.upstreams = Upstreams::new(
        1,
        BackoffLimits {
            first_ms: u64::MAX,
            longest_ms: u64::MAX,
            exclusion_ms: u64::MAX,
        },
    );
    expect_all(&mut follower, &blocks).await;
}

// Astria#948, Astria#1090: one fetch that failed ended the reader.
#[tokio::test]
async fn upstream_that_breaks_off_is_asked_again_and_a_liar_is_not() {
    let mut network = Network::new();
    let blocks = four_blocks(&mut network);
    let asked = Arc::new(AtomicUsize::new(0));
    let lies = Box::new(Node::Sends(items_with_a_lie(&blocks, 0)));
    let liar = serve(Node::Counts(Arc::clone(&asked), lies)).await;
    let broken = Status::unavailable("the connection broke");
    let flaky = serve(Node::Breaks(items(&blocks), broken)).await;
    let mut follower = follower(&network, vec![liar, nobody().await, flaky]);
    expect_all(&mut follower, &blocks).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn batch_pruned_everywhere_ends_in_a_clear_error() {
    let network = Network::new();
    let refusal = RpcError::new(Reason::Pruned).with("firstAvailable", "0x2a");
    let status = refused(&refusal);
    let one = serve(Node::Refuses(status.clone())).await;
    let two = serve(Node::Refuses(status)).await;
    let error = follower(&network, vec![one, two]).next().await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Pruned {
                wanted: 1,
                first: 42,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn batch_of_chain_0_that_the_root_needs_and_nobody_keeps_is_named_as_such() {
    let mut network = Network::new();
    let blocks = blocks_over_changes(&mut network);
    let refusal = RpcError::new(Reason::Pruned).with("firstAvailable", "0x2");
    let forgets = Node::Forgets(all_items(&blocks), refused(&refusal));
    let mut follower = follower(&network, vec![serve(forgets).await]);
    let error = loop {
        if let Err(error) = follower.next().await {
            break error;
        }
    };
    assert!(
        matches!(
            error,
            Error::Pruned {
                chain_id: ChainId::CONTROL,
                wanted: 1,
                first: 2,
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn batch_pruned_at_one_upstream_comes_from_another() {
    let mut network = Network::new();
    let blocks = four_blocks(&mut network);
    let pruned = serve(Node::Refuses(Status::out_of_range("pruned"))).await;
    let whole = serve(Node::Sends(items(&blocks))).await;
    expect_all(&mut follower(&network, vec![pruned, whole]), &blocks).await;
}

#[tokio::test]
async fn decided_batch_that_contradicts_the_callers_stops_the_follower() {
    let mut network = Network::new();
    let blocks = four_blocks(&mut network);
    let node = serve(Node::Sends(items(&blocks))).await;
    let head = Head {
        chain_id: A,
        seq: 1,
        batch_hash: [9; 32].into(),
    };
    let config = FollowerConfig {
        trust: network.trust.clone(),
        head,
        upstreams: vec![node],
        timing: Timing::default(),
    };
    let error = Follower::new(config).unwrap().next().await.unwrap_err();
    assert!(matches!(error, Error::Contradiction { .. }), "{error}");
}

#[test]
fn next_that_is_dropped_half_way_loses_nothing() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build();
    runtime.unwrap().block_on(async {
        let mut network = Network::new();
        let blocks = four_blocks(&mut network);
        let node = serve(Node::Sends(items(&blocks))).await;
        let mut follower = follower(&network, vec![node]);
        expect_all(&mut follower, &blocks[..1]).await;
        for block in &blocks[1..] {
            // The one thread for checks is taken: a check that begins cannot end.
            let (release, held) = std::sync::mpsc::sync_channel(1);
            let taken = off_async_threads(move || held.recv());
            while !is_checking(&follower) {
                let ended = tokio::select! {
                    biased;
                    next = follower.next() => Some(next),
                    () = tokio::task::yield_now() => None,
                };
                assert!(ended.is_none(), "nothing can have been checked");
            }
            release.send(()).unwrap();
            taken.await.unwrap().unwrap();
            let next = follower.next().await.unwrap();
            assert_eq!(*next.batch, block.batches[&A]);
        }
    });
}

fn is_checking(follower: &Follower) -> bool {
    let connection = follower.connection.as_ref();
    connection.is_some_and(|connection| connection.checking.is_some())
}

/// Blocks with a batch of A each, over the coming of one validator and the going of another.
fn blocks_over_changes(network: &mut Network) -> Vec<Block> {
    let plain = |network: &mut Network, text| network.block(&[&[(A, &[text])]]);
    vec![
        plain(network, "-1"),
        network.change(5, 1),
        plain(network, "-2"),
        plain(network, "-3"),
        network.change(2, 0),
        plain(network, "-4"),
        plain(network, "-5"),
    ]
}

/// The items of A and of chain 0.
fn all_items(blocks: &[Block]) -> Vec<BatchItem> {
    let changes = blocks
        .iter()
        .filter(|block| block.batches.contains_key(&ChainId::CONTROL));
    let changes = changes.map(|block| block.item(ChainId::CONTROL));
    changes.chain(items(blocks)).collect()
}

#[tokio::test]
async fn follower_goes_on_over_changes_of_the_validators() {
    let mut network = Network::new();
    let blocks = blocks_over_changes(&mut network);
    let node = serve(Node::Sends(all_items(&blocks))).await;
    let mut follower = follower(&network, vec![node]);
    expect_all(&mut follower, &blocks).await;
    assert_eq!(follower.trust().control, network.head(ChainId::CONTROL));
    assert_eq!(follower.trust().set_at(blocks[6].header.height).len(), 4);
}

#[tokio::test]
async fn follower_goes_on_from_the_trust_that_it_kept() {
    let mut network = Network::new();
    let blocks = blocks_over_changes(&mut network);
    let node = serve(Node::Sends(all_items(&blocks))).await;
    let mut before = follower(&network, vec![node.clone()]);
    expect_all(&mut before, &blocks[..5]).await;
    let config = FollowerConfig {
        trust: before.trust().clone(),
        head: Head::of(blocks[4].batches[&A].header()),
        upstreams: vec![node],
        timing: Timing::default(),
    };
    expect_all(&mut Follower::new(config).unwrap(), &blocks[5..]).await;
}

#[tokio::test]
async fn block_by_a_set_that_decides_no_more_is_refused_and_comes_from_another_upstream() {
    let mut network = Network::new();
    let mut blocks = blocks_over_changes(&mut network);
    let honest = serve(Node::Sends(all_items(&blocks))).await;
    // Those who decided until the first change have signed the last block once more.
    let old = network.trust.validators.clone();
    let true_last = blocks[6].clone();
    blocks[6].header.validators_hash = old.hash();
    blocks[6].certificate = network.certificate_by(&old, &blocks[6].header, 4);
    let liar = serve(Node::Sends(all_items(&blocks))).await;
    blocks[6] = true_last;
    let mut follower = follower(&network, vec![liar, honest]);
    follower.silence_ms = 200;
    expect_all(&mut follower, &blocks).await;
    let now_ms = follower.clock.now_ms();
    follower.upstreams.pass(1);
    assert_eq!(follower.upstreams.choose(now_ms), Choice::Ask(1));
}

#[tokio::test]
async fn follower_whose_trust_root_is_too_old_stops_and_says_so() {
    let mut network = Network::new();
    let blocks = four_blocks(&mut network);
    let node = serve(Node::Sends(items(&blocks))).await;
    network.trust.trust_period_ms = 1_000;
    let error = follower(&network, vec![node]).next().await.unwrap_err();
    assert!(
        matches!(error, Error::Proof(ProofError::Period { .. })),
        "{error}"
    );
}

#[test]
fn addresses_are_checked_at_once() {
    let network = Network::new();
    let config = |upstreams| FollowerConfig {
        trust: network.trust.clone(),
        head: Head::empty(network.trust.network, A),
        upstreams,
        timing: Timing::default(),
    };
    assert!(matches!(
        Follower::new(config(vec![])),
        Err(Error::NoUpstream)
    ));
    let bad = config(vec!["not an address".into()]);
    assert!(matches!(Follower::new(bad), Err(Error::BadUrl { .. })));
}

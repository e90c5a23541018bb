//! A rollup's batches as server-sent events.

use cloverleaf_api::json::StreamedBatch;
use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_types::{Secp256k1, TrustRoot};
use serde_json::json;

use crate::events::{Events, LOOPBACK, connect};
use crate::grpc::submit;
use crate::network::{ALPHA, shared};
use crate::wallet::{Wallet, hash};

async fn open(path: &str, headers: &str) -> Events {
    let stream = connect(shared().http.authority(), LOOPBACK, None).await;
    Events::open(stream, path, headers).await
}

/// Commits two transactions, so that there are two batches at least.
async fn commit_two() {
    let wallet = Wallet::new();
    for nonce in 0..2 {
        let raw = wallet.transfer(ALPHA, nonce);
        submit(shared(), ALPHA, &raw, Wait::Committed)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn events_begin_where_they_are_asked_to_and_go_on_live() {
    commit_two().await;
    let mut events = open("/v1/rollups/901/stream?from=1", "").await;
    assert_eq!(events.status, 200);
    assert!(
        events
            .head
            .to_lowercase()
            .contains("content-type: text/event-stream")
    );
    let first = events.next().await.unwrap();
    assert_eq!((first.name.as_str(), first.id), ("batch", Some(1)));
    let same = shared()
        .http
        .result("/", "seq_getBatch", json!([901, 1]))
        .await;
    assert_eq!(first.data, same);
    let raw = Wallet::new().transfer(ALPHA, 0);
    submit(shared(), ALPHA, &raw, Wait::Received).await.unwrap();
    for seq in 2.. {
        let event = events.next().await.unwrap();
        assert_eq!(event.id, Some(seq), "no gap");
        if event.data.to_string().contains(&hash(&raw).to_string()) {
            return;
        }
    }
}

// base#178: what came while a WebSocket was gone was missing afterwards.
#[tokio::test]
async fn reader_that_comes_back_with_its_cursor_goes_on_after_it() {
    commit_two().await;
    let path = "/v1/rollups/0x385/stream?from=1";
    let mut events = open(path, "Last-Event-ID: 1\r\n").await;
    assert_eq!(events.next().await.unwrap().id, Some(2));
}

#[tokio::test]
async fn reader_that_names_no_beginning_gets_what_comes_next() {
    commit_two().await;
    let mut events = open("/v1/rollups/901/stream", "").await;
    let head = shared().http.result("/", "seq_getHead", json!([901])).await;
    let head = u64::from_str_radix(&head["seq"].as_str().unwrap()[2..], 16).unwrap();
    commit_two().await;
    let first = events.next().await.unwrap().id.unwrap();
    assert!((2..=head + 1).contains(&first), "{first}, {head}");
}

#[tokio::test]
async fn proofs_come_when_they_are_asked_for_and_are_true() {
    commit_two().await;
    let info = shared()
        .http
        .result("/", "seq_networkInfo", json!([]))
        .await;
    let trust: TrustRoot = serde_json::from_value(info["trust"].clone()).unwrap();
    let mut events = open("/v1/rollups/901/stream?from=1&proofs=2", "").await;
    for seq in 1..=2 {
        let event = events.next().await.unwrap();
        let batch: StreamedBatch = serde_json::from_value(event.data).unwrap();
        assert_eq!(batch.proof.is_some(), seq == 2);
        if let Some(proof) = batch.proof {
            proof.verify(&trust, &Secp256k1).unwrap();
            assert_eq!(
                (proof.head.seq, proof.head.batch_hash),
                (2, batch.batch.hash)
            );
            assert_eq!(batch.bundles.len(), batch.batch.spans.len());
        }
    }
}

#[tokio::test]
async fn wrong_questions_are_refused_and_not_streamed() {
    for (path, headers, status, reason) in [
        ("/v1/rollups/903/stream", "", 404, "unknownRollup"),
        ("/v1/rollups/901/stream?from=x", "", 400, "malformedJson"),
        ("/v1/rollups/901/stream?proofs=0", "", 400, "malformedJson"),
        ("/v1/rollups/901/stream?since=1", "", 400, "unknownField"),
        (
            "/v1/rollups/901/stream",
            "Last-Event-ID: x\r\n",
            400,
            "malformedJson",
        ),
    ] {
        let events = open(path, headers).await;
        assert_eq!(events.status, status, "{path}");
        assert_eq!(events.body().await["data"]["reason"], reason, "{path}");
    }
}

#[tokio::test]
async fn stream_of_the_networks_own_chain_can_be_read() {
    assert_eq!(open("/v1/rollups/0/stream", "").await.status, 200);
}

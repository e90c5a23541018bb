//! A pool that is full: nothing is lost, and the answer says when to come back.

use cloverleaf_mempool::pool::{Limits, RETRY_MAX_MS};
use hyper::header::RETRY_AFTER;
use serde_json::{Value, json};

use crate::endpoint::Refusal;
use crate::network::{ALPHA, start};
use crate::wallet::{Wallet, hash};

// Base, June 2026: while the pool was full, senders got errors that did not say why.
#[tokio::test]
async fn full_pool_refuses_with_a_wait_and_keeps_what_it_has() {
    let network = start(
        "full-pool",
        Limits {
            transactions_max: 3,
            ..Limits::default()
        },
        false,
    );
    let http = &network.http;
    let method = "eth_sendRawTransaction";
    let wallet = Wallet::new();
    // Behind a gap, so that they stay.
    let first = wallet.transfer(ALPHA, 0);
    http.result("/", method, json!([first])).await;
    crate::grpc::submit(
        &network,
        ALPHA,
        &first,
        cloverleaf_api::proto::sequencer::v1::Wait::Committed,
    )
    .await
    .unwrap();
    let waiting: Vec<_> = (2..5).map(|nonce| wallet.transfer(ALPHA, nonce)).collect();
    for raw in &waiting {
        http.result("/", method, json!([raw])).await;
    }
    // Behind the same gap, and no dearer.
    let late = wallet.transfer(ALPHA, 5);
    let refusal = http.refusal("/", method, json!([late])).await;
    refusal.is(-32005, "poolFull");
    assert_eq!(refusal.status, 429);
    let wait_ms = refusal.data["retryAfterMs"].as_u64().unwrap();
    assert!((1..=RETRY_MAX_MS).contains(&wait_ms), "{wait_ms}");
    let wait_seconds = refusal.headers[RETRY_AFTER].to_str().unwrap();
    assert_eq!(wait_seconds, wait_ms.div_ceil(1_000).to_string());
    // In a batch the status is 200, or the other answers would be lost.
    let call = |raw| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": [raw]});
    let answer = http
        .post("/", json!([call(&late), call(&waiting[0])]).to_string())
        .await;
    Refusal::of(&answer.body[0]).is(-32005, "poolFull");
    assert_eq!(
        (answer.status.as_u16(), answer.headers.get(RETRY_AFTER)),
        (200, None)
    );
    assert_eq!(answer.body[1]["result"], hash(&waiting[0]).to_string());
    for raw in &waiting {
        let status = http
            .result("/", "seq_getTransactionStatus", json!([hash(raw)]))
            .await;
        assert_eq!(status["state"], "parked");
    }
    let forgotten = http
        .result("/", "seq_getTransactionStatus", json!([hash(&late)]))
        .await;
    assert_eq!(forgotten, Value::Null);
    // What waits behind a gap gives way to what does not: the youngest of equals.
    let next = Wallet::new().transfer(ALPHA, 0);
    http.result("/", method, json!([next])).await;
    let gone = http
        .result("/", "seq_getTransactionStatus", json!([hash(&waiting[2])]))
        .await;
    assert_eq!(
        (&gone["state"], &gone["reason"]),
        (&json!("rejected"), &json!("poolFull"))
    );
}

#[tokio::test]
async fn network_without_a_faucet_answers_404() {
    let network = start("no-faucet", Limits::default(), false);
    let request = json!({"chainId": "0x385", "address": Wallet::new().address()});
    let answer = network.http.post("/v1/faucet", request.to_string()).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["data"]["reason"]),
        (404, &json!("notFound"))
    );
}

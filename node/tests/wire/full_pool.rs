//! A pool that is full: nothing is lost, and the answer says when to come back.

use cloverleaf_mempool::pool::Limits;
use hyper::header::RETRY_AFTER;
use serde_json::{Value, json};

use crate::endpoint::Refusal;
use crate::network::{ALPHA, start};
use crate::wallet::{Wallet, hash};

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
    let late = Wallet::new().transfer(ALPHA, 0);
    let refusal = http.refusal("/", method, json!([late])).await;
    refusal.is(-32005, "poolFull");
    assert_eq!(
        (refusal.status, &refusal.headers[RETRY_AFTER]),
        (429, &"1".parse().unwrap())
    );
    assert_eq!(refusal.data["retryAfterMs"], 1_000);
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

//! `eth_sendRawTransactionSync`, and what became of transactions that their rollup did not execute.

use cloverleaf_api::proto::sequencer::v1::Wait;
use serde_json::{Value, json};

use crate::grpc::submit;
use crate::network::{ALPHA, GAMMA, shared};
use crate::overlay::{executed, received};
use crate::wallet::{Wallet, hash};

const METHOD: &str = "eth_sendRawTransactionSync";

async fn status_of(raw: &alloy_primitives::Bytes) -> Value {
    let params = json!([hash(raw)]);
    let http = &shared().http;
    http.result("/", "seq_getTransactionStatus", params).await
}

#[tokio::test]
async fn receipt_comes_back_once_the_rollup_has_executed() {
    for (nonce, path, timeout) in [(0, "/rollup/901", json!(8_000)), (1, "/", json!("0x1f40"))] {
        let wallet = Wallet::new();
        if nonce == 1 {
            executed(wallet.address(), 1);
        }
        let raw = wallet.transfer(ALPHA, nonce);
        let receipt = received(hash(&raw), 1);
        let http = &shared().http;
        assert_eq!(
            http.result(path, METHOD, json!([raw, timeout])).await,
            receipt
        );
        assert_eq!(status_of(&raw).await["state"], "committed");
        // Again, as a library does that got no answer.
        assert_eq!(
            http.result(path, METHOD, json!([raw, timeout])).await,
            receipt
        );
    }
}

#[tokio::test]
async fn without_a_receipt_in_time_the_code_is_4_and_the_data_the_hash() {
    let raw = Wallet::new().transfer(ALPHA, 0);
    let answer = shared()
        .http
        .call("/rollup/901", METHOD, json!([raw, 1]))
        .await;
    let error = &answer.body["error"];
    assert_eq!((answer.status.as_u16(), &error["code"]), (200, &json!(4)));
    assert_eq!(error["data"], hash(&raw).to_string());
    let status = submit(shared(), ALPHA, &raw, Wait::Committed)
        .await
        .unwrap();
    assert!(status.status.unwrap().height > 0, "it was taken in");
}

#[tokio::test]
async fn behind_a_gap_the_code_is_5_at_once_and_the_data_the_hash() {
    let wallet = Wallet::new();
    executed(wallet.address(), 3);
    let raw = wallet.transfer(ALPHA, 4);
    let answer = shared()
        .http
        .call("/rollup/901", METHOD, json!([raw, 8_000]))
        .await;
    let error = &answer.body["error"];
    assert_eq!(
        (&error["code"], &error["data"]),
        (&json!(5), &json!(hash(&raw)))
    );
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .ends_with("it waits for nonce 3")
    );
    assert_eq!(status_of(&raw).await["state"], "parked");
}

#[tokio::test]
async fn refusals_are_those_of_the_call_that_does_not_wait() {
    let http = &shared().http;
    let wrong = json!([Wallet::new().transfer(GAMMA, 0)]);
    http.refusal("/rollup/901", METHOD, wrong)
        .await
        .is(-32000, "wrongChainId");
    http.refusal("/", METHOD, json!(["0x02"]))
        .await
        .is(-32602, "malformedRlp");
}

#[tokio::test]
async fn rollup_without_an_execution_rpc_has_no_such_method_and_takes_nothing_in() {
    let raw = Wallet::new().transfer(GAMMA, 0);
    for path in ["/rollup/905", "/"] {
        let refusal = shared().http.refusal(path, METHOD, json!([raw])).await;
        refusal.is(-32601, "methodNotFound");
    }
    assert!(status_of(&raw).await.is_null());
}

#[tokio::test]
async fn transaction_that_its_rollup_skipped_is_pending_no_more_and_its_status_says_why() {
    let (http, wallet) = (&shared().http, Wallet::new());
    let raw = wallet.transfer(ALPHA, 0);
    submit(shared(), ALPHA, &raw, Wait::Committed)
        .await
        .unwrap();
    assert_eq!(status_of(&raw).await["execution"], Value::Null);
    // The rollup executed another transaction with its nonce, and has no receipt of this one.
    executed(wallet.address(), 1);
    let status = status_of(&raw).await;
    assert_eq!(
        (&status["state"], &status["status"]),
        (&json!("committed"), &json!(500))
    );
    let execution = &status["execution"];
    assert_eq!(
        (&execution["outcome"], &execution["reason"]),
        (&json!("skipped"), &json!("nonceTooLow"))
    );
    let found = http.result(
        "/rollup/901",
        "eth_getTransactionByHash",
        json!([hash(&raw)]),
    );
    assert!(found.await.is_null());
    let refusal = http.refusal("/rollup/901", METHOD, json!([raw])).await;
    refusal.is(-32003, "skippedByRollup");
    assert_eq!(refusal.data["skipped"], "nonceTooLow");
}

#[tokio::test]
async fn executed_transaction_says_whether_it_succeeded() {
    for (succeeded, status) in [(1, 200), (0, 500)] {
        let raw = Wallet::new().transfer(ALPHA, 0);
        submit(shared(), ALPHA, &raw, Wait::Committed)
            .await
            .unwrap();
        received(hash(&raw), succeeded);
        let found = status_of(&raw).await;
        assert_eq!(found["status"], status);
        assert_eq!(found["execution"]["status"], format!("{succeeded:#x}"));
    }
}

//! Ways in beside a wallet's usual one: opaque rollups, and conditions.

use alloy_primitives::Bytes;
use cloverleaf_api::proto::sequencer::v1::{State, Wait};
use serde_json::{Value, json};
use tonic::Code;

use crate::grpc::submit;
use crate::network::{ALPHA, BETA, OPAQUE, shared};
use crate::wallet::{Wallet, hash};

/// Bytes that nobody sent before, and that are no envelope.
fn opaque() -> Bytes {
    let unique = Wallet::new().address();
    [&b"\xff opaque "[..], unique.as_slice()].concat().into()
}

#[tokio::test]
async fn opaque_transaction_comes_in_by_json_rpc_and_is_in_its_rollups_batch() {
    let (http, raw) = (&shared().http, opaque());
    let params = json!([OPAQUE, raw]);
    for path in ["/", "/rollup/77"] {
        let sent = http
            .result(path, "seq_sendTransaction", params.clone())
            .await;
        assert_eq!(
            (&sent["hash"], &sent["chainId"]),
            (&json!(hash(&raw)), &json!("0x4d"))
        );
    }
    submit(shared(), OPAQUE, &raw, Wait::Committed)
        .await
        .unwrap();
    let status = http.result("/", "seq_getTransactionStatus", json!([hash(&raw), OPAQUE]));
    let status = status.await;
    let batch = http
        .result("/", "seq_getBatch", json!([OPAQUE, status["seq"]]))
        .await;
    let index = usize::try_from(status["index"].as_u64().unwrap()).unwrap();
    assert_eq!(batch["transactions"][index]["raw"], raw.to_string());
}

#[tokio::test]
async fn opaque_transaction_comes_in_by_grpc() {
    let raw = opaque();
    let sent = submit(shared(), OPAQUE, &raw, Wait::Available)
        .await
        .unwrap();
    assert_eq!(sent.transaction_id, hash(&raw).to_vec());
    assert!(sent.status.unwrap().state() as i32 >= State::Available as i32);
    let empty = submit(shared(), OPAQUE, &Bytes::new(), Wait::Available).await;
    assert_eq!(empty.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn opaque_rollup_takes_no_wallets_transactions() {
    let raw = Wallet::new().transfer(OPAQUE, 0);
    for path in ["/", "/rollup/77"] {
        let refusal = shared()
            .http
            .refusal(path, "eth_sendRawTransaction", json!([raw]))
            .await;
        refusal.is(-32602, "notSupported");
    }
}

#[tokio::test]
async fn envelopes_come_in_by_the_networks_own_method_too() {
    let (http, raw) = (&shared().http, Wallet::new().transfer(ALPHA, 0));
    let named = json!({"raw": raw, "chainId": ALPHA});
    let sent = http.result("/", "seq_sendTransaction", named).await;
    assert_eq!(sent["hash"], hash(&raw).to_string());
    let refusal = http
        .refusal("/rollup/902", "seq_sendTransaction", json!([ALPHA, raw]))
        .await;
    refusal.is(-32000, "wrongChainId");
    let refusal = http
        .refusal("/", "seq_sendTransaction", json!([BETA, raw]))
        .await;
    refusal.is(-32000, "wrongChainId");
    let refusal = http
        .refusal("/", "seq_sendTransaction", json!([903, raw]))
        .await;
    refusal.is(-32003, "unknownRollup");
}

fn now_s() -> u64 {
    std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_secs()
}

async fn conditional(raw: &Bytes, conditions: Value) -> Value {
    let method = "eth_sendRawTransactionConditional";
    let answer = shared()
        .http
        .call("/rollup/901", method, json!([raw, conditions]));
    answer.await.body
}

#[tokio::test]
async fn conditional_transaction_is_placed_in_its_window() {
    for conditions in [
        json!({}),
        json!({"timestampMin": now_s() - 60, "timestampMax": now_s() + 60}),
        json!({"timestampMax": u64::MAX, "knownAccounts": {}}),
    ] {
        let raw = Wallet::new().transfer(ALPHA, 0);
        let answer = conditional(&raw, conditions).await;
        assert_eq!(answer["result"], hash(&raw).to_string(), "{answer}");
        submit(shared(), ALPHA, &raw, Wait::Committed)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn condition_that_cannot_hold_or_that_nobody_checks_is_refused() {
    let raw = Wallet::new().transfer(ALPHA, 0);
    for (conditions, reason) in [
        (json!({"timestampMax": now_s() - 60}), "expired"),
        (
            json!({"timestampMin": now_s() + 60, "timestampMax": now_s()}),
            "windowEmpty",
        ),
        (json!({"blockNumberMax": "0x1"}), "notSupported"),
        (json!({"knownAccounts": {"0x01": "0x02"}}), "notSupported"),
        (json!({"blockMax": 1}), "malformedJson"),
    ] {
        let answer = conditional(&raw, conditions).await;
        assert_eq!(answer["error"]["data"]["reason"], reason, "{answer}");
    }
    let wrong = conditional(&Wallet::new().transfer(BETA, 0), json!({"timestampMax": 1})).await;
    assert_eq!(wrong["error"]["data"]["reason"], "wrongChainId");
}

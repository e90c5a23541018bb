//! JSON-RPC over WebSocket: the same methods, and subscriptions.

use cloverleaf_api::proto::sequencer::v1::Wait;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::events::{LOOPBACK, Socket, connect};
use crate::grpc::submit;
use crate::network::{ALPHA, shared};
use crate::wallet::{Wallet, hash};

async fn open(path: &str) -> Socket {
    let stream = connect(shared().http.authority(), LOOPBACK, None).await;
    Socket::open(stream, path).await
}

async fn commit_something() -> String {
    let raw = Wallet::new().transfer(ALPHA, 0);
    submit(shared(), ALPHA, &raw, Wait::Committed)
        .await
        .unwrap();
    hash(&raw).to_string()
}

fn number(value: &Value) -> u64 {
    u64::from_str_radix(&value.as_str().unwrap()[2..], 16).unwrap()
}

fn reason(answer: &Value) -> &str {
    answer["error"]["data"]["reason"].as_str().unwrap()
}

#[tokio::test]
async fn every_method_is_answered_as_over_http() {
    commit_something().await;
    let mut socket = open("/").await;
    for (method, params) in [
        ("seq_getBatch", json!([901, 1])),
        ("seq_getBlock", json!([1])),
        ("web3_clientVersion", json!([])),
        ("rpc.discover", json!([])),
    ] {
        let over_http = shared().http.result("/", method, params.clone()).await;
        assert_eq!(socket.result(method, params).await, over_http, "{method}");
    }
    let mut socket = open("/rollup/901").await;
    assert_eq!(socket.result("eth_chainId", json!([])).await, "0x385");
    let raw = Wallet::new().transfer(ALPHA, 0);
    let sent = socket.result("eth_sendRawTransaction", json!([raw])).await;
    assert_eq!(sent, hash(&raw).to_string());
}

#[tokio::test]
async fn arrays_and_malformed_text_are_answered_and_notifications_are_not() {
    let mut socket = open("/").await;
    socket
        .say(r#"[{"id":1,"method":"web3_clientVersion"},{"method":"web3_clientVersion"}]"#)
        .await;
    let answers = socket.read().await.unwrap();
    assert_eq!(answers.as_array().unwrap().len(), 1);
    socket.say(r#"{"method":"web3_clientVersion"}"#).await;
    socket.say("{").await;
    assert_eq!(socket.read().await.unwrap()["error"]["code"], -32700);
}

#[tokio::test]
async fn batches_come_from_where_they_are_asked_without_a_gap_and_go_on_live() {
    commit_something().await;
    let mut socket = open("/").await;
    let asked = json!(["batches", {"chainId": 901, "from": 1, "proofs": "every"}]);
    let name = socket.result("seq_subscribe", asked).await;
    let mut live = None;
    for seq in 1.. {
        let said = socket.notification().await.unwrap();
        assert_eq!(said["subscription"], name);
        assert_eq!(number(&said["result"]["seq"]), seq);
        assert!(said["result"]["proof"].is_object());
        if live.is_none() {
            live = Some(commit_something().await);
        }
        if live
            .as_ref()
            .is_some_and(|hash| said.to_string().contains(hash))
        {
            return;
        }
    }
}

#[tokio::test]
async fn at_a_rollups_endpoint_its_batches_are_meant() {
    let mut socket = open("/rollup/901").await;
    let asked = json!(["batches", {"from": 1}]);
    socket.result("seq_subscribe", asked).await;
    commit_something().await;
    let said = socket.notification().await.unwrap();
    assert_eq!(
        (&said["result"]["chainId"], number(&said["result"]["seq"])),
        (&json!("0x385"), 1)
    );
    assert!(said["result"].get("proof").is_none());
}

#[tokio::test]
async fn blocks_come_in_order_and_bundles_are_those_of_blocks() {
    let mut socket = open("/").await;
    let blocks = socket
        .result("seq_subscribe", json!(["blocks", {"from": 1}]))
        .await;
    for height in 1..=3 {
        let said = socket.notification().await.unwrap();
        assert_eq!(
            (&said["subscription"], number(&said["result"]["height"])),
            (&blocks, height)
        );
    }
    assert_eq!(
        socket.result("seq_unsubscribe", json!([blocks])).await,
        true
    );
    let mut socket = open("/").await;
    socket.result("seq_subscribe", json!(["bundles"])).await;
    let wallets = [Wallet::new(), Wallet::new()];
    let leg = |chain_id: u64, wallet: &Wallet| json!({"chainId": chain_id, "txs": [wallet.transfer(chain_id, 0)]});
    let legs = json!([leg(901, &wallets[0]), leg(902, &wallets[1])]);
    let sent = json!([{"legs": legs}]);
    let sent = socket.result("seq_sendBundle", sent).await;
    loop {
        let said = socket.notification().await.unwrap();
        let bundles = said["result"]["bundles"].as_array().unwrap();
        assert!(!bundles.is_empty());
        if bundles
            .iter()
            .any(|it| it["bundleHash"] == sent["bundleHash"])
        {
            return;
        }
    }
}

#[tokio::test]
async fn ended_subscription_says_nothing_more_and_is_not_there_twice() {
    let mut socket = open("/").await;
    let asked = json!(["blocks", {"from": 1}]);
    let name = socket.result("seq_subscribe", asked).await;
    assert_eq!(socket.result("seq_unsubscribe", json!([name])).await, true);
    assert_eq!(socket.result("seq_unsubscribe", json!([name])).await, false);
    assert_eq!(socket.result("seq_unsubscribe", json!(["x"])).await, false);
}

#[tokio::test]
async fn subscriptions_of_a_connection_have_a_limit_at_32() {
    let mut socket = open("/").await;
    let far = json!(["blocks", {"from": "0xffffffffffff"}]);
    for _ in 0..32 {
        socket.result("seq_subscribe", far.clone()).await;
    }
    let refused = socket.call("seq_subscribe", far.clone()).await;
    assert_eq!(
        (reason(&refused), &refused["error"]["code"]),
        ("tooManySubscriptions", &json!(-32005))
    );
    assert_eq!(socket.result("seq_unsubscribe", json!(["0x1"])).await, true);
    socket.result("seq_subscribe", far).await;
}

#[tokio::test]
async fn wrong_subscriptions_are_refused_with_a_reason() {
    let mut socket = open("/").await;
    for (params, why) in [
        (json!([]), "malformedJson"),
        (json!(["logs"]), "malformedJson"),
        (json!(["batches"]), "malformedJson"),
        (json!(["batches", {"chainId": 903}]), "unknownRollup"),
        (
            json!(["batches", {"chainId": 901, "since": 1}]),
            "malformedJson",
        ),
        (
            json!(["batches", {"chainId": 901, "proofs": 0}]),
            "malformedJson",
        ),
        (json!(["blocks", {"chainId": 901}]), "unknownField"),
    ] {
        let refused = socket.call("seq_subscribe", params.clone()).await;
        assert_eq!(reason(&refused), why, "{params}");
    }
}

#[tokio::test]
async fn subscriptions_need_a_websocket_and_those_of_execution_are_not_there() {
    let over_http = shared()
        .http
        .call("/", "seq_subscribe", json!(["blocks"]))
        .await;
    assert_eq!(reason(&over_http.body), "notSupported");
    let mut socket = open("/rollup/901").await;
    let refused = socket.call("eth_subscribe", json!(["newHeads"])).await;
    assert_eq!(
        refused["error"]["message"],
        "the method eth_subscribe does not exist/is not available"
    );
    assert_eq!(refused["error"]["code"], -32601);
}

#[tokio::test]
async fn handshakes_of_foreign_pages_and_at_unknown_rollups_are_refused() {
    for (path, headers, status) in [
        ("/", "Origin: https://example.org\r\n", "403"),
        ("/rollup/903", "", "404"),
        ("/", "Sec-WebSocket-Version: 12\r\n", "426"),
    ] {
        let mut stream = connect(shared().http.authority(), LOOPBACK, None).await;
        let version = if headers.contains("Version") {
            ""
        } else {
            "Sec-WebSocket-Version: 13\r\n"
        };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{version}{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(
            answer,
            format!("HTTP/1.1 {status}").as_bytes(),
            "{path} {headers}"
        );
    }
}

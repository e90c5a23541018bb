//! A rollup's own answers, corrected by what is sequenced here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use alloy_primitives::{Address, B256};
use axum::routing::post;
use axum::{Json, Router};
use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_mempool::pool::Limits;
use cloverleaf_types::ChainId;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::grpc::submit;
use crate::network::{ALPHA, BETA, Network, shared};
use crate::node::{TestNode, TestOptions};
use crate::wallet::{Wallet, hash};

/// More senders than a rollup is asked about at once.
const GAPPED: usize = 40;

/// What the stub says of accounts; others have nonce 0.
static EXECUTED: LazyLock<Mutex<BTreeMap<Address, u64>>> = LazyLock::new(Mutex::default);

/// What the stub says of receipts: a member of its answer. Others are null.
static RECEIPTS: LazyLock<Mutex<BTreeMap<String, (&str, Value)>>> = LazyLock::new(Mutex::default);

/// From now on the account's next nonce is this.
pub(crate) fn executed(address: Address, nonce: u64) {
    EXECUTED.lock().unwrap().insert(address, nonce);
}

/// From now on there is this receipt.
pub(crate) fn received(hash: B256, status: u8) -> Value {
    let receipt = json!({"transactionHash": hash, "status": format!("{status:#x}")});
    answered(hash, "result", receipt.clone());
    receipt
}

/// From now on an answer that should be a receipt has this member.
fn answered(hash: B256, member: &'static str, value: Value) {
    let mut receipts = RECEIPTS.lock().unwrap();
    receipts.insert(hash.to_string(), (member, value));
}

/// An execution RPC that has executed nothing, but knows some accounts.
pub(crate) fn stub() -> Router {
    stub_of(answer)
}

fn stub_of(answer: fn(&Value) -> Value) -> Router {
    let answer = move |Json(call): Json<Value>| async move { Json(answer(&call)) };
    Router::new().route("/", post(answer))
}

/// An embedded rollup that keeps nothing for long.
fn forgetful(call: &Value) -> Value {
    if call["method"] == "rollup_getOutput" {
        let error = json!({"code": -32000, "message": "block 1 is no longer kept"});
        return json!({"jsonrpc": "2.0", "id": call["id"], "error": error});
    }
    answer(call)
}

/// A node of its own, in the caller's runtime, whose execution RPC of 901 is this.
async fn start_with(name: &str, stub: Router) -> TestNode {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    serve_for_ever(listener, stub);
    start_asking(name, url).await
}

/// The same at this URL.
pub(crate) async fn start_asking(name: &str, url: String) -> TestNode {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("wire-{name}"));
    let _new = std::fs::remove_dir_all(&dir);
    let options = TestOptions {
        dir,
        limits: Limits::default(),
        executions: BTreeMap::from([(ChainId(ALPHA), url)]),
        keep_heights: 0,
        faucet: false,
    };
    TestNode::start(options).await.unwrap()
}

#[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
fn serve_for_ever(listener: TcpListener, stub: Router) {
    tokio::spawn(async move { axum::serve(listener, stub).await });
}

fn answer(call: &Value) -> Value {
    let error = json!({"code": 3, "message": "execution reverted", "data": "0x08c379a0"});
    let outcome = match call["method"].as_str().unwrap() {
        "eth_getTransactionCount" => {
            let address: Address = serde_json::from_value(call["params"][0].clone()).unwrap();
            let nonce = EXECUTED.lock().unwrap().get(&address).copied().unwrap_or(0);
            ("result", json!(format!("{nonce:#x}")))
        }
        "eth_getBalance" => ("result", json!(["the rollup", call["params"]])),
        "eth_call" => ("error", error),
        "eth_getTransactionByHash" => ("result", Value::Null),
        "eth_getTransactionReceipt" => {
            let receipts = RECEIPTS.lock().unwrap();
            let receipt = receipts.get(call["params"][0].as_str().unwrap());
            receipt.cloned().unwrap_or(("result", Value::Null))
        }
        _ => ("error", json!({"code": -32601, "message": "not here"})),
    };
    json!({"jsonrpc": "2.0", "id": call["id"], outcome.0: outcome.1})
}

async fn count(chain_id: u64, address: Address, block: &str) -> Value {
    let path = format!("/rollup/{chain_id}");
    shared()
        .http
        .result(&path, "eth_getTransactionCount", json!([address, block]))
        .await
}

#[tokio::test]
async fn reads_are_passed_on_and_come_back_as_they_are() {
    let http = &shared().http;
    let params = json!(["0x0000000000000000000000000000000000000001", "latest"]);
    let balance = http
        .result("/rollup/901", "eth_getBalance", params.clone())
        .await;
    assert_eq!(balance, json!(["the rollup", params]));
    let reverted = http
        .call("/rollup/901", "eth_call", json!([{}, "latest"]))
        .await;
    assert_eq!(reverted.status, 200);
    assert_eq!(
        reverted.body["error"],
        json!({"code": 3, "message": "execution reverted", "data": "0x08c379a0"})
    );
}

#[tokio::test]
async fn rollup_whose_execution_rpc_is_down_says_so_and_still_takes_transactions() {
    let http = &shared().http;
    let refusal = http
        .refusal("/rollup/902", "eth_blockNumber", json!([]))
        .await;
    refusal.is(-32603, "executionRpcDown");
    assert_eq!(refusal.status, 502);
    let wallet = Wallet::new();
    let raw = wallet.transfer(BETA, 0);
    http.result("/rollup/902", "eth_sendRawTransaction", json!([raw]))
        .await;
    assert_eq!(count(BETA, wallet.address(), "pending").await, "0x1");
    submit(shared(), BETA, &raw, Wait::Committed).await.unwrap();
    assert_eq!(count(BETA, wallet.address(), "pending").await, "0x1");
}

#[tokio::test]
async fn pending_nonce_is_the_larger_of_pool_and_rollup() {
    let wallet = Wallet::new();
    assert_eq!(count(ALPHA, wallet.address(), "pending").await, "0x0");
    let raw = wallet.transfer(ALPHA, 0);
    shared()
        .http
        .result("/rollup/901", "eth_sendRawTransaction", json!([raw]))
        .await;
    assert_eq!(count(ALPHA, wallet.address(), "pending").await, "0x1");
    assert_eq!(count(ALPHA, wallet.address(), "latest").await, "0x0");
    executed(wallet.address(), 5);
    assert_eq!(count(ALPHA, wallet.address(), "pending").await, "0x5");
}

#[tokio::test]
async fn rollup_is_asked_for_the_nonce_of_a_sender_that_nobody_saw() {
    let http = &shared().http;
    let wallet = Wallet::new();
    executed(wallet.address(), 5);
    let method = "eth_sendRawTransaction";
    let refusal = http
        .refusal("/rollup/901", method, json!([wallet.transfer(ALPHA, 4)]))
        .await;
    refusal.is(-32000, "nonceTooLow");
    assert_eq!(refusal.message, "nonce too low: next nonce 5, tx nonce 4");
    let next = wallet.transfer(ALPHA, 6);
    http.result("/rollup/901", method, json!([next])).await;
    let status = http
        .result("/", "seq_getTransactionStatus", json!([hash(&next)]))
        .await;
    assert_eq!(
        (&status["state"], &status["reason"]),
        (&json!("parked"), &json!("nonceGap"))
    );
}

#[tokio::test]
async fn transaction_in_a_block_that_the_rollup_has_not_executed_is_pending() {
    let http = &shared().http;
    let wallet = Wallet::new();
    let raw = wallet.transfer(ALPHA, 0);
    submit(shared(), ALPHA, &raw, Wait::Committed)
        .await
        .unwrap();
    let found = http
        .result(
            "/rollup/901",
            "eth_getTransactionByHash",
            json!([hash(&raw)]),
        )
        .await;
    assert_eq!(found["hash"], hash(&raw).to_string());
    assert_eq!(
        (&found["blockNumber"], &found["nonce"]),
        (&Value::Null, &json!("0x0"))
    );
    let from: Address = serde_json::from_value(found["from"].clone()).unwrap();
    assert_eq!(from, wallet.address());
    let unknown = json!([cloverleaf_types::B256::repeat_byte(7)]);
    assert!(
        http.result("/rollup/901", "eth_getTransactionByHash", unknown)
            .await
            .is_null()
    );
    let receipt = json!([hash(&raw)]);
    assert!(
        http.result("/rollup/901", "eth_getTransactionReceipt", receipt)
            .await
            .is_null()
    );
}

#[tokio::test]
async fn receipt_that_the_rollup_does_not_tell_is_no_skip() {
    let http = &shared().http;
    for (member, value) in [
        (
            "error",
            json!({"code": -32005, "message": "limit exceeded"}),
        ),
        ("message", json!("too many requests")),
        ("result", json!({"root": "0x01"})),
    ] {
        let wallet = Wallet::new();
        let raw = wallet.transfer(ALPHA, 0);
        submit(shared(), ALPHA, &raw, Wait::Committed)
            .await
            .unwrap();
        executed(wallet.address(), 1);
        answered(hash(&raw), member, value);
        let status = http
            .result("/", "seq_getTransactionStatus", json!([hash(&raw)]))
            .await;
        assert_eq!(
            (&status["status"], &status["execution"]),
            (&json!(200), &Value::Null),
            "{member}"
        );
    }
}

#[tokio::test]
async fn what_an_embedded_rollup_has_forgotten_is_neither_skipped_nor_pending() {
    let node = start_with("forgetful", stub_of(forgetful)).await;
    let (network, wallet) = (Network::of(&node), Wallet::new());
    let raw = wallet.transfer(ALPHA, 0);
    submit(&network, ALPHA, &raw, Wait::Committed)
        .await
        .unwrap();
    executed(wallet.address(), 1);
    let named = json!([hash(&raw)]);
    let status = network
        .http
        .result("/", "seq_getTransactionStatus", named.clone())
        .await;
    assert_eq!(
        (&status["state"], &status["status"]),
        (&json!("committed"), &json!(200))
    );
    assert_eq!(status["execution"], Value::Null);
    let found = network
        .http
        .result("/rollup/901", "eth_getTransactionByHash", named);
    assert!(found.await.is_null());
    node.stop().await;
}

#[tokio::test]
async fn every_sender_behind_a_gap_is_asked_about_in_turn() {
    let node = start_with("gaps", stub()).await;
    let network = Network::of(&node);
    let mut wallets: Vec<Wallet> = (0..GAPPED).map(|_| Wallet::new()).collect();
    wallets.sort_by_key(Wallet::address);
    let second = wallets.iter().map(|wallet| wallet.transfer(ALPHA, 1));
    let second: Vec<_> = second.collect();
    for raw in &second {
        network
            .http
            .result("/rollup/901", "eth_sendRawTransaction", json!([raw]))
            .await;
    }
    // Their first transactions went another way: the first sender's and the last one's.
    for (wallet, raw) in [
        (&wallets[0], &second[0]),
        (&wallets[GAPPED - 1], &second[GAPPED - 1]),
    ] {
        executed(wallet.address(), 1);
        let status = submit(&network, ALPHA, raw, Wait::Committed).await.unwrap();
        assert!(status.status.unwrap().height > 0, "it waits no more");
    }
    node.stop().await;
}

#[tokio::test]
async fn rollup_tells_its_own_chain() {
    let http = &shared().http;
    assert_eq!(
        http.result("/rollup/901", "eth_chainId", json!([])).await,
        "0x385"
    );
    assert_eq!(
        http.result("/rollup/902", "net_version", json!([])).await,
        "902"
    );
    let health = http
        .result("/rollup/901", "arb_checkPublisherHealth", json!([]))
        .await;
    assert!(health.is_null());
}

//! A disk that is nearly full: what is said of it, and what is served all the same (D6).

use alloy_signer_local::PrivateKeySigner;
use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_mempool::pool::Limits;
use cloverleaf_node::service::ServiceOptions;
use hyper::StatusCode;
use hyper::header::RETRY_AFTER;
use serde_json::{Value, json};
use tonic::Code;

use crate::grpc::{figure, submit};
use crate::network::{ALPHA, Network, start_node};
use crate::node::TestNode;
use crate::wallet::{Wallet, hash};

/// No disk has so much: a floor that every disk is below.
const NO_DISK_BYTES: u64 = 1 << 60;

/// A node that has committed one transaction, started again with these floors.
async fn node_below(name: &str, soft: u64, hard: u64) -> (TestNode, alloy_primitives::Bytes) {
    let node = start_node(name, Limits::default(), false).await;
    let raw = Wallet::new().transfer(ALPHA, 0);
    let sent = submit(&Network::of(&node), ALPHA, &raw, Wait::Committed).await;
    sent.unwrap();
    let options = ServiceOptions {
        faucet: Some(PrivateKeySigner::random()),
        ..ServiceOptions::default()
    };
    let node = node.restart_as(options, |config| {
        config.store.disk_soft_floor_bytes = soft;
        config.store.disk_hard_floor_bytes = hard;
    });
    (node.await.unwrap(), raw)
}

/// What `/readyz` says about the disk.
async fn disk_check(network: &Network) -> (StatusCode, Value) {
    let answer = network.metrics.get("/readyz?verbose").await;
    let checks = answer.body["checks"].as_array().unwrap().iter();
    let mut found = checks.filter(|check| check["name"] == "disk");
    (answer.status, found.next().unwrap().clone())
}

async fn height(network: &Network) -> String {
    let height = network.http.result("/", "seq_networkInfo", json!([])).await;
    height["height"].as_str().unwrap().to_owned()
}

// D6
#[tokio::test(flavor = "multi_thread")]
async fn disk_below_the_soft_floor_takes_nothing_in_and_says_so_at_every_door() {
    let (node, known) = node_below("soft-floor", NO_DISK_BYTES, 0).await;
    let network = Network::of(&node);
    let (http, method) = (&network.http, "eth_sendRawTransaction");
    let raw = Wallet::new().transfer(ALPHA, 0);
    let refusal = http.refusal("/", method, json!([raw])).await;
    refusal.is(-32603, "diskLow");
    assert_eq!(refusal.status, 503);
    let wait_ms = refusal.data["retryAfterMs"].as_u64().unwrap();
    let wait_seconds = refusal.headers[RETRY_AFTER].to_str().unwrap();
    assert_eq!(wait_seconds, wait_ms.div_ceil(1_000).to_string());

    let info = http.result("/", "seq_networkInfo", json!([])).await;
    let time_ms = u64::from_str_radix(&info["timestamp"].as_str().unwrap()[2..], 16).unwrap();
    let legs = json!([{"chainId": "0x385", "txs": [raw]}]);
    let bundle = json!({"legs": legs, "maxTimestamp": time_ms + 60_000});
    let refusal = http.refusal("/", "seq_sendBundle", json!([bundle])).await;
    refusal.is(-32603, "diskLow");

    let status = submit(&network, ALPHA, &raw, Wait::Received)
        .await
        .unwrap_err();
    let wait = figure(&status, (Code::Unavailable, "diskLow"), "retryAfterMs");
    assert_eq!(wait, wait_ms.to_string());

    let request = json!({"chainId": "0x385", "address": Wallet::new().address()});
    let answer = http.post("/v1/faucet", request.to_string()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.body["data"]["reason"], "diskLow");

    let (status, check) = disk_check(&network).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let detail = check["detail"].as_str().unwrap();
    assert!(detail.contains("store.disk_soft_floor_bytes"), "{detail}");
    let metrics = network.metrics.get("/metrics").await.text;
    assert!(metrics.contains("cloverleaf_storage_disk_floors 1"));

    // What is there is served, and blocks go on.
    let status = http
        .result("/", "seq_getTransactionStatus", json!([hash(&known)]))
        .await;
    assert_eq!(status["state"], "committed");
    let before = height(&network).await;
    let mut tip = node.handle().tip();
    tip.changed().await.unwrap();
    tip.changed().await.unwrap();
    assert_ne!(height(&network).await, before);
    node.stop().await;
}

// D6
#[tokio::test(flavor = "multi_thread")]
async fn disk_below_the_hard_floor_writes_nothing_and_serves_what_it_has() {
    let (node, known) = node_below("hard-floor", NO_DISK_BYTES, NO_DISK_BYTES).await;
    let network = Network::of(&node);
    let (_, check) = disk_check(&network).await;
    let detail = check["detail"].as_str().unwrap();
    assert!(detail.contains("store.disk_hard_floor_bytes"), "{detail}");
    let before = height(&network).await;
    let status = network
        .http
        .result("/", "seq_getTransactionStatus", json!([hash(&known)]))
        .await;
    assert_eq!(status["state"], "committed");
    let live = network.metrics.get("/livez").await;
    assert_eq!(live.status, StatusCode::OK);
    let node = node.restart().await.unwrap();
    let handle = node.handle();
    let found = handle.shared().store.tip().map(|(height, _)| height.0);
    let found = format!("{:#x}", found.unwrap());
    assert_eq!(found, before, "a block was written");
    let mut tip = handle.tip();
    tip.changed().await.unwrap();
    node.stop().await;
}

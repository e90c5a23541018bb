//! What the network says of itself.

use cloverleaf_api::json::{Block, Head, NetworkInfo, Rollup};
use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_types::Secp256k1;
use cloverleaf_types::proof::HeadProof;
use serde_json::{Value, json};

use crate::grpc::submit;
use crate::network::{ALPHA, shared};
use crate::wallet::Wallet;

async fn read<T: serde::de::DeserializeOwned>(method: &str, params: Value) -> T {
    serde_json::from_value(shared().http.result("/", method, params).await).unwrap()
}

#[tokio::test]
async fn network_says_who_it_is_and_whom_to_trust() {
    submit(
        shared(),
        ALPHA,
        &Wallet::new().transfer(ALPHA, 0),
        Wait::Committed,
    )
    .await
    .unwrap();
    let info: NetworkInfo = read("seq_networkInfo", json!([])).await;
    let block: Block = read("seq_getBlock", json!([format!("{:#x}", info.height.0)])).await;
    assert_eq!((block.network, block.hash), (info.network, info.block_hash));
    assert_eq!(block.validators_hash, info.trust.validators.hash());
    assert_eq!(info.grpc.as_deref(), Some(shared().grpc.as_str()));
    assert!(info.validator.is_some() && info.version.starts_with("cloverleaf/v"));
}

#[tokio::test]
async fn rollups_are_listed_with_their_heads() {
    let rollups: Vec<Rollup> = read("seq_listRollups", json!([])).await;
    let listed: Vec<_> = rollups
        .iter()
        .map(|it| (it.chain_id.0, it.execution_rpc, it.bundles))
        .collect();
    let expected = [
        (901, true, true),
        (902, true, true),
        (905, false, true),
        (77, false, true),
    ];
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn head_of_a_rollup_is_proven_by_the_trust_root_alone() {
    submit(
        shared(),
        ALPHA,
        &Wallet::new().transfer(ALPHA, 0),
        Wait::Committed,
    )
    .await
    .unwrap();
    let info: NetworkInfo = read("seq_networkInfo", json!([])).await;
    let proof: HeadProof = read("seq_getProof", json!(["0x385"])).await;
    proof.verify(&info.trust, &Secp256k1).unwrap();
    let head: Head = read("seq_getHead", json!([901])).await;
    assert!(head.seq >= proof.head.seq && proof.head.seq > 0);
    assert_eq!(proof.head.chain_id.0, ALPHA);
}

#[tokio::test]
async fn what_is_not_decided_yet_is_null() {
    let far = "0xffffffffffff";
    for (method, params) in [
        ("seq_getBlock", json!([far])),
        ("seq_getBlock", json!([0])),
        ("seq_getBatch", json!(["0x385", far])),
        ("seq_getBatch", json!(["0x385", 0])),
        (
            "seq_getTransactionStatus",
            json!([cloverleaf_types::B256::ZERO]),
        ),
    ] {
        assert!(
            shared().http.result("/", method, params).await.is_null(),
            "{method}"
        );
    }
}

#[tokio::test]
async fn unknown_rollup_is_an_error_and_not_null() {
    for (method, params) in [
        ("seq_getBatch", json!(["0x387", 1])),
        ("seq_getHead", json!(["0x387"])),
        ("seq_getProof", json!([4])),
    ] {
        let refusal = shared().http.refusal("/", method, params).await;
        refusal.is(-32003, "unknownRollup");
        assert_eq!(refusal.status, 200);
    }
}

#[tokio::test]
async fn every_method_that_is_discovered_at_the_root_is_answered_there() {
    let document = shared().http.result("/", "rpc.discover", json!([])).await;
    for method in document["methods"].as_array().unwrap() {
        let name = method["name"].as_str().unwrap();
        let answer = shared().http.call("/", name, json!([])).await;
        assert_ne!(answer.body["error"]["code"], -32601, "{name}");
    }
}

#[tokio::test]
async fn faucet_gives_by_a_transaction_like_any_other() {
    let address = Wallet::new().address();
    let request = json!({"chainId": "0x385", "address": address}).to_string();
    for _ in 0..2 {
        let answer = shared().http.post("/v1/faucet", request.clone()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let status: Value = read("seq_getTransactionStatus", json!([answer.body["hash"]])).await;
        assert_eq!(status["chainId"], "0x385");
    }
    let answer = shared()
        .http
        .post("/v1/faucet", r#"{"chainId": 901}"#)
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (400, &json!(-32602))
    );
    let unknown = json!({"chainId": 903, "address": address}).to_string();
    let answer = shared().http.post("/v1/faucet", unknown).await;
    assert_eq!(answer.status, 404);
}

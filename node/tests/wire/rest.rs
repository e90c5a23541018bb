//! Reads by path: what JSON-RPC answers, under a path.

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_types::B256;
use serde_json::{Value, json};

use crate::grpc::submit;
use crate::network::{ALPHA, shared};
use crate::wallet::Wallet;

async fn get(path: &str) -> Value {
    let answer = shared().http.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

async fn refusal(path: &str) -> (u16, String) {
    let answer = shared().http.get(path).await;
    let reason = answer.body["data"]["reason"].as_str();
    (
        answer.status.as_u16(),
        reason.unwrap_or_default().to_owned(),
    )
}

async fn commit_something() {
    let raw = Wallet::new().transfer(ALPHA, 0);
    submit(shared(), ALPHA, &raw, Wait::Committed)
        .await
        .unwrap();
}

#[tokio::test]
async fn paths_answer_what_the_calls_answer() {
    commit_something().await;
    let call = async |method, params| shared().http.result("/", method, params).await;
    for (path, method, params) in [
        ("/v1/rollups/901/batches/1", "seq_getBatch", json!([901, 1])),
        (
            "/v1/rollups/0x385/batches/0x1",
            "seq_getBatch",
            json!([901, 1]),
        ),
        ("/v1/blocks/1", "seq_getBlock", json!([1])),
        ("/v1/blocks/0x1", "seq_getBlock", json!([1])),
    ] {
        assert_eq!(get(path).await, call(method, params).await, "{path}");
    }
    let (listed, one) = (get("/v1/rollups").await, get("/v1/rollups/901").await);
    assert_eq!(listed[1]["chainId"], "0x386");
    for name in [
        "chainId",
        "name",
        "format",
        "verification",
        "policy",
        "operator",
    ] {
        assert_eq!(listed[0][name], one[name]);
    }
}

#[tokio::test]
async fn latest_block_and_batch_have_a_path() {
    commit_something().await;
    let batch = get("/v1/rollups/901/batches/latest").await;
    assert_eq!(batch["chainId"], "0x385");
    let height = |block: &Value| block["height"].as_str().unwrap().to_owned();
    let at = get(&format!("/v1/blocks/{}", height(&batch))).await;
    assert_eq!(at["height"], batch["height"]);
    assert!(height(&get("/v1/blocks/latest").await).starts_with("0x"));
}

#[tokio::test]
async fn bundle_has_its_status_under_its_hash() {
    let wallets = [Wallet::new(), Wallet::new()];
    let legs: Vec<Value> = [(901, &wallets[0]), (902, &wallets[1])]
        .into_iter()
        .map(|(chain_id, wallet)| json!({"chainId": chain_id, "txs": [wallet.transfer(chain_id, 0)]}))
        .collect();
    let sent = json!([{"legs": legs}]);
    let sent = shared().http.result("/", "seq_sendBundle", sent).await;
    let hash = sent["bundleHash"].as_str().unwrap();
    let status = get(&format!("/v1/bundles/{hash}")).await;
    assert_eq!(status["bundleHash"], *hash);
    assert!(status["state"].is_string() && status["legs"].is_array());
}

// Astria, audit of April 2024: asking for a block that is not there read out of bounds.
#[tokio::test]
async fn what_is_not_here_is_not_found_and_what_is_no_name_is_refused() {
    let nobody = format!("/v1/bundles/{}", B256::repeat_byte(7));
    for (path, status, reason) in [
        ("/v1/rollups/903", 404, "unknownRollup"),
        ("/v1/rollups/903/batches/1", 404, "unknownRollup"),
        ("/v1/rollups/901/batches/99999999", 404, "notFound"),
        ("/v1/rollups/901/batches/0", 404, "notFound"),
        ("/v1/blocks/99999999", 404, "notFound"),
        (nobody.as_str(), 404, "notFound"),
        ("/v1/rollups/alpha", 400, "malformedJson"),
        ("/v1/rollups/901/batches/earliest", 400, "malformedJson"),
        ("/v1/blocks/-1", 400, "malformedJson"),
        ("/v1/bundles/0x07", 400, "badHex"),
    ] {
        let expected = (status, reason.to_owned());
        assert_eq!(refusal(path).await, expected, "{path}");
    }
}

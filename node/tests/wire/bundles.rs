//! Bundles, good and bad.

use std::slice;

use alloy_primitives::Bytes;
use cloverleaf_api::proto::sequencer::v1::{
    Leg, State, SubmitBundleRequest, Wait, sequencer_service_client::SequencerServiceClient,
};
use cloverleaf_types::proof::BundleProof;
use cloverleaf_types::{Secp256k1, TrustRoot};
use serde_json::{Value, json};

use crate::endpoint::Refusal;
use crate::network::{ALPHA, BETA, shared};
use crate::wallet::{Wallet, hash};

fn leg(chain_id: u64, txs: &[Bytes]) -> Value {
    json!({"chainId": chain_id, "txs": txs})
}

/// A leg with one transfer of a fresh account.
fn good_leg(chain_id: u64) -> Value {
    leg(chain_id, &[Wallet::new().transfer(chain_id, 0)])
}

fn two_legs() -> Vec<Value> {
    vec![good_leg(ALPHA), good_leg(BETA)]
}

async fn refused(bundle: Value) -> Refusal {
    shared()
        .http
        .refusal("/", "seq_sendBundle", json!([bundle]))
        .await
}

/// Now, as the network tells it, in milliseconds.
async fn block_time_ms() -> u64 {
    let info = shared()
        .http
        .result("/", "seq_networkInfo", json!([]))
        .await;
    u64::from_str_radix(&info["timestamp"].as_str().unwrap()[2..], 16).unwrap()
}

#[tokio::test]
async fn bundle_lands_on_both_rollups_in_one_block_and_its_proof_is_true() {
    let http = &shared().http;
    let raws = [ALPHA, BETA].map(|chain_id| Wallet::new().transfer(chain_id, 0));
    let max_timestamp = block_time_ms().await + 60_000;
    let legs = [leg(ALPHA, &raws[..1]), leg(BETA, &raws[1..])];
    let bundle = json!({"legs": legs, "maxTimestamp": max_timestamp});
    let sent = http.result("/", "seq_sendBundle", json!([bundle])).await;
    assert_eq!(
        sent["legs"][1],
        json!({"chainId": "0x386", "txs": [hash(&raws[1])]})
    );
    assert_eq!(sent["maxTimestamp"], format!("{max_timestamp:#x}"));

    // The same bundle again, and wait until it is decided.
    let request = SubmitBundleRequest {
        legs: vec![
            Leg {
                chain_id: ALPHA,
                transactions: vec![raws[0].0.clone()],
            },
            Leg {
                chain_id: BETA,
                transactions: vec![raws[1].0.clone()],
            },
        ],
        max_timestamp_ms: Some(max_timestamp),
        wait: Wait::Committed.into(),
        ..Default::default()
    };
    let mut client = SequencerServiceClient::connect(shared().grpc.clone())
        .await
        .unwrap();
    let told = client.submit_bundle(request).await.unwrap().into_inner();
    let told = told.status.unwrap();
    assert_eq!((told.state(), told.places.len()), (State::Committed, 2));

    let status = http
        .result("/", "seq_getBundleStatus", json!([sent["bundleHash"]]))
        .await;
    assert_eq!(
        (&status["state"], &status["status"]),
        (&json!("committed"), &json!(200))
    );
    let block = http
        .result("/", "seq_getBlock", json!([status["height"]]))
        .await;
    assert!(
        block["bundles"]
            .to_string()
            .contains(sent["bundleHash"].as_str().unwrap())
    );
    for (leg, raw) in status["legs"].as_array().unwrap().iter().zip(&raws) {
        let batch = http
            .result("/", "seq_getBatch", json!([leg["chainId"], leg["seq"]]))
            .await;
        assert_eq!(batch["height"], status["height"]);
        let first = usize::try_from(leg["first"].as_u64().unwrap()).unwrap();
        assert_eq!(batch["transactions"][first]["raw"], raw.to_string());
        let tx = http
            .result("/", "seq_getTransactionStatus", json!([hash(raw)]))
            .await;
        assert_eq!(tx["bundleHash"], sent["bundleHash"]);
    }

    let proof = http
        .result("/", "seq_getBundleProof", json!([sent["bundleHash"]]))
        .await;
    let proof: BundleProof = serde_json::from_value(proof).unwrap();
    let info = http.result("/", "seq_networkInfo", json!([])).await;
    let trust: TrustRoot = serde_json::from_value(info["trust"].clone()).unwrap();
    proof.verify(&trust, &Secp256k1).unwrap();
    assert_eq!(
        proof.bundle_hash.to_string(),
        sent["bundleHash"].as_str().unwrap()
    );
}

#[tokio::test]
async fn bundles_with_too_few_or_too_many_legs_are_refused() {
    refused(json!({"legs": []})).await.is(-32602, "zeroLegs");
    let seventeen: Vec<Value> = (1..=17)
        .map(|chain_id| leg(chain_id, &[vec![2].into()]))
        .collect();
    let refusal = refused(json!({"legs": seventeen})).await;
    refusal.is(-32602, "tooManyLegs");
    assert_eq!(refusal.data["count"], 17);
    refused(json!({"legs": [leg(ALPHA, &[])]}))
        .await
        .is(-32602, "emptyLeg");
    refused(json!({"legs": [leg(0, &[vec![2].into()])]}))
        .await
        .is(-32602, "controlLeg");
}

#[tokio::test]
async fn same_rollup_twice_is_refused() {
    let refusal = refused(json!({"legs": [good_leg(ALPHA), good_leg(ALPHA)]})).await;
    refusal.is(-32602, "duplicateRollup");
    assert_eq!(refusal.data["chainId"], "0x385");
}

#[tokio::test]
async fn same_transaction_twice_is_refused() {
    let raw = Wallet::new().transfer(ALPHA, 0);
    let refusal = refused(json!({"legs": [leg(ALPHA, &[raw.clone(), raw.clone()])]})).await;
    refusal.is(-32602, "duplicateTransaction");
    assert_eq!(refusal.data["hash"], hash(&raw).to_string());
}

#[tokio::test]
async fn bundles_that_hold_too_much_are_refused() {
    let wallet = Wallet::new();
    let many: Vec<Bytes> = (0..65).map(|nonce| wallet.transfer(ALPHA, nonce)).collect();
    refused(json!({"legs": [leg(ALPHA, &many)]}))
        .await
        .is(-32602, "tooManyTransactions");
    let large: Vec<Bytes> = (0..3_u8).map(|byte| vec![byte; 100_000].into()).collect();
    refused(json!({"legs": [leg(ALPHA, &large)]}))
        .await
        .is(-32602, "bundleTooLarge");
}

#[tokio::test]
async fn windows_that_are_empty_or_too_far_are_refused() {
    let now = block_time_ms().await;
    let heights = json!({"legs": two_legs(), "minHeight": 9, "maxHeight": 8});
    let refusal = refused(heights).await;
    refusal.is(-32602, "windowEmpty");
    assert_eq!(refusal.data["window"], "height");
    let times =
        json!({"legs": two_legs(), "minTimestamp": now + 50_001, "maxTimestamp": now + 50_000});
    let refusal = refused(times).await;
    refusal.is(-32602, "windowEmpty");
    assert_eq!(refusal.data["window"], "timestamp");
    let far = json!({"legs": two_legs(), "maxTimestamp": now + 3_600_000});
    refused(far).await.is(-32602, "windowTooFar");
}

#[tokio::test]
async fn window_that_is_over_is_refused() {
    let long_ago = json!({"legs": two_legs(), "maxTimestamp": 1_000});
    refused(long_ago).await.is(-32003, "expired");
}

#[tokio::test]
async fn leg_that_names_another_chain_is_refused() {
    let raw = Wallet::new().transfer(BETA, 0);
    let refusal = refused(json!({"legs": [good_leg(BETA), leg(ALPHA, &[raw])]})).await;
    refusal.is(-32003, "legChainMismatch");
    assert_eq!(
        (&refusal.data["leg"], &refusal.data["got"]),
        (&json!(1), &json!("0x386"))
    );
}

#[tokio::test]
async fn leg_with_a_bad_signature_is_refused() {
    let wallet = Wallet::new();
    let [bad, _] = wallet.badly_signed(BETA, 1);
    let legs = [good_leg(ALPHA), leg(BETA, &[wallet.transfer(BETA, 0), bad])];
    let refusal = refused(json!({"legs": legs})).await;
    refusal.is(-32003, "legBadSignature");
    assert_eq!(
        (&refusal.data["leg"], &refusal.data["tx"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn leg_that_is_no_transaction_is_refused() {
    let legs = [good_leg(ALPHA), leg(BETA, &[vec![2, 0xc0].into()])];
    refused(json!({"legs": legs}))
        .await
        .is(-32602, "malformedRlp");
    let blob = [leg(ALPHA, &[vec![3, 0xc0].into()])];
    refused(json!({"legs": blob}))
        .await
        .is(-32000, "transactionTypeNotSupported");
}

#[tokio::test]
async fn leg_for_an_unknown_rollup_is_refused() {
    let legs = [good_leg(ALPHA), good_leg(903)];
    let refusal = refused(json!({"legs": legs})).await;
    refusal.is(-32003, "unknownRollup");
    assert_eq!(refusal.data["chainId"], "0x387");
}

#[tokio::test]
async fn nothing_is_ignored_in_silence() {
    for (field, value, reason) in [
        ("tip", json!("0x1"), "notSupported"),
        ("atomicity", json!("simulated"), "notSupported"),
        ("revertMode", json!("allow"), "notSupported"),
        ("maxTimestmap", json!("0x1"), "unknownField"),
        ("minHeight", json!("nine"), "badHex"),
    ] {
        let mut bundle = json!({"legs": two_legs()});
        bundle[field] = value;
        let refusal = refused(bundle).await;
        refusal.is(-32602, reason);
        assert_eq!(refusal.data["field"], field);
    }
    refused(json!("bundle")).await.is(-32602, "malformedJson");
}

#[tokio::test]
async fn refused_bundle_leaves_its_transactions_free_and_a_pooled_one_keeps_them() {
    let http = &shared().http;
    let (alpha, beta) = (
        Wallet::new().transfer(ALPHA, 0),
        Wallet::new().transfer(BETA, 0),
    );
    let legs = [
        leg(ALPHA, slice::from_ref(&alpha)),
        leg(BETA, slice::from_ref(&beta)),
    ];
    refused(json!({"legs": legs, "tip": "0x1"}))
        .await
        .is(-32602, "notSupported");
    http.result("/", "eth_sendRawTransaction", json!([alpha]))
        .await;
    let refusal = refused(json!({"legs": legs})).await;
    refusal.is(-32602, "duplicateTransaction");
    assert_eq!(refusal.data["hash"], hash(&alpha).to_string());
    assert!(
        http.result("/", "seq_getTransactionStatus", json!([hash(&beta)]))
            .await
            .is_null()
    );
}

#[tokio::test]
async fn unknown_bundle_has_neither_status_nor_proof() {
    let hash = json!([cloverleaf_types::B256::repeat_byte(7)]);
    for method in ["seq_getBundleStatus", "seq_getBundleProof"] {
        assert!(
            shared()
                .http
                .result("/", method, hash.clone())
                .await
                .is_null()
        );
    }
}

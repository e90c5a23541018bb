//! Transactions, good and bad, at `/` and at `/rollup/<chainId>`.

use alloy_consensus::TxEip1559;
use alloy_primitives::{Bytes, U256};
use cloverleaf_api::proto::sequencer::v1::Wait;
use serde_json::json;

use crate::endpoint::Refusal;
use crate::grpc::submit;
use crate::network::{ALPHA, BETA, shared};
use crate::wallet::{Wallet, hash, transfer};

const TRANSACTION_BYTES_MAX: usize = 128 * 1024;

async fn send(path: &str, raw: &Bytes) -> String {
    let result = shared()
        .http
        .result(path, "eth_sendRawTransaction", json!([raw]))
        .await;
    result.as_str().unwrap().to_owned()
}

async fn refused(path: &str, raw: &Bytes) -> Refusal {
    let refusal = shared()
        .http
        .refusal(path, "eth_sendRawTransaction", json!([raw]))
        .await;
    assert!(
        shared()
            .http
            .result("/", "seq_getTransactionStatus", json!([hash(raw)]))
            .await
            .is_null()
    );
    refusal
}

/// Returns when the transaction is in a durable block.
async fn commit(chain_id: u64, raw: &Bytes) {
    let status = submit(shared(), chain_id, raw, Wait::Committed)
        .await
        .unwrap()
        .status
        .unwrap();
    assert!(status.height > 0, "{status:?}");
}

#[tokio::test]
async fn transaction_is_ordered_and_its_status_says_where() {
    let raw = Wallet::new().transfer(ALPHA, 0);
    assert_eq!(send("/rollup/901", &raw).await, hash(&raw).to_string());
    commit(ALPHA, &raw).await;
    let http = &shared().http;
    let status = http
        .result("/", "seq_getTransactionStatus", json!([hash(&raw)]))
        .await;
    assert_eq!(
        (&status["state"], &status["status"]),
        (&json!("committed"), &json!(200))
    );
    assert_eq!(status["chainId"], "0x385");
    let batch = http
        .result("/", "seq_getBatch", json!(["0x385", status["seq"]]))
        .await;
    let index = usize::try_from(status["index"].as_u64().unwrap()).unwrap();
    assert_eq!(batch["transactions"][index]["raw"], raw.to_string());
    assert_eq!(
        (&batch["height"], &batch["timestamp"]),
        (&status["height"], &status["timestamp"])
    );
    for (path, params) in [
        ("/", json!([hash(&raw), "0x385"])),
        ("/", json!([{"chainId": ALPHA, "hash": hash(&raw)}])),
        ("/rollup/901", json!([hash(&raw)])),
    ] {
        assert_eq!(
            http.result(path, "seq_getTransactionStatus", params).await,
            status
        );
    }
    let elsewhere = http
        .result(
            "/rollup/902",
            "seq_getTransactionStatus",
            json!([hash(&raw)]),
        )
        .await;
    assert!(elsewhere.is_null());
}

#[tokio::test]
async fn root_routes_by_the_transactions_own_chain_id() {
    let wallet = Wallet::new();
    for chain_id in [ALPHA, BETA] {
        let raw = wallet.transfer(chain_id, 0);
        assert_eq!(send("/", &raw).await, hash(&raw).to_string());
        commit(chain_id, &raw).await;
    }
}

#[tokio::test]
async fn legacy_transaction_that_names_its_chain_is_taken() {
    let raw = Wallet::new().legacy(Some(ALPHA), 0);
    assert_eq!(send("/", &raw).await, hash(&raw).to_string());
}

#[tokio::test]
async fn duplicate_is_answered_with_its_hash_pooled_or_committed() {
    let raw = Wallet::new().transfer(ALPHA, 0);
    for path in ["/rollup/901", "/rollup/901", "/"] {
        assert_eq!(send(path, &raw).await, hash(&raw).to_string());
    }
    commit(ALPHA, &raw).await;
    for path in ["/rollup/901", "/"] {
        assert_eq!(send(path, &raw).await, hash(&raw).to_string());
    }
}

#[tokio::test]
async fn conditional_transaction_is_answered_with_its_hash_however_often_it_is_sent() {
    let method = "eth_sendRawTransactionConditional";
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let (soon, at_once) = (now.as_secs() + 60, now.as_secs() - 60);
    for (from, is_committed) in [(soon, false), (at_once, true)] {
        let raw = Wallet::new().transfer(ALPHA, 0);
        // Each names another end, as a retry does that names none.
        for end in 90..95 {
            let window = json!({"timestampMin": from, "timestampMax": now.as_secs() + end});
            let sent = shared()
                .http
                .result("/rollup/901", method, json!([raw, window]))
                .await;
            assert_eq!(sent, hash(&raw).to_string());
            if is_committed {
                commit(ALPHA, &raw).await;
            }
        }
    }
}

#[tokio::test]
async fn malformed_rlp_is_refused() {
    let good = Wallet::new().transfer(ALPHA, 0);
    let trailing: Bytes = [&good[..], &[0]].concat().into();
    let short: Bytes = good[..good.len() - 1].to_vec().into();
    for raw in [
        trailing,
        short,
        Bytes::new(),
        vec![0x02].into(),
        vec![0x81, 0x01].into(),
    ] {
        for path in ["/", "/rollup/901"] {
            refused(path, &raw).await.is(-32602, "malformedRlp");
        }
    }
}

#[tokio::test]
async fn wrong_chain_id_is_refused_in_geths_words() {
    let raw = Wallet::new().transfer(BETA, 0);
    let refusal = refused("/rollup/901", &raw).await;
    refusal.is(-32000, "wrongChainId");
    assert_eq!(
        refusal.message,
        "invalid chain id for signer: have 902 want 901"
    );
    assert_eq!(
        (&refusal.data["expected"], &refusal.data["got"]),
        (&json!("0x385"), &json!("0x386"))
    );
}

#[tokio::test]
async fn transaction_for_an_unknown_rollup_is_refused() {
    let refusal = refused("/", &Wallet::new().transfer(903, 0)).await;
    refusal.is(-32003, "unknownRollup");
    assert_eq!(
        (&refusal.data["chainId"], refusal.status),
        (&json!("0x387"), 200)
    );
}

#[tokio::test]
async fn bad_signatures_are_refused() {
    for raw in Wallet::new().badly_signed(ALPHA, 0) {
        let refusal = refused("/rollup/901", &raw).await;
        refusal.is(-32000, "invalidSender");
        assert_eq!(refusal.message, "invalid sender");
    }
}

#[tokio::test]
async fn blob_and_deposit_types_are_refused() {
    for (kind, name) in [(0x03, "0x3"), (0x7e, "0x7e"), (0x05, "0x5")] {
        let refusal = refused("/rollup/901", &vec![kind, 0xc0].into()).await;
        refusal.is(-32000, "transactionTypeNotSupported");
        assert!(
            refusal
                .message
                .starts_with("transaction type not supported")
        );
        assert_eq!(refusal.data["type"], name);
    }
}

#[tokio::test]
async fn unprotected_legacy_is_refused_in_geths_words() {
    let refusal = refused("/rollup/901", &Wallet::new().legacy(None, 0)).await;
    refusal.is(-32000, "notReplayProtected");
    let words = "only replay-protected (EIP-155) transactions allowed over RPC";
    assert_eq!(refusal.message, words);
}

#[tokio::test]
async fn transaction_of_more_than_128_kib_is_refused_and_of_exactly_that_taken() {
    let wallet = Wallet::new();
    let padded = |input: usize, value: u64| {
        wallet.signed(TxEip1559 {
            gas_limit: 10_000_000,
            value: U256::from(value),
            input: vec![0; input].into(),
            ..transfer(ALPHA, 0)
        })
    };
    // A signature with a zero in front is a byte shorter: then another value is signed.
    let sized = |bytes: usize| {
        let input = bytes - 117;
        let mut tries = (1..100).map(|value| padded(input, value));
        tries
            .find(|raw| raw.len() == bytes)
            .expect("most signatures have all their bytes")
    };
    let refusal = refused("/rollup/901", &sized(TRANSACTION_BYTES_MAX + 1)).await;
    refusal.is(-32000, "oversizedData");
    assert_eq!(
        (&refusal.data["bytes"], &refusal.data["limit"]),
        (&json!(131_073), &json!(131_072))
    );
    let largest = sized(TRANSACTION_BYTES_MAX);
    assert_eq!(
        send("/rollup/901", &largest).await,
        hash(&largest).to_string()
    );
}

#[tokio::test]
async fn transaction_that_cannot_pay_for_itself_is_refused() {
    let wallet = Wallet::new();
    let poor = wallet.signed(TxEip1559 {
        gas_limit: 20_999,
        ..transfer(ALPHA, 0)
    });
    let refusal = refused("/rollup/901", &poor).await;
    refusal.is(-32000, "intrinsicGasTooLow");
    assert_eq!(
        refusal.message,
        "intrinsic gas too low: gas 20999, minimum needed 21000"
    );
    let generous = wallet.signed(TxEip1559 {
        max_priority_fee_per_gas: 2_000_000_001,
        ..transfer(ALPHA, 0)
    });
    refused("/rollup/901", &generous)
        .await
        .is(-32000, "feeCapBelowTip");
}

#[tokio::test]
async fn nonce_that_is_used_is_refused_in_geths_words_with_the_next() {
    let wallet = Wallet::new();
    let first = wallet.transfer(ALPHA, 0);
    send("/rollup/901", &first).await;
    commit(ALPHA, &first).await;
    let other = wallet.signed(TxEip1559 {
        gas_limit: 22_000,
        ..transfer(ALPHA, 0)
    });
    let refusal = refused("/rollup/901", &other).await;
    refusal.is(-32000, "nonceTooLow");
    assert_eq!(refusal.message, "nonce too low: next nonce 1, tx nonce 0");
    assert_eq!(
        (&refusal.data["expected"], &refusal.data["got"]),
        (&json!("0x1"), &json!("0x0"))
    );
}

#[tokio::test]
async fn nonce_gap_parks_and_the_missing_nonce_frees_what_waits() {
    let wallet = Wallet::new();
    let raws = [0, 1, 2].map(|nonce| wallet.transfer(ALPHA, nonce));
    send("/rollup/901", &raws[0]).await;
    commit(ALPHA, &raws[0]).await;
    send("/rollup/901", &raws[2]).await;
    let status = shared()
        .http
        .result("/", "seq_getTransactionStatus", json!([hash(&raws[2])]))
        .await;
    assert_eq!(
        (&status["state"], &status["reason"]),
        (&json!("parked"), &json!("nonceGap"))
    );
    send("/rollup/901", &raws[1]).await;
    commit(ALPHA, &raws[2]).await;
}

#[tokio::test]
async fn underpriced_replacement_is_refused_and_a_better_one_taken() {
    let wallet = Wallet::new();
    // Behind a gap, so that it stays in the pool.
    send("/rollup/901", &wallet.transfer(ALPHA, 0)).await;
    let waiting = wallet.transfer(ALPHA, 2);
    send("/rollup/901", &waiting).await;
    let priced = |percent: u128| {
        wallet.signed(TxEip1559 {
            max_fee_per_gas: 20_000_000 * percent,
            max_priority_fee_per_gas: 10_000_000 * percent,
            ..transfer(ALPHA, 2)
        })
    };
    let refusal = refused("/rollup/901", &priced(109)).await;
    refusal.is(-32000, "replacementUnderpriced");
    assert_eq!(refusal.data["hash"], hash(&waiting).to_string());
    send("/rollup/901", &priced(110)).await;
    let status = shared()
        .http
        .result("/", "seq_getTransactionStatus", json!([hash(&waiting)]))
        .await;
    assert_eq!(status["state"], "replaced");
}

#[tokio::test]
async fn sender_has_room_for_sixty_four_waiting_transactions() {
    let wallet = Wallet::new();
    let first = wallet.transfer(ALPHA, 0);
    send("/rollup/901", &first).await;
    commit(ALPHA, &first).await;
    send("/rollup/901", &wallet.transfer(ALPHA, 64)).await;
    let refusal = refused("/rollup/901", &wallet.transfer(ALPHA, 65)).await;
    refusal.is(-32005, "senderFull");
    assert_eq!(
        (refusal.status, &refusal.data["expected"]),
        (429, &json!("0x1"))
    );
}

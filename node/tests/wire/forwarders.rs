//! A forwarder's view: what is ours is taken, all else is passed on, in one batch or alone.

use alloy_primitives::Bytes;
use hyper::header::RETRY_AFTER;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::endpoint::{Http, Refusal};
use crate::network::{ALPHA, GAMMA, shared};
use crate::overlay::start_asking;
use crate::wallet::{Wallet, hash};

fn call(id: u64, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

#[tokio::test]
async fn batch_of_calls_that_are_ours_and_the_rollups_is_answered_in_order() {
    let wallet = Wallet::new();
    let raws = [0, 1].map(|nonce| wallet.transfer(ALPHA, nonce));
    let pending = json!([wallet.address(), "pending"]);
    let calls = json!([
        call(10, "eth_getBalance", json!(["first"])),
        call(11, "eth_sendRawTransaction", json!([raws[0]])),
        call(12, "eth_getTransactionCount", pending.clone()),
        call(13, "eth_sendRawTransaction", json!([raws[1]])),
        call(14, "eth_getTransactionCount", pending),
        call(15, "eth_call", json!([{}])),
        call(16, "eth_chainId", json!([])),
        call(17, "admin_peers", json!([])),
    ]);
    let answer = shared().http.post("/rollup/901", calls.to_string()).await;
    let answers = answer.body.as_array().unwrap();
    let ids: Vec<u64> = answers
        .iter()
        .map(|it| it["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, (10..18).collect::<Vec<_>>());
    assert_eq!(answers[0]["result"], json!(["the rollup", ["first"]]));
    assert_eq!(answers[1]["result"], hash(&raws[0]).to_string());
    assert_eq!(
        answers[2]["result"], "0x1",
        "what was sent before is counted"
    );
    assert_eq!(answers[3]["result"], hash(&raws[1]).to_string());
    assert_eq!(answers[4]["result"], "0x2");
    assert_eq!(answers[5]["error"]["code"], 3);
    assert_eq!(answers[6]["result"], "0x385");
    Refusal::of(&answers[7]).is(-32601, "methodNotFound");
}

#[tokio::test]
async fn execution_rpc_that_does_not_answer_is_not_asked_for_a_while_and_that_is_visible() {
    let http = &shared().http;
    let mut refusals = Vec::new();
    for _ in 0..20 {
        let refusal = http
            .refusal("/rollup/902", "eth_blockNumber", json!([]))
            .await;
        refusal.is(-32603, "executionRpcDown");
        refusals.push(refusal);
    }
    let open = refusals.iter().find(|it| it.data["circuit"] == "open");
    let open = open.expect("after some failures nobody is asked");
    assert!(open.data["retryAfterMs"].as_u64().unwrap() <= 5_000);
    assert!(open.headers.contains_key(RETRY_AFTER));
    let rollups = http.result("/", "seq_listRollups", json!([])).await;
    let circuit = |chain_id: &str| {
        let mut rollups = rollups.as_array().unwrap().iter();
        let found = rollups.find(|it| it["chainId"] == chain_id).unwrap();
        found["executionCircuit"].clone()
    };
    assert_ne!(circuit("0x386"), "closed");
    assert_eq!(circuit("0x385"), "closed");
    assert_eq!(circuit("0x389"), Value::Null);
}

#[tokio::test]
async fn batch_of_fifty_sends_is_answered_while_the_execution_rpc_hangs() {
    // The system takes connections for it, and nobody ever answers.
    let hangs = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", hangs.local_addr().unwrap());
    let node = start_asking("hangs", url).await;
    let raws: Vec<Bytes> = (0..50).map(|_| Wallet::new().transfer(ALPHA, 0)).collect();
    let calls = (0..).zip(&raws);
    let calls = calls.map(|(id, raw)| call(id, "eth_sendRawTransaction", json!([raw])));
    let body = Value::Array(calls.collect()).to_string();
    let answer = Http::new(&node.http_url).post("/rollup/901", body).await;
    assert_eq!(answer.status, 200);
    let answers = answer.body.as_array().unwrap();
    assert_eq!(answers.len(), raws.len());
    for (answer, raw) in answers.iter().zip(&raws) {
        assert_eq!(answer["result"], hash(raw).to_string(), "{answer}");
    }
    node.stop().await;
}

#[tokio::test]
async fn without_an_execution_rpc_reads_do_not_exist_and_transactions_are_taken() {
    let http = &shared().http;
    for method in [
        "eth_blockNumber",
        "eth_getBalance",
        "eth_getTransactionReceipt",
    ] {
        let refusal = http.refusal("/rollup/905", method, json!([])).await;
        refusal.is(-32601, "methodNotFound");
        let words = format!("the method {method} does not exist/is not available");
        assert_eq!(refusal.message, words);
    }
    let raw = Wallet::new().transfer(GAMMA, 0);
    let sent = http
        .result("/rollup/905", "eth_sendRawTransaction", json!([raw]))
        .await;
    assert_eq!(sent, hash(&raw).to_string());
    let count = json!([Wallet::new().address(), "pending"]);
    let refusal = http
        .refusal("/rollup/905", "eth_getTransactionCount", count)
        .await;
    refusal.is(-32601, "methodNotFound");
}

#[tokio::test]
async fn pooled_transaction_is_pending_for_wallets_whether_or_not_its_rollup_answers() {
    for (chain_id, path) in [
        (ALPHA, "/rollup/901"),
        (902, "/rollup/902"),
        (GAMMA, "/rollup/905"),
    ] {
        let (http, wallet) = (&shared().http, Wallet::new());
        let first = wallet.transfer(chain_id, 0);
        http.result(path, "eth_sendRawTransaction", json!([first]))
            .await;
        // Behind a gap, so that it stays in the pool.
        let pooled = wallet.transfer(chain_id, 2);
        http.result(path, "eth_sendRawTransaction", json!([pooled]))
            .await;
        let found = http
            .result(path, "eth_getTransactionByHash", json!([hash(&pooled)]))
            .await;
        assert_eq!(found["hash"], hash(&pooled).to_string());
        assert_eq!(
            found["from"],
            json!(wallet.address()).as_str().unwrap().to_lowercase()
        );
        assert_eq!(
            (&found["blockHash"], &found["nonce"]),
            (&Value::Null, &json!("0x2"))
        );
    }
    let unknown = json!([cloverleaf_types::B256::repeat_byte(7)]);
    let refusal = shared()
        .http
        .refusal("/rollup/905", "eth_getTransactionByHash", unknown)
        .await;
    refusal.is(-32601, "methodNotFound");
}

#[tokio::test]
async fn node_tells_forwarders_its_health_and_its_namespaces() {
    let http = &shared().http;
    for path in ["/", "/rollup/901"] {
        let health = http
            .result(path, "arb_checkPublisherHealth", json!([]))
            .await;
        assert!(health.is_null());
        let modules = http.result(path, "rpc_modules", json!([])).await;
        assert_eq!(
            (&modules["eth"], &modules["seq"]),
            (&json!("1.0"), &json!("1.0"))
        );
    }
}

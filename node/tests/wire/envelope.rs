//! Bodies, batches, paths and names that are wrong.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::endpoint::Refusal;
use crate::network::shared;

fn batch(calls: usize) -> String {
    let call = |id| json!({"jsonrpc": "2.0", "id": id, "method": "web3_clientVersion"});
    Value::Array((0..calls).map(call).collect()).to_string()
}

#[tokio::test]
async fn malformed_json_is_a_parse_error() {
    for body in [
        "",
        "{",
        "nonsense",
        "[{]",
        r#"{"id":1,"method":"m"} trailing"#,
    ] {
        let answer = shared().http.post("/", body).await;
        Refusal::of(&answer.body).is(-32700, "parseError");
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.body["id"], Value::Null);
    }
    let metrics = shared().metrics.get("/metrics").await.text;
    let counted = r#"cloverleaf_rpc_requests_total{class="none",outcome="parseError"} "#;
    assert!(metrics.contains(counted), "what is no call is counted too");
}

#[tokio::test]
async fn json_that_is_no_call_is_malformed() {
    for (body, id) in [
        ("7", Value::Null),
        ("{}", Value::Null),
        (r#"{"id":1}"#, json!(1)),
        (r#"{"id":"a","method":2}"#, json!("a")),
        ("[]", Value::Null),
    ] {
        let answer = shared().http.post("/", body).await;
        Refusal::of(&answer.body).is(-32602, "malformedJson");
        assert_eq!(answer.body["id"], id, "{body}");
    }
}

#[tokio::test]
async fn json_nested_deeper_than_sixteen_levels_is_not_read() {
    let body = format!(
        r#"{{"id":1,"method":"m","params":{}{}}}"#,
        "[".repeat(16),
        "]".repeat(16)
    );
    let answer = shared().http.post("/", body).await;
    Refusal::of(&answer.body).is(-32700, "parseError");
}

#[tokio::test]
async fn batch_of_fifty_calls_is_answered_in_order_and_fifty_one_are_refused() {
    let answer = shared().http.post("/", batch(50)).await;
    let ids: Vec<u64> = answer
        .body
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, (0..50).collect::<Vec<_>>());
    let answer = shared().http.post("/", batch(51)).await;
    let refusal = Refusal::of(&answer.body);
    refusal.is(-32600, "batchTooLarge");
    assert_eq!(
        (answer.status, &refusal.data["limit"]),
        (StatusCode::OK, &json!(50))
    );
}

#[tokio::test]
async fn bad_calls_of_a_batch_do_not_harm_the_others() {
    let calls = json!([
        {"jsonrpc": "2.0", "id": "a", "method": "no_such"},
        {"jsonrpc": "2.0", "method": "web3_clientVersion"},
        7,
        {"jsonrpc": "2.0", "id": null, "method": "web3_clientVersion"},
    ]);
    let answer = shared().http.post("/", calls.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answers = answer.body.as_array().unwrap();
    assert_eq!(
        answers.len(),
        3,
        "a notification has no answer: {}",
        answer.body
    );
    Refusal::of(&answers[0]).is(-32601, "methodNotFound");
    Refusal::of(&answers[1]).is(-32602, "malformedJson");
    assert!(
        answers[2]["result"]
            .as_str()
            .unwrap()
            .starts_with("cloverleaf/v")
    );
}

#[tokio::test]
async fn notification_alone_is_answered_with_nothing() {
    let answer = shared()
        .http
        .post("/", r#"{"jsonrpc":"2.0","method":"web3_clientVersion"}"#)
        .await;
    assert_eq!(
        (answer.status, answer.body),
        (StatusCode::NO_CONTENT, Value::Null)
    );
}

#[tokio::test]
async fn body_of_more_than_a_mebibyte_is_refused() {
    let body = |bytes: usize| format!(r#"{{"id":1,"method":"{}"}}"#, "m".repeat(bytes - 20));
    assert_eq!(body(1024 * 1024).len(), 1024 * 1024);
    let answer = shared().http.post("/", body(1024 * 1024)).await;
    Refusal::of(&answer.body).is(-32601, "methodNotFound");
    let answer = shared().http.post("/", body(1024 * 1024 + 1)).await;
    Refusal::of(&answer.body).is(-32600, "bodyTooLarge");
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn path_of_an_unknown_rollup_is_404() {
    for path in [
        "/rollup/903",
        "/rollup/0",
        "/rollup/alpha",
        "/rollup/18446744073709551616",
    ] {
        let answer = shared().http.post(path, batch(1)).await;
        Refusal::of(&answer.body).is(-32003, "unknownRollup");
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn unknown_methods_are_refused_in_the_words_that_libraries_match() {
    for (path, method) in [
        ("/", "eth_getBalance"),
        ("/", "eth_chainId"),
        ("/", "seq_noSuch"),
        ("/rollup/901", "admin_peers"),
        ("/rollup/901", "eth_sendTransaction"),
        ("/rollup/901", "seq_noSuch"),
    ] {
        let refusal = shared().http.refusal(path, method, json!([])).await;
        refusal.is(-32601, "methodNotFound");
        let words = format!("the method {method} does not exist/is not available");
        assert_eq!((refusal.message, refusal.status), (words, 200));
    }
}

#[tokio::test]
async fn parameters_of_another_shape_name_the_field() {
    for (method, params, reason, field) in [
        ("eth_sendRawTransaction", json!([]), "malformedJson", "raw"),
        ("eth_sendRawTransaction", json!([7]), "malformedJson", "raw"),
        ("eth_sendRawTransaction", json!(["02f8"]), "badHex", "raw"),
        ("eth_sendRawTransaction", json!(["0x02f"]), "badHex", "raw"),
        (
            "eth_sendRawTransaction",
            json!(["0x", "0x"]),
            "malformedJson",
            "params",
        ),
        (
            "seq_getBundleStatus",
            json!(["0x01"]),
            "badHex",
            "bundleHash",
        ),
        (
            "seq_getBlock",
            json!(["earliest"]),
            "malformedJson",
            "height",
        ),
        (
            "seq_getHead",
            json!({"chain": 901}),
            "unknownField",
            "chain",
        ),
    ] {
        let refusal = shared().http.refusal("/", method, params).await;
        refusal.is(-32602, reason);
        assert_eq!(refusal.data["field"], field, "{method}");
    }
}

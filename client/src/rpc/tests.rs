//! Tests of the JSON-RPC client against a server that answers what it is told.

use tokio::net::TcpListener;

use super::*;
use crate::servers::answer;

/// What the client makes of one answer, and what it asked.
async fn ask<T>(
    status: u16,
    body: Value,
    call: impl AsyncFnOnce(RpcClient) -> T,
) -> (T, String, Value) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = RpcClient::new(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let body = match body {
        Value::String(text) => text,
        json => json.to_string(),
    };
    let (result, mut asked) = tokio::join!(call(client), answer(listener, vec![(status, body)]));
    let (line, body) = asked.remove(0);
    (result, line, body)
}

#[tokio::test]
async fn call_is_json_rpc_and_its_result_is_read() {
    let answer = json!({"jsonrpc": "2.0", "id": 1, "result": "0x385"});
    let call = async |client: RpcClient| client.call("eth_chainId", json!([])).await;
    let (result, line, asked): (Result<Quantity, Error>, _, _) = ask(200, answer, call).await;
    assert_eq!(result.unwrap(), Quantity(901));
    assert_eq!(line, "POST / HTTP/1.1");
    let expected = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []});
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn rollup_has_its_own_path() {
    let answer = json!({"jsonrpc": "2.0", "id": 1, "result": B256::ZERO});
    let call = async |client: RpcClient| {
        let rollup = client.rollup(ChainId(901)).unwrap();
        rollup
            .send_raw_transaction(&Bytes::from_static(&[2, 3]))
            .await
    };
    let (result, line, asked) = ask(200, answer, call).await;
    assert_eq!(result.unwrap(), B256::ZERO);
    assert_eq!(line, "POST /rollup/901 HTTP/1.1");
    assert_eq!(asked["params"], json!(["0x0203"]));
}

#[tokio::test]
async fn refusal_keeps_its_reason_and_evidence_whatever_the_http_status() {
    let error = json!({
        "code": -32005, "message": "the pool is full",
        "data": {"reason": "poolFull", "retryAfterMs": 500},
    });
    let answer = json!({"jsonrpc": "2.0", "id": 1, "error": error});
    let call = async |client: RpcClient| client.bundle_status(B256::ZERO).await;
    let (result, _, _) = ask(429, answer, call).await;
    let Err(Error::Refused {
        method,
        code,
        message,
        reason,
        data,
    }) = result
    else {
        panic!("not refused");
    };
    assert_eq!((method.as_str(), code), ("seq_getBundleStatus", -32005));
    assert_eq!(
        (message.as_str(), reason),
        ("the pool is full", Some(Reason::PoolFull))
    );
    assert_eq!(data["retryAfterMs"], 500);
}

#[tokio::test]
async fn null_is_nothing_where_nothing_is_an_answer() {
    let answer = json!({"jsonrpc": "2.0", "id": 1, "result": null});
    let call = async |client: RpcClient| client.block(At::Number(9)).await;
    let (result, _, asked) = ask(200, answer.clone(), call).await;
    assert_eq!(result.unwrap(), None);
    assert_eq!(asked["params"], json!(["0x9"]));
    let call = async |client: RpcClient| client.head(ChainId(901)).await;
    let (result, _, _) = ask(200, answer, call).await;
    assert!(matches!(result, Err(Error::Shape { .. })));
}

#[tokio::test]
async fn what_is_no_json_rpc_is_said_with_its_status() {
    let call = async |client: RpcClient| client.rollups().await;
    let (result, _, _) = ask(502, json!("<html>Bad Gateway</html>"), call).await;
    assert!(matches!(result, Err(Error::NotJsonRpc { status: 502, .. })));
}

#[tokio::test]
async fn nobody_at_the_address_is_said_in_the_systems_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = RpcClient::new(&url)
        .unwrap()
        .network_info()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn faucet_is_asked_by_rest() {
    let answer = json!({"chainId": "0x385", "hash": B256::ZERO});
    let address = alloy_primitives::Address::repeat_byte(1);
    let request = FaucetRequest {
        chain_id: ChainId(901),
        address,
    };
    let call = async |client: RpcClient| client.faucet(&request).await;
    let (result, line, asked) = ask(200, answer, call).await;
    assert_eq!(result.unwrap().hash, B256::ZERO);
    assert_eq!(line, "POST /v1/faucet HTTP/1.1");
    assert_eq!(asked["chainId"], "0x385");
}

#[test]
fn only_plain_http_addresses_are_taken() {
    assert!(RpcClient::new("http://127.0.0.1:4545").is_ok());
    for url in [
        "127.0.0.1:4545",
        "https://example.org",
        "http://",
        "not an address",
    ] {
        assert!(
            matches!(RpcClient::new(url), Err(Error::BadUrl { .. })),
            "{url}"
        );
    }
}

#[tokio::test]
async fn batch_has_an_answer_for_each_call_in_whatever_order_they_come() {
    let (one, two) = (Bytes::from_static(&[1]), Bytes::from_static(&[2]));
    let full = json!({"code": -32005, "message": "full", "data": {"reason": "poolFull"}});
    let answer = json!([
        {"jsonrpc": "2.0", "id": 1, "error": full},
        {"jsonrpc": "2.0", "id": 0, "result": B256::ZERO},
    ]);
    let call = async |client: RpcClient| client.send_raw_transactions(&[one, two]).await;
    let (result, _, asked) = ask(200, answer, call).await;
    let result = result.unwrap();
    assert_eq!(result[0].as_ref().unwrap(), &B256::ZERO);
    assert!(matches!(
        result[1],
        Err(Error::Refused {
            reason: Some(Reason::PoolFull),
            ..
        })
    ));
    assert_eq!(
        (&asked[0]["params"], &asked[1]["id"]),
        (&json!(["0x01"]), &json!(1))
    );
}

#[tokio::test]
async fn batch_that_is_not_answered_call_by_call_says_nothing_of_any() {
    let answer = json!([{"jsonrpc": "2.0", "id": 7, "result": B256::ZERO}]);
    let raws = [Bytes::from_static(&[1])];
    let call = async |client: RpcClient| client.send_raw_transactions(&raws).await;
    let (result, _, _) = ask(200, answer, call).await;
    assert!(matches!(result, Err(Error::NotJsonRpc { .. })));
}

//! Transactions that are sent to the rollup go to the sequencer, and its words come back.

use std::sync::Arc;

use axum::{Json, Router, body::Body, extract::State, http::Request, routing::post};
use cloverleaf_client::RpcClient;
use cloverleaf_evm::router;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};
use tower::ServiceExt as _;

use crate::common::World;

/// A sequencer that takes everything but `0x02`, and says what it was asked.
async fn take(Json(call): Json<Value>) -> Json<Value> {
    let refusal = json!({
        "code": -32005, "message": "the pool is full", "data": {"retryAfterMs": 1_000},
    });
    let outcome = match call["params"][0].as_str() {
        Some("0x02") => ("error", refusal),
        _ => ("result", json!([call["method"], call["params"]])),
    };
    Json(json!({"jsonrpc": "2.0", "id": call["id"], outcome.0: outcome.1}))
}

/// A sequencer's URL; it is served for as long as the test runs.
async fn sequencer() -> String {
    serve(Router::new().route("/rollup/901", post(take))).await
}

async fn serve(service: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/rollup/901", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move { axum::serve(listener, service).await });
    url
}

async fn answer(world: &World, sequencer: &str, body: Value) -> Value {
    let sequencer = RpcClient::new(sequencer).unwrap();
    ask(router(world.rollup.clone(), Some(sequencer)), body).await
}

async fn ask(service: Router, body: Value) -> Value {
    let request = Request::post("/")
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = service.oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

fn call(id: u64, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

#[tokio::test]
async fn what_sends_is_forwarded_and_what_reads_is_not() {
    let (world, sequencer) = (World::new(), sequencer().await);
    for method in [
        "eth_sendRawTransaction",
        "eth_sendRawTransactionSync",
        "eth_sendRawTransactionConditional",
    ] {
        let answer = answer(&world, &sequencer, call(7, method, json!(["0x01", 5]))).await;
        assert_eq!(answer["result"], json!([method, ["0x01", 5]]));
    }
    let read = answer(&world, &sequencer, call(7, "eth_chainId", json!([]))).await;
    assert_eq!(read["result"], "0x385");
}

#[tokio::test]
async fn refusals_of_the_sequencer_come_back_unchanged() {
    let (world, sequencer) = (World::new(), sequencer().await);
    let sent = call(7, "eth_sendRawTransaction", json!(["0x02"]));
    let answer = answer(&world, &sequencer, sent).await;
    let error = json!({
        "code": -32005, "message": "the pool is full", "data": {"retryAfterMs": 1_000},
    });
    assert_eq!(answer["error"], error);
}

#[tokio::test]
async fn batch_of_forwarded_and_read_calls_is_answered_in_order() {
    let (world, sequencer) = (World::new(), sequencer().await);
    let calls = json!([
        call(1, "eth_chainId", json!([])),
        call(2, "eth_sendRawTransaction", json!(["0x01"])),
        call(3, "eth_blockNumber", json!([])),
        call(4, "eth_sendRawTransaction", json!(["0x02"])),
    ]);
    let answers = answer(&world, &sequencer, calls).await;
    let ids: Vec<&Value> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["id"])
        .collect();
    assert_eq!(ids, [1, 2, 3, 4]);
    assert_eq!(answers[1]["result"][0], "eth_sendRawTransaction");
    assert_eq!(answers[3]["error"]["code"], -32005);
}

#[tokio::test]
async fn sequencer_that_does_not_answer_is_an_error_and_reads_go_on() {
    let (world, nobody) = (World::new(), "http://127.0.0.1:1");
    let sent = call(7, "eth_sendRawTransaction", json!(["0x01"]));
    let refused = answer(&world, nobody, sent).await;
    assert_eq!(refused["error"]["code"], -32603);
    let read = answer(&world, nobody, call(7, "eth_blockNumber", json!([]))).await;
    assert_eq!(read["result"], "0x0");
}

#[tokio::test]
async fn rollup_without_a_sequencer_takes_no_transactions() {
    let world = World::new();
    let answer = world.call("eth_sendRawTransaction", json!(["0x01"])).await;
    assert_eq!(answer["error"]["code"], -32601);
}

/// Calls that a rollup has with its sequencer at the same time, and one more.
const TOO_MANY: usize = 17;

/// A sequencer that answers when it may, and says that somebody waits.
#[derive(Clone)]
struct Slow {
    waiting: Arc<Semaphore>,
    may_answer: Arc<Semaphore>,
}

async fn take_slowly(State(slow): State<Slow>, call: Json<Value>) -> Json<Value> {
    slow.waiting.add_permits(1);
    slow.may_answer.acquire().await.unwrap().forget();
    take(call).await
}

#[tokio::test]
async fn calls_that_wait_for_a_slow_sequencer_are_limited_and_hold_up_no_reads() {
    let world = World::new();
    let slow = Slow {
        waiting: Arc::new(Semaphore::new(0)),
        may_answer: Arc::new(Semaphore::new(0)),
    };
    let service = Router::new().route("/rollup/901", post(take_slowly));
    let sequencer = serve(service.with_state(slow.clone())).await;
    let sequencer = RpcClient::new(&sequencer).unwrap();
    let service = router(world.rollup.clone(), Some(sequencer));
    let send = call(7, "eth_sendRawTransaction", json!(["0x01"]));
    let mut sent = JoinSet::new();
    for _ in 0..TOO_MANY {
        sent.spawn(ask(service.clone(), send.clone()));
    }
    let others = u32::try_from(TOO_MANY - 1).unwrap();
    slow.waiting.acquire_many(others).await.unwrap().forget();
    for number in 0..2 * TOO_MANY {
        let read = ask(service.clone(), call(7, "eth_chainId", json!([]))).await;
        assert_eq!(read["result"], "0x385", "read {number}");
    }
    assert_eq!(slow.waiting.available_permits(), 0, "one more waits here");
    slow.may_answer.add_permits(TOO_MANY);
    while let Some(answer) = sent.join_next().await {
        assert_eq!(answer.unwrap()["result"][0], "eth_sendRawTransaction");
    }
}

//! Executions against a server that answers whatever a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::post;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

use super::*;
use crate::rpc::limits::EXECUTION_FAILURES_MAX;

const ROLLUP: ChainId = ChainId(901);

/// Runs a test while this answers for the rollup: what is said to a method.
async fn with_server<F: Future<Output = ()>>(
    answer: fn(&str) -> String,
    test: impl FnOnce(Executions) -> F,
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |body: String| async move {
        let call: Value = serde_json::from_str(&body).unwrap();
        answer(call["method"].as_str().unwrap())
    };
    let router = Router::new().route("/", post(answer));
    let executions = Executions::new(BTreeMap::from([(ROLLUP, url)]));
    tokio::select! {
        ended = async { axum::serve(listener, router).await } => panic!("{ended:?}"),
        () = test(executions) => {}
    }
}

#[tokio::test]
async fn answers_that_are_of_no_use_do_not_open_the_circuit() {
    let answer = |method: &str| match method {
        "long" => " ".repeat(EXECUTION_BYTES_MAX + 1),
        "empty" => r#"{"id":1}"#.to_owned(),
        _ => "<html>".to_owned(),
    };
    with_server(answer, |executions| async move {
        for method in ["long", "empty", "page"] {
            for _ in 0..=EXECUTION_FAILURES_MAX {
                let Outcome::Error(error) = executions.pass_on(ROLLUP, method, None).await else {
                    panic!("no answer")
                };
                assert_eq!(error.reason, Reason::ExecutionRpcDown);
                assert!(!error.evidence.contains_key("circuit"), "it was asked");
            }
            assert_eq!(
                executions.circuit(ROLLUP),
                Some(Circuit::Closed),
                "{method}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn calls_of_a_client_that_take_too_long_stop_nobody_while_the_cheapest_is_answered() {
    let answer = |_: &str| r#"{"result":"0x385"}"#.to_owned();
    with_server(answer, |executions| async move {
        let execution = &executions.rollups[&ROLLUP];
        for _ in 0..EXECUTION_FAILURES_MAX {
            let pass = locked(&execution.calls).enter(instant()).unwrap();
            let late = Err(Failure::Unanswered(String::new()));
            leave(&execution.calls, pass, &late);
        }
        assert_eq!(executions.circuit(ROLLUP), Some(Circuit::HalfOpen));
        let passed = executions.pass_on(ROLLUP, "eth_gasPrice", None).await;
        assert!(matches!(passed, Outcome::Result(_)), "{passed:?}");
        assert_eq!(executions.circuit(ROLLUP), Some(Circuit::Closed));
    })
    .await;
}

#[tokio::test]
async fn circuit_opens_when_the_cheapest_call_is_not_answered_either() {
    let nobody = "http://127.0.0.1:1".to_owned();
    let executions = Executions::new(BTreeMap::from([(ROLLUP, nobody)]));
    for _ in 0..EXECUTION_FAILURES_MAX {
        executions.pass_on(ROLLUP, "eth_gasPrice", None).await;
    }
    let Outcome::Error(error) = executions.pass_on(ROLLUP, "eth_gasPrice", None).await else {
        panic!("nobody is there")
    };
    assert_eq!(error.evidence["circuit"], "open");
    assert_eq!(executions.circuit(ROLLUP), Some(Circuit::Open));
}

#[tokio::test]
async fn looks_that_are_not_answered_are_not_asked_for_a_while_and_calls_still_are() {
    let nobody = "http://127.0.0.1:1".to_owned();
    let executions = Executions::new(BTreeMap::from([(ROLLUP, nobody)]));
    for _ in 0..=EXECUTION_FAILURES_MAX {
        assert_eq!(executions.next_nonce(ROLLUP, Address::ZERO).await, None);
    }
    let execution = &executions.rollups[&ROLLUP];
    assert_eq!(locked(&execution.looks).circuit(instant()), Circuit::Open);
    assert_eq!(executions.circuit(ROLLUP), Some(Circuit::Closed));
}

#[tokio::test]
async fn only_an_answer_of_null_is_nothing() {
    let answer = |method: &str| match method {
        "null" => r#"{"result":null}"#.to_owned(),
        "both" => r#"{"result":"0x7","error":null}"#.to_owned(),
        "refused" => r#"{"result":null,"error":{"code":-32601,"message":"no"}}"#.to_owned(),
        "page" => "<html>".to_owned(),
        "shape" => r#"{"result":[]}"#.to_owned(),
        _ => r#"{"message":"too many requests"}"#.to_owned(),
    };
    with_server(answer, |executions| async move {
        for (method, expected) in [
            ("null", Ok(None)),
            ("both", Ok(Some(7))),
            ("refused", Err(Untold::Refused { code: -32601 })),
            ("page", Err(Untold::Silent)),
            ("shape", Err(Untold::Silent)),
            ("limited", Err(Untold::Silent)),
        ] {
            let found: Result<Option<Quantity>, Untold> =
                executions.look(ROLLUP, method, &json!([])).await;
            assert_eq!(
                found.map(|found| found.map(|it| it.0)),
                expected,
                "{method}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn call_on_a_connection_that_has_just_ended_is_made_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let executions = Executions::new(BTreeMap::from([(ROLLUP, url)]));
    let server = async {
        let mut bytes = [0; 4_096];
        let (mut ended, _) = listener.accept().await.unwrap();
        assert!(ended.read(&mut bytes).await.unwrap() > 0);
        drop(ended);
        let (mut answering, _) = listener.accept().await.unwrap();
        answer_one(&mut answering).await;
    };
    let (outcome, ()) = tokio::join!(executions.pass_on(ROLLUP, "eth_chainId", None), server);
    assert!(matches!(outcome, Outcome::Result(_)));
}

async fn answer_one(connection: &mut TcpStream) {
    assert!(connection.read(&mut [0; 4_096]).await.unwrap() > 0);
    let body = r#"{"result":"0x1"}"#;
    let length = body.len();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
    connection.write_all(answer.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn call_that_is_made_again_takes_none_of_the_kept_connections_which_may_have_ended_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let executions = Executions::new(BTreeMap::from([(ROLLUP, url)]));
    let call = || executions.pass_on(ROLLUP, "eth_chainId", None);
    let two = async {
        let (mut one, _) = listener.accept().await.unwrap();
        let (mut other, _) = listener.accept().await.unwrap();
        answer_one(&mut one).await;
        answer_one(&mut other).await;
        [one, other]
    };
    let (_, _, kept) = tokio::join!(call(), call(), two);
    // Each of the two ends when it is asked; a third one answers.
    let ends = async |mut connection: TcpStream| {
        let _asked = connection.read(&mut [0; 4_096]).await;
    };
    let [one, other] = kept;
    let third = async {
        let (mut third, _) = listener.accept().await.unwrap();
        answer_one(&mut third).await;
    };
    let server = async {
        tokio::join!(ends(one), ends(other), third);
    };
    let outcome = tokio::select! {
        outcome = call() => outcome,
        () = server => panic!("both were asked"),
    };
    assert!(matches!(outcome, Outcome::Result(_)));
}

#[tokio::test]
async fn filter_whose_answer_may_be_lost_is_not_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let executions = Executions::new(BTreeMap::from([(ROLLUP, url)]));
    let server = async {
        let (mut ended, _) = listener.accept().await.unwrap();
        assert!(ended.read(&mut [0; 4_096]).await.unwrap() > 0);
        drop(ended);
        listener // where a second call would wait
    };
    let called = executions.pass_on(ROLLUP, "eth_getFilterChanges", None);
    let (outcome, _listener) = tokio::join!(called, server);
    assert!(matches!(outcome, Outcome::Error(_)));
    let circuit = executions.circuit(ROLLUP);
    assert_eq!(circuit, Some(Circuit::Closed));
}

#[tokio::test]
async fn no_more_calls_than_it_may_be_asked_are_on_their_way_at_once() {
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    // As many as may come at once are answered together.
    let all = Arc::new(Barrier::new(EXECUTION_CONCURRENT_MAX));
    let (counted, highest) = (Arc::clone(&open), Arc::clone(&most));
    let answer = move || {
        let (open, most, all) = (Arc::clone(&counted), Arc::clone(&highest), Arc::clone(&all));
        async move {
            most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            all.wait().await;
            open.fetch_sub(1, Ordering::SeqCst);
            r#"{"result":"0x1"}"#
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(answer));
    let executions = Executions::new(BTreeMap::from([(ROLLUP, url)]));
    let calls =
        (0..3 * EXECUTION_CONCURRENT_MAX).map(|_| executions.pass_on(ROLLUP, "eth_gasPrice", None));
    tokio::select! {
        ended = async { axum::serve(listener, router).await } => panic!("{ended:?}"),
        answers = futures::future::join_all(calls) => {
            assert!(answers.iter().all(|answer| matches!(answer, Outcome::Result(_))));
        }
    }
    assert_eq!(most.load(Ordering::SeqCst), EXECUTION_CONCURRENT_MAX);
}

//! `rollup audit` says with its exit code what it found: 0, 1, or 2 when there was nothing to check.

use std::convert::Infallible;
use std::sync::Arc;

use cloverleaf_api::json::{BatchOutput, Span};
use cloverleaf_testnet::load::Wallet;
use cloverleaf_testnet::process::Finished;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::devnet::DevNetwork;

/// Changes what a rollup says that it executed.
type Doctor = fn(&mut [BatchOutput]);

/// What the audit must say of each.
const DOCTORS: [(&str, Doctor, &str); 6] = [
    ("a leg missing", drop_leg, "leg 1 is missing"),
    (
        "a leg moved",
        move_leg,
        "leg 1 is not where its manifest says",
    ),
    ("a leg split over two batches", split_leg, "leg 1"),
    ("a span removed", drop_span, "leg 1 is missing"),
    (
        "a leg's transactions swapped",
        swap_transactions,
        "leg 1 holds other transactions",
    ),
    (
        "a batch skipped",
        skip_batch,
        "stands where batch 1 belongs",
    ),
];

#[test]
fn audit_exits_with_2_when_nothing_was_checked_0_when_all_is_whole_and_1_on_doctored_outputs() {
    let network = DevNetwork::start("audit", &[]);
    let nothing = network.ask(&["rollup", "audit", "901", "902"]);
    assert_eq!(
        (nothing.code, checked(&nothing)),
        (Some(2), 0),
        "{}",
        nothing.stderr
    );

    for round in 0..2 {
        send_bundle_and_transfers(&network, round);
    }
    let whole = network.ask(&["rollup", "audit", "901", "902"]);
    assert_eq!(
        (whole.code, checked(&whole)),
        (Some(0), 2),
        "{}",
        whole.stderr
    );
    // With only one rollup there is no bundle of which all legs are seen.
    let half = network.ask(&["rollup", "audit", "901"]);
    assert_eq!((half.code, checked(&half)), (Some(2), 0), "{}", half.stderr);

    let mut stubs = JoinSet::new();
    let outputs = outputs(&network);
    let told = audit_stub(&network, &mut stubs, outputs.clone());
    assert_eq!(
        (told.code, checked(&told)),
        (Some(0), 2),
        "the stub alone: {}",
        told.stderr
    );
    for (what, doctor, says) in DOCTORS {
        let mut doctored = outputs.clone();
        doctor(&mut doctored);
        let told = audit_stub(&network, &mut stubs, doctored);
        assert_eq!(told.code, Some(1), "{what}: {}", told.stderr);
        assert!(told.stderr.contains(says), "{what}: {}", told.stderr);
    }
}

fn checked(audit: &Finished) -> u64 {
    audit.json().unwrap()["bundlesChecked"].as_u64().unwrap()
}

/// A bundle whose leg on 902 has two transactions, in a batch that holds others too.
fn send_bundle_and_transfers(network: &DevNetwork, round: u64) {
    let (in_bundle, alone) = (Wallet::seeded(5, 0, round), Wallet::seeded(5, 1, round));
    let before = network.send(&alone.transfer(902, 0));
    let one = [in_bundle.transfer(901, 0)];
    let two = [0, 1].map(|nonce| in_bundle.transfer(902, nonce));
    let bundle = network.send_bundle(&[(901, &one), (902, &two)]);
    let after = network.send(&alone.transfer(902, 1));
    for name in [before, bundle, after] {
        network.committed(name);
    }
}

/// What rollup 902 says, from its first batch on.
fn outputs(network: &DevNetwork) -> Vec<BatchOutput> {
    let (runtime, rollup) = (network.runtime(), network.execution(1));
    let output = |seq| runtime.block_on(rollup.output(seq)).unwrap();
    (1..).map_while(output).collect()
}

/// Audits with a rollup 902 that says this.
fn audit_stub(
    network: &DevNetwork,
    stubs: &mut JoinSet<()>,
    outputs: Vec<BatchOutput>,
) -> Finished {
    let listener = network
        .runtime()
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let execution = format!("902=http://{}", listener.local_addr().unwrap());
    stubs.spawn_on(
        serve(listener, Arc::new(outputs)),
        network.runtime().handle(),
    );
    network.ask(&["rollup", "audit", "901", "902", "--execution", &execution])
}

/// A client may open a second connection before it has closed the first.
async fn serve(listener: TcpListener, outputs: Arc<Vec<BatchOutput>>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let outputs = Arc::clone(&outputs);
        let answer = service_fn(move |request| answer(request, Arc::clone(&outputs)));
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

async fn answer(
    request: Request<Incoming>,
    outputs: Arc<Vec<BatchOutput>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let call: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(call["method"], "rollup_getOutput");
    let seq = call["params"][0]
        .as_str()
        .and_then(|text| text.strip_prefix("0x"));
    let seq = usize::from_str_radix(seq.unwrap(), 16).unwrap();
    let answer = json!({"jsonrpc": "2.0", "id": call["id"], "result": outputs.get(seq - 1)});
    Ok(Response::new(Full::new(answer.to_string().into())))
}

/// The first batch with a leg, and the leg's place in it.
fn first_leg(outputs: &[BatchOutput]) -> (usize, Span) {
    let mut batches = outputs.iter().enumerate();
    let found = batches.find_map(|(batch, output)| Some((batch, *output.spans.first()?)));
    found.expect("a leg")
}

fn drop_leg(outputs: &mut [BatchOutput]) {
    let (batch, span) = first_leg(outputs);
    let output = &mut outputs[batch];
    output.spans.clear();
    let (first, count) = (index(span.first), index(span.count));
    output.transactions.drain(first..first + count);
}

fn drop_span(outputs: &mut [BatchOutput]) {
    let (batch, _) = first_leg(outputs);
    outputs[batch].spans.clear();
}

/// The leg is said to begin one transaction further on, or before.
fn move_leg(outputs: &mut [BatchOutput]) {
    let (batch, span) = first_leg(outputs);
    let output = &mut outputs[batch];
    let outcome = output.transactions[0].clone();
    if span.first == 0 {
        output.transactions.insert(0, outcome);
        output.spans[0].first += 1;
    } else {
        output.transactions.remove(0);
        output.spans[0].first -= 1;
    }
}

/// The leg's second transaction is in the next batch.
fn split_leg(outputs: &mut [BatchOutput]) {
    let (batch, span) = first_leg(outputs);
    let output = &mut outputs[batch];
    let second = output.transactions.remove(index(span.first) + 1);
    output.spans[0].count = 1;
    let next = &mut outputs[batch + 1];
    let first = u32::try_from(next.transactions.len()).unwrap();
    next.transactions.push(second);
    next.spans.push(Span {
        first,
        count: 1,
        ..span
    });
}

fn swap_transactions(outputs: &mut [BatchOutput]) {
    let (batch, span) = first_leg(outputs);
    let first = index(span.first);
    outputs[batch].transactions.swap(first, first + 1);
}

/// The first batch comes after all others, so that as many are there as were decided.
fn skip_batch(outputs: &mut [BatchOutput]) {
    outputs.rotate_left(1);
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap()
}

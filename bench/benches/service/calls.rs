//! `ingest::rpc`: a JSON-RPC method that does next to nothing, by itself and as many in a batch as a node takes, over one
//! connection. Its limit is axum and serde_json alone, which answer the same. An element is a call.

use std::net::{Ipv4Addr, SocketAddr};

use axum::body::Bytes;
use axum::routing::post;
use axum::{Json, Router};
use criterion::{Criterion, Throughput};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::node::Node;
use super::{runtime, workload};

/// Says what program the node is.
const METHOD: &str = "web3_clientVersion";

/// Calls in a request; without a batch, and with one.
const CALLS: [usize; 2] = [1, 50];

/// Each after its limit.
pub(crate) fn rpc(criterion: &mut Criterion) {
    let runtime = runtime();
    let (node, bare) =
        runtime.block_on(async { (Node::start(workload(2, 1), 0).await, serve_bare().await) });
    let served = node.http_address();
    for calls in CALLS {
        for (group, address) in [("limits::http", bare), ("ingest::rpc", served)] {
            let mut group = criterion.benchmark_group(group);
            group.throughput(Throughput::Elements(u64::try_from(calls).expect("few")));
            let mut client = runtime.block_on(Client::connect(address, calls));
            group.bench_function(format!("calls={calls}"), |bencher| {
                bencher.iter(|| runtime.block_on(client.call()));
            });
            client.check();
            group.finish();
        }
    }
    runtime.block_on(node.stop());
}

/// One connection, and the same request again and again.
struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    /// As long as the first one.
    answer: Vec<u8>,
    calls: usize,
}

impl Client {
    async fn connect(address: SocketAddr, calls: usize) -> Self {
        let call = |id: usize| json!({"jsonrpc": "2.0", "id": id, "method": METHOD, "params": []});
        let body = match calls {
            1 => call(1),
            _ => (1..=calls).map(call).collect(),
        };
        let body = body.to_string();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("it is a socket");
        let mut client = Self {
            stream,
            request: (head + &body).into_bytes(),
            answer: Vec::new(),
            calls,
        };
        client.first().await;
        client
    }

    /// Sends the request once, to see how long an answer is.
    async fn first(&mut self) {
        self.stream
            .write_all(&self.request)
            .await
            .expect("it reads");
        while !self.is_whole() {
            let read = self.stream.read_buf(&mut self.answer).await;
            assert_ne!(read.expect("it answers"), 0, "it closed the connection");
        }
    }

    async fn call(&mut self) {
        self.stream
            .write_all(&self.request)
            .await
            .expect("it reads");
        let read = self.stream.read_exact(&mut self.answer).await;
        read.expect("the same answer again");
    }

    /// The head and the body of the answer, when both are there.
    fn parts(&self) -> Option<(&str, &str)> {
        let text = std::str::from_utf8(&self.answer).expect("it is text");
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let length = lines.find_map(|line| line.strip_prefix("content-length: "))?;
        (length.parse() == Ok(body.len())).then_some((head, body))
    }

    fn is_whole(&self) -> bool {
        self.parts().is_some()
    }

    /// The last answer answers every call.
    fn check(&self) {
        let (head, body) = self.parts().expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let answers = match serde_json::from_str(body).expect("it is JSON") {
            Value::Array(answers) => answers,
            answer => vec![answer],
        };
        assert_eq!(answers.len(), self.calls);
        assert!(
            answers.iter().all(|answer| answer["result"].is_string()),
            "{body}"
        );
    }
}

/// A server that reads calls and answers each.
async fn serve_bare() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let router = Router::new().route("/", post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn answer(body: Bytes) -> Json<Value> {
    let one = |call: &Value| json!({"jsonrpc": "2.0", "id": call["id"], "result": METHOD});
    Json(match serde_json::from_slice(&body).expect("it is JSON") {
        Value::Array(calls) => calls.iter().map(one).collect(),
        call => one(&call),
    })
}

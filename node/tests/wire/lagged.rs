//! A reader that leaves an item for too long is told so, and where it was, on every transport.

use std::time::Duration;

use alloy_consensus::TxEip1559;
use alloy_primitives::Bytes;
use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_api::proto::stream::v1::stream_service_client::StreamServiceClient;
use cloverleaf_api::proto::stream::v1::{StreamBatchesRequest, StreamBlocksRequest};
use cloverleaf_mempool::pool::Limits;
use cloverleaf_node::service::ServiceOptions;
use serde_json::json;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::events::{Events, LOOPBACK, SMALL_BUFFER_BYTES, Socket, connect};
use crate::grpc::{figure, submit};
use crate::network::{ALPHA, Network, start_node};
use crate::node::TestNode;
use crate::wallet::{Wallet, transfer};

/// Longest wait for what a node counts within seconds.
const DEADLINE: Duration = Duration::from_secs(60);

fn from(from_seq: u64) -> StreamBatchesRequest {
    StreamBatchesRequest {
        chain_id: ALPHA,
        from_seq,
        ..StreamBatchesRequest::default()
    }
}

fn cursor_of(status: &Status) -> String {
    figure(status, (Code::ResourceExhausted, "lagged"), "cursor")
}

/// A node that gives its readers no time at all: whoever takes an item was too slow.
async fn impatient_node(name: &str) -> TestNode {
    let node = start_node(name, Limits::default(), false).await;
    let impatient = ServiceOptions {
        stall_max: Some(Duration::ZERO),
        ..ServiceOptions::default()
    };
    node.restart_with(impatient).await.unwrap()
}

/// Asks for the metrics until they have this line.
async fn until_counted(network: &Network, line: &str) {
    let counted = async {
        loop {
            let metrics = network.metrics.get("/metrics").await;
            if metrics.text.lines().any(|found| found == line) {
                return;
            }
        }
    };
    let counted = tokio::time::timeout(DEADLINE, counted).await;
    counted.unwrap_or_else(|_| panic!("never: {line}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_reader_that_never_reads_is_cut_off() {
    let node = impatient_node("never-reads").await;
    let network = Network::of(&node);
    let large = Wallet::new().signed(TxEip1559 {
        gas_limit: 10_000_000,
        input: Bytes::from(vec![7; 100_000]),
        ..transfer(ALPHA, 0)
    });
    submit(&network, ALPHA, &large, Wait::Committed)
        .await
        .unwrap();
    let endpoint = Channel::from_shared(network.grpc.clone()).unwrap();
    // The item does not fit, so HTTP/2 does not ask for another.
    let endpoint = endpoint.initial_stream_window_size(SMALL_BUFFER_BYTES);
    let mut client = StreamServiceClient::new(endpoint.connect().await.unwrap());
    let mut items = client.stream_batches(from(1)).await.unwrap().into_inner();
    let lagged = r#"cloverleaf_stream_ends_total{stream="batches",reason="lagged"} 1"#;
    until_counted(&network, lagged).await;
    // It has what it was sent, and is told where it was.
    assert!(items.message().await.unwrap().is_some());
    assert_eq!(cursor_of(&items.message().await.unwrap_err()), "0x2");
    drop((client, items));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_reader_is_told_with_its_cursor_on_every_transport() {
    let node = impatient_node("lagged").await;
    let network = Network::of(&node);
    let wallet = Wallet::new();
    for nonce in 0..2 {
        let raw = wallet.transfer(ALPHA, nonce);
        submit(&network, ALPHA, &raw, Wait::Committed)
            .await
            .unwrap();
    }

    let mut client = StreamServiceClient::connect(network.grpc.clone())
        .await
        .unwrap();
    let mut items = client.stream_batches(from(1)).await.unwrap().into_inner();
    assert!(items.message().await.unwrap().is_some());
    assert_eq!(cursor_of(&items.message().await.unwrap_err()), "0x2");
    let blocks = StreamBlocksRequest { from_height: 1 };
    let mut blocks = client.stream_blocks(blocks).await.unwrap().into_inner();
    assert!(blocks.message().await.unwrap().is_some());
    assert_eq!(cursor_of(&blocks.message().await.unwrap_err()), "0x2");

    let authority = network.http.authority();
    let path = "/v1/rollups/901/stream?from=1";
    let mut events = Events::open(connect(authority, LOOPBACK, None).await, path, "").await;
    assert_eq!(events.next().await.unwrap().id, Some(1));
    let last = events.next().await.unwrap();
    assert_eq!((last.name.as_str(), last.id), ("lagged", None));
    assert_eq!(last.data["data"]["cursor"], "0x2");
    assert_eq!(events.next().await, None);

    let mut socket = Socket::open(connect(authority, LOOPBACK, None).await, "/").await;
    let asked = json!(["batches", {"chainId": ALPHA, "from": 1}]);
    socket.result("seq_subscribe", asked).await;
    assert_eq!(socket.notification().await.unwrap()["result"]["seq"], "0x1");
    let last = socket.notification().await.unwrap();
    assert_eq!(last["error"]["data"]["reason"], "lagged");
    assert_eq!(last["error"]["data"]["cursor"], "0x2");
    // The connection is not too slow: only the subscription has ended.
    socket.result("web3_clientVersion", json!([])).await;
    for line in [
        r#"cloverleaf_stream_ends_total{stream="batches",reason="lagged"} 3"#,
        r#"cloverleaf_stream_ends_total{stream="blocks",reason="lagged"} 1"#,
        r#"cloverleaf_stream_items_total{stream="batches"} 3"#,
        r#"cloverleaf_stream_subscribers{stream="batches"} 0"#,
    ] {
        until_counted(&network, line).await;
    }
    drop((client, items, blocks, events, socket));
    node.stop().await;
}

//! A reader that leaves an item for too long is told so, and where it was, on every transport.

use std::time::Duration;

use cloverleaf_api::grpc::ErrorInfo;
use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_api::proto::stream::v1::stream_service_client::StreamServiceClient;
use cloverleaf_api::proto::stream::v1::{StreamBatchesRequest, StreamBlocksRequest};
use cloverleaf_mempool::pool::Limits;
use cloverleaf_node::service::ServiceOptions;
use serde_json::json;
use tonic::{Code, Status};

use crate::events::{Events, LOOPBACK, Socket, connect};
use crate::grpc::submit;
use crate::network::{ALPHA, Network, start_node};
use crate::wallet::Wallet;

fn cursor_of(status: &Status) -> String {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    let info = ErrorInfo::from_details(status.details()).unwrap();
    assert_eq!(info.reason, "lagged");
    info.metadata["cursor"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_reader_is_told_with_its_cursor_on_every_transport() {
    let node = start_node("lagged", Limits::default(), false).await;
    // No time at all: whoever takes an item was too slow.
    let impatient = ServiceOptions {
        stall_max: Some(Duration::ZERO),
        ..ServiceOptions::default()
    };
    let node = node.restart_with(impatient).await.unwrap();
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
    let batches = StreamBatchesRequest {
        chain_id: ALPHA,
        from_seq: 1,
        ..StreamBatchesRequest::default()
    };
    let mut items = client.stream_batches(batches).await.unwrap().into_inner();
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
    drop((client, items, blocks, events, socket));
    node.stop().await;
}

//! What a node no longer has is an answer, on every transport.

use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_api::proto::stream::v1::stream_service_client::StreamServiceClient;
use cloverleaf_api::proto::stream::v1::{Proofs, StreamBatchesRequest, StreamBlocksRequest};
use cloverleaf_mempool::pool::Limits;
use cloverleaf_storage::Needed;
use cloverleaf_types::ChainId;
use serde_json::json;
use tonic::{Code, Status};

use crate::events::{Events, LOOPBACK, Socket, connect};
use crate::grpc::{figure, submit};
use crate::network::{ALPHA, BETA, Network, start_node};
use crate::node::TestNode;
use crate::wallet::{Wallet, hash};

/// A node whose first blocks are gone, and with them all batches of one rollup.
async fn pruned_node() -> TestNode {
    let node = start_node("pruned", Limits::default(), false).await;
    let network = Network::of(&node);
    for chain_id in [BETA, ALPHA] {
        let wallet = Wallet::new();
        for nonce in 0..3 {
            let raw = wallet.transfer(chain_id, nonce);
            let sent = submit(&network, chain_id, &raw, Wait::Committed).await;
            sent.unwrap();
        }
    }
    // What was announced lately is in memory too; a restarted node has what is stored.
    let node = node.restart().await.unwrap();
    let handle = node.handle();
    let store = &handle.shared().store;
    let last = store.batch(ChainId(ALPHA), 3).unwrap().unwrap();
    assert!(
        store
            .prune(last.height, Needed::ByNobody, u64::MAX)
            .unwrap()
            > 0
    );
    node
}

fn first_of(status: &Status) -> String {
    figure(status, (Code::OutOfRange, "pruned"), "firstAvailable")
}

// celo-org/optimism#488: a reader of what was pruned was wedged for ever.
#[tokio::test(flavor = "multi_thread")]
async fn pruned_is_said_with_the_first_that_is_left_on_every_transport() {
    let node = pruned_node().await;
    let network = Network::of(&node);
    let (first_seq, first_height) = {
        let handle = node.handle();
        let store = &handle.shared().store;
        let seq = store.first_available(ChainId(ALPHA)).unwrap().unwrap();
        (seq, store.first_height().unwrap().unwrap().0)
    };
    assert!(first_seq > 1 && first_height > 1);
    let (first, height) = (format!("{first_seq:#x}"), format!("{first_height:#x}"));

    let mut client = StreamServiceClient::connect(network.grpc.clone())
        .await
        .unwrap();
    let batches = StreamBatchesRequest {
        chain_id: ALPHA,
        from_seq: 1,
        proofs: Proofs::Never.into(),
        proof_interval: 0,
    };
    let mut items = client.stream_batches(batches).await.unwrap().into_inner();
    assert_eq!(first_of(&items.message().await.unwrap_err()), first);
    let blocks = StreamBlocksRequest { from_height: 1 };
    let mut items = client.stream_blocks(blocks).await.unwrap().into_inner();
    assert_eq!(first_of(&items.message().await.unwrap_err()), height);

    let authority = network.http.authority();
    let open =
        async |path: &str| Events::open(connect(authority, LOOPBACK, None).await, path, "").await;
    let mut events = open("/v1/rollups/901/stream?from=1").await;
    let last = events.next().await.unwrap();
    assert_eq!((last.name.as_str(), last.id), ("pruned", None));
    assert_eq!(last.data["data"]["firstAvailable"], first);
    assert_eq!(events.next().await, None, "the stream has ended");
    // Of this rollup nothing is left.
    let last = open("/v1/rollups/902/stream?from=1").await.next().await;
    assert_eq!(last.unwrap().data["data"]["firstAvailable"], "0x4");
    let mut events = open(&format!("/v1/rollups/901/stream?from={first_seq}")).await;
    assert_eq!(events.next().await.unwrap().id, Some(first_seq));

    let mut socket = Socket::open(connect(authority, LOOPBACK, None).await, "/").await;
    for (topic, options, available) in [
        ("batches", json!({"chainId": ALPHA, "from": 1}), &first),
        ("blocks", json!({"from": 1}), &height),
        ("bundles", json!({"from": 1}), &height),
    ] {
        socket
            .result("seq_subscribe", json!([topic, options]))
            .await;
        let said = socket.notification().await.unwrap();
        assert_eq!(said["error"]["data"]["reason"], "pruned", "{said}");
        assert_eq!(
            said["error"]["data"]["firstAvailable"], **available,
            "{topic}"
        );
    }

    for (path, available) in [
        ("/v1/rollups/901/batches/1", &first),
        ("/v1/blocks/1", &height),
    ] {
        let gone = network.http.get(path).await;
        assert_eq!(gone.status, 410, "{path}");
        assert_eq!(gone.body["data"]["firstAvailable"], **available);
    }
    let gone = network.http.get("/v1/rollups/902/batches/1").await;
    assert_eq!(
        (gone.status.as_u16(), &gone.body["data"]["firstAvailable"]),
        (410, &json!("0x4"))
    );
    drop((client, items, events, socket));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_a_pruned_block_is_still_committed_there() {
    let node = start_node("pruned-status", Limits::default(), false).await;
    let network = Network::of(&node);
    let wallet = Wallet::new();
    let first = wallet.transfer(ALPHA, 0);
    for nonce in 0..3 {
        let raw = wallet.transfer(ALPHA, nonce);
        submit(&network, ALPHA, &raw, Wait::Committed)
            .await
            .unwrap();
    }
    let asked = json!([hash(&first)]);
    let before = network
        .http
        .result("/", "seq_getTransactionStatus", asked.clone())
        .await;
    assert!(before["timestamp"].is_string(), "{before}");
    // The pool remembers what ended; a restarted node has what is stored.
    let node = node.restart().await.unwrap();
    let store = node.handle().shared().store.clone();
    let last = store.batch(ChainId(ALPHA), 3).unwrap().unwrap();
    let removed = store.prune(last.height, Needed::ByNobody, u64::MAX);
    assert!(removed.unwrap() > 0);
    drop(store);
    let network = Network::of(&node);
    let after = network
        .http
        .result("/", "seq_getTransactionStatus", asked)
        .await;
    assert_eq!(after["state"], "committed", "{after}");
    for known in ["height", "seq", "index"] {
        assert_eq!(after[known], before[known], "{after}");
    }
    assert_eq!(after.get("timestamp"), None);
    node.stop().await;
}

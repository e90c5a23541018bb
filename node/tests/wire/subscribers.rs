//! A thousand subscribers over three transports, a hundred of whom do not read.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use alloy_consensus::TxEip1559;
use alloy_primitives::Bytes;
use cloverleaf_api::grpc::ErrorInfo;
use cloverleaf_api::proto::sequencer::v1::Wait;
use cloverleaf_api::proto::stream::v1::stream_service_client::StreamServiceClient;
use cloverleaf_api::proto::stream::v1::{BatchItem, Proofs, StreamBatchesRequest};
use cloverleaf_api::wire::decode_item;
use cloverleaf_mempool::pool::Limits;
use cloverleaf_stream::limits::{PAGES_BYTES_MAX, RECENT_BYTES_MAX};
use futures::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use tonic::Streaming;
use tonic::transport::Channel;

use crate::events::{Events, SMALL_BUFFER_BYTES, Socket, connect};
use crate::grpc::submit;
use crate::network::{ALPHA, BETA, Network, start_node};
use crate::wallet::{Wallet, transfer};

/// Server-sent events: a connection each.
const EVENT_READERS: usize = 160;

/// WebSockets, with some subscriptions each.
const SOCKETS: usize = 45;
const SUBSCRIPTIONS_PER_SOCKET: usize = 8;

/// gRPC connections, with some streams each.
const CHANNELS: usize = 8;
const STREAMS_PER_CHANNEL: usize = 54;

/// Who does not read: 20 event readers, 4 sockets of 8 subscriptions, 48 streams, which have a
/// connection of their own, since streams of one share its window.
const IDLE_EVENT_READERS: usize = 20;
const IDLE_SOCKETS: usize = 4;
const IDLE_STREAMS: usize = 48;

/// Connections from one address: below what a node lets.
const CONNECTIONS_PER_ADDRESS: usize = 25;

/// Bytes of a large transaction's data: those who do not read must not fit into sockets' buffers.
const DATA_BYTES: usize = 100_000;

/// What a reader has, and how it goes on.
trait Reader: Send {
    /// Reads until it has the batch of this number, and fails on a gap or a repeat.
    fn read_through(&mut self, last: u64) -> BoxFuture<'_, ()>;

    /// Reads what still comes from a node that stops, to the end.
    fn read_out(&mut self) -> BoxFuture<'_, ()>;

    /// Goes on where it ended.
    fn resume(&mut self) -> BoxFuture<'_, ()>;
}

type Readers = Vec<Box<dyn Reader>>;

/// The number that is due.
struct Cursor {
    chain_id: u64,
    next: u64,
}

impl Cursor {
    fn take(&mut self, seq: u64) {
        assert_eq!(seq, self.next, "a gap or a repeat in {}", self.chain_id);
        self.next += 1;
    }
}

struct EventReader {
    network: Network,
    address: Ipv4Addr,
    cursor: Cursor,
    events: Events,
}

impl EventReader {
    async fn open(network: Network, address: Ipv4Addr, chain_id: u64, small: bool) -> Self {
        let buffer = small.then_some(SMALL_BUFFER_BYTES);
        let stream = connect(network.http.authority(), address, buffer).await;
        let path = format!("/v1/rollups/{chain_id}/stream?from=1");
        Self {
            events: Events::open(stream, &path, "").await,
            network,
            address,
            cursor: Cursor { chain_id, next: 1 },
        }
    }
}

impl Reader for EventReader {
    fn read_through(&mut self, last: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            while self.cursor.next <= last {
                let Some(event) = self.events.next().await.filter(|it| it.name == "batch") else {
                    // A machine that did not read for so long comes back with its cursor.
                    self.resume().await;
                    continue;
                };
                assert_eq!(event.id, Some(number(&event.data["seq"])));
                self.cursor.take(event.id.unwrap());
            }
        })
    }

    fn read_out(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            while let Some(event) = self.events.next().await {
                match event.id {
                    Some(seq) => self.cursor.take(seq),
                    None => {
                        assert_eq!(event.name, "shuttingDown");
                        assert_eq!(number(&event.data["data"]["cursor"]), self.cursor.next);
                    }
                }
            }
        })
    }

    fn resume(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let stream = connect(self.network.http.authority(), self.address, None).await;
            let path = format!("/v1/rollups/{}/stream?from=1", self.cursor.chain_id);
            let cursor = format!("Last-Event-ID: {}\r\n", self.cursor.next - 1);
            self.events = Events::open(stream, &path, &cursor).await;
        })
    }
}

struct SocketReader {
    network: Network,
    address: Ipv4Addr,
    chain_id: u64,
    cursors: BTreeMap<String, Cursor>,
    socket: Socket,
}

impl SocketReader {
    async fn open(network: Network, address: Ipv4Addr, chain_id: u64, small: bool) -> Self {
        let buffer = small.then_some(SMALL_BUFFER_BYTES);
        let stream = connect(network.http.authority(), address, buffer).await;
        let socket = Socket::open(stream, "/").await;
        let mut reader = Self {
            network,
            address,
            chain_id,
            cursors: BTreeMap::new(),
            socket,
        };
        reader.subscribe(vec![1; SUBSCRIPTIONS_PER_SOCKET]).await;
        reader
    }

    async fn subscribe(&mut self, beginnings: Vec<u64>) {
        let chain_id = self.chain_id;
        for next in beginnings {
            let asked = json!(["batches", {"chainId": chain_id, "from": next}]);
            let name = self.socket.result("seq_subscribe", asked).await;
            let name = name.as_str().unwrap().to_owned();
            self.cursors.insert(name, Cursor { chain_id, next });
        }
    }
}

impl Reader for SocketReader {
    fn read_through(&mut self, last: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            while self.cursors.values().any(|cursor| cursor.next <= last) {
                let said = self.socket.notification().await.unwrap_or_default();
                match self
                    .cursors
                    .get_mut(said["subscription"].as_str().unwrap_or_default())
                {
                    Some(cursor) if said["result"].is_object() => {
                        cursor.take(number(&said["result"]["seq"]));
                    }
                    // A machine that did not read for so long comes back with its cursor.
                    _ => self.resume().await,
                }
            }
        })
    }

    fn read_out(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut ended = 0;
            while let Some(said) = self.socket.notification().await {
                let cursor = self.cursors.get_mut(said["subscription"].as_str().unwrap());
                let cursor = cursor.unwrap();
                match said.get("result") {
                    Some(batch) => cursor.take(number(&batch["seq"])),
                    None => {
                        assert_eq!(said["error"]["data"]["reason"], "shuttingDown");
                        assert_eq!(number(&said["error"]["data"]["cursor"]), cursor.next);
                        ended += 1;
                    }
                }
            }
            assert_eq!(ended, SUBSCRIPTIONS_PER_SOCKET, "each is told its cursor");
        })
    }

    fn resume(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let beginnings = std::mem::take(&mut self.cursors).into_values();
            let beginnings = beginnings.map(|cursor| cursor.next).collect();
            let stream = connect(self.network.http.authority(), self.address, None).await;
            self.socket = Socket::open(stream, "/").await;
            self.subscribe(beginnings).await;
        })
    }
}

struct StreamReader {
    channel: Channel,
    cursor: Cursor,
    items: Streaming<BatchItem>,
}

impl StreamReader {
    async fn open(channel: Channel, chain_id: u64) -> Self {
        let cursor = Cursor { chain_id, next: 1 };
        Self {
            items: stream(channel.clone(), &cursor).await,
            channel,
            cursor,
        }
    }

    fn take(&mut self, item: BatchItem) {
        let item = decode_item(item).unwrap();
        let header = item.batch.claimed().header().clone();
        assert_eq!(header.chain_id.0, self.cursor.chain_id);
        self.cursor.take(header.seq);
    }
}

impl Reader for StreamReader {
    fn read_through(&mut self, last: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            while self.cursor.next <= last {
                match self.items.message().await {
                    Ok(item) => self.take(item.expect("a stream ends with a status")),
                    // A machine that did not read for so long comes back with its cursor.
                    Err(_lagged) => self.resume().await,
                }
            }
        })
    }

    fn read_out(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                match self.items.message().await {
                    Ok(item) => self.take(item.expect("a stream ends with a status")),
                    Err(status) => {
                        let info = ErrorInfo::from_details(status.details()).unwrap();
                        assert_eq!(info.reason, "shuttingDown");
                        assert_eq!(info.metadata["cursor"], format!("{:#x}", self.cursor.next));
                        return;
                    }
                }
            }
        })
    }

    fn resume(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // The channel connects again by itself.
            self.items = stream(self.channel.clone(), &self.cursor).await;
        })
    }
}

async fn channel(network: &Network) -> Channel {
    let endpoint = Channel::from_shared(network.grpc.clone()).unwrap();
    endpoint.connect().await.unwrap()
}

async fn stream(channel: Channel, cursor: &Cursor) -> Streaming<BatchItem> {
    let client = StreamServiceClient::new(channel);
    let mut client = client.max_decoding_message_size(64 * 1024 * 1024);
    let request = StreamBatchesRequest {
        chain_id: cursor.chain_id,
        from_seq: cursor.next,
        proofs: Proofs::Never.into(),
        proof_interval: 0,
    };
    client.stream_batches(request).await.unwrap().into_inner()
}

fn number(value: &Value) -> u64 {
    u64::from_str_radix(&value.as_str().unwrap()[2..], 16).unwrap()
}

/// The address of the n-th connection of a transport.
fn address(transport: u8, index: usize) -> Ipv4Addr {
    let block = u8::try_from(index / CONNECTIONS_PER_ADDRESS).unwrap();
    Ipv4Addr::new(127, 1, transport, block + 1)
}

/// Who reads, and who does not. Who does not read asked for the rollup with the large batches; of the
/// others every twentieth did.
async fn subscribe(network: &Network) -> (Readers, Readers) {
    let (mut readers, mut idle) = (Readers::new(), Readers::new());
    let mut place = |reader: Box<dyn Reader>, is_idle: bool| match is_idle {
        true => idle.push(reader),
        false => readers.push(reader),
    };
    let rollup = |index: usize, is_idle: bool| match is_idle || index % 20 == 19 {
        true => ALPHA,
        false => BETA,
    };
    for index in 0..EVENT_READERS {
        let is_idle = index < IDLE_EVENT_READERS;
        let (from, chain_id) = (address(1, index), rollup(index, is_idle));
        let reader = EventReader::open(network.clone(), from, chain_id, is_idle).await;
        place(Box::new(reader), is_idle);
    }
    for index in 0..SOCKETS {
        let is_idle = index < IDLE_SOCKETS;
        let (from, chain_id) = (address(2, index), rollup(index, is_idle));
        let reader = SocketReader::open(network.clone(), from, chain_id, is_idle).await;
        place(Box::new(reader), is_idle);
    }
    for connection in 0..=CHANNELS {
        let (channel, is_idle) = (channel(network).await, connection == CHANNELS);
        let streams = if is_idle {
            IDLE_STREAMS
        } else {
            STREAMS_PER_CHANNEL
        };
        for index in 0..streams {
            let reader = StreamReader::open(channel.clone(), rollup(index, is_idle)).await;
            place(Box::new(reader), is_idle);
        }
    }
    (readers, idle)
}

/// Commits transactions to both rollups, large ones and small ones, one batch each.
async fn commit(network: &Network, large: u64, small: u64) {
    let to = async |chain_id, count, data_bytes| {
        let wallet = Wallet::new();
        for nonce in 0..count {
            let raw = wallet.signed(TxEip1559 {
                gas_limit: 10_000_000,
                input: Bytes::from(vec![7; data_bytes]),
                ..transfer(chain_id, nonce)
            });
            submit(network, chain_id, &raw, Wait::Committed)
                .await
                .unwrap();
        }
    };
    futures::join!(to(ALPHA, large, DATA_BYTES), to(BETA, small, 10));
}

async fn last(network: &Network) -> u64 {
    let head = async |chain_id: u64| {
        let head = network
            .http
            .result("/", "seq_getHead", json!([chain_id]))
            .await;
        number(&head["seq"])
    };
    let (alpha, beta) = (head(ALPHA).await, head(BETA).await);
    assert_eq!(alpha, beta, "the test gives both as many batches");
    alpha
}

async fn read_all(readers: &mut Readers, last: u64) {
    join_all(readers.iter_mut().map(|reader| reader.read_through(last))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_subscribers_get_every_batch_in_order_while_a_hundred_do_not_read() {
    let idle = IDLE_EVENT_READERS + IDLE_SOCKETS * SUBSCRIPTIONS_PER_SOCKET + IDLE_STREAMS;
    let streams = CHANNELS * STREAMS_PER_CHANNEL + IDLE_STREAMS;
    let all = EVENT_READERS + SOCKETS * SUBSCRIPTIONS_PER_SOCKET + streams;
    assert_eq!((all, idle), (1_000, 100));

    // A backlog, which a restarted node has in storage alone.
    let node = start_node("subscribers", Limits::default(), false).await;
    commit(&Network::of(&node), 30, 30).await;
    let node = node.restart().await.unwrap();
    let network = Network::of(&node);
    let (mut readers, mut idle) = subscribe(&network).await;
    read_all(&mut readers, last(&network).await).await;

    // Live, while some do not read.
    let before = node.handle().state().height();
    commit(&network, 20, 20).await;
    let all = last(&network).await;
    assert_eq!(all, 50);
    read_all(&mut readers, all).await;
    assert!(node.handle().state().height() > before, "the node goes on");
    let held = node.handle().shared().hub.held();
    assert!(held.page_bytes > DATA_BYTES, "nobody is behind: {held:?}");
    assert!(held.page_bytes <= PAGES_BYTES_MAX, "{held:?}");
    assert!(held.recent_bytes <= RECENT_BYTES_MAX, "{held:?}");

    // Who did not read has lost nothing, and costs nothing once it is gone.
    read_all(&mut idle, all).await;
    drop(idle);

    // The node is restarted under those who read; all come back with their cursors.
    let reading = join_all(readers.iter_mut().map(|reader| reader.read_out()));
    let (node, _) = futures::join!(node.restart(), reading);
    let node = node.unwrap();
    join_all(readers.iter_mut().map(|reader| reader.resume())).await;
    commit(&network, 5, 5).await;
    read_all(&mut readers, 55).await;
    drop(readers);
    node.stop().await;
}

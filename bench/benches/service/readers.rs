//! Subscribers that read as fast as they can.

use std::net::Ipv4Addr;

use cloverleaf_api::proto::stream::v1::stream_service_client::StreamServiceClient;
use cloverleaf_api::proto::stream::v1::{BatchItem, StreamBatchesRequest};
use cloverleaf_types::ChainId;
use cloverleaf_types::block::BLOCK_BYTES_MAX;
use tokio::task::JoinHandle;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};

/// Connections, while there are not more subscribers than a few for each.
const CONNECTIONS: usize = 16;

/// Streams of one connection: a node allows 64.
const STREAMS_PER_CONNECTION: usize = 50;

/// Connections of one address: a node allows 32.
const CONNECTIONS_PER_ADDRESS: usize = 30;

/// What a subscriber read.
pub(crate) type Read = Vec<BatchItem>;

/// A connection to whoever streams.
pub(crate) type Client = StreamServiceClient<Channel>;

/// Subscribers, by rollup.
pub(crate) struct Readers(Vec<Streaming<BatchItem>>);

/// They read so many messages each, and go on then.
pub(crate) struct Reading(Vec<JoinHandle<(Streaming<BatchItem>, Read)>>);

impl Readers {
    /// Subscribes so many times to each rollup, before its first batch.
    pub(crate) async fn open(endpoint: &Endpoint, chains: &[ChainId], subscribers: usize) -> Self {
        let count = chains.len() * subscribers;
        let connections = count.div_ceil(STREAMS_PER_CONNECTION);
        let connections = connections.max(count.min(CONNECTIONS));
        let mut clients = Vec::new();
        for position in 0..connections {
            clients.push(connect(endpoint, position / CONNECTIONS_PER_ADDRESS).await);
        }
        let mut streams = Vec::new();
        for chain_id in chains {
            for _ in 0..subscribers {
                let client = &clients[streams.len() % connections];
                streams.push(subscribe(client, *chain_id, 0).await);
            }
        }
        Self(streams)
    }

    /// Each reads so many messages.
    pub(crate) fn read(self, messages: usize) -> Reading {
        let streams = self.0.into_iter();
        let reading = streams.map(|stream| tokio::spawn(read(stream, messages)));
        Reading(reading.collect())
    }
}

impl Reading {
    /// Waits until everybody has read.
    pub(crate) async fn finish(self) -> (Readers, Vec<Read>) {
        let (mut streams, mut all) = (Vec::new(), Vec::new());
        for reading in self.0 {
            let (stream, read) = reading.await.expect("a reader does not panic");
            streams.push(stream);
            all.push(read);
        }
        (Readers(streams), all)
    }
}

/// Connects from one of the addresses of this machine.
pub(crate) async fn connect(endpoint: &Endpoint, address: usize) -> Client {
    let last = u8::try_from(address + 1).expect("few addresses are enough");
    let from = Ipv4Addr::new(127, 0, 0, last);
    let endpoint = endpoint.clone().local_address(Some(from.into()));
    let channel = endpoint.connect().await.expect("it listens");
    StreamServiceClient::new(channel).max_decoding_message_size(BLOCK_BYTES_MAX)
}

/// Opens a stream with every proof.
pub(crate) async fn subscribe(
    client: &Client,
    chain_id: ChainId,
    from_seq: u64,
) -> Streaming<BatchItem> {
    let request = StreamBatchesRequest {
        chain_id: chain_id.0,
        from_seq,
        ..StreamBatchesRequest::default()
    };
    let opened = client.clone().stream_batches(request).await;
    opened.expect("the rollup is registered").into_inner()
}

/// Reads so many messages of a stream.
pub(crate) async fn read(
    mut stream: Streaming<BatchItem>,
    messages: usize,
) -> (Streaming<BatchItem>, Read) {
    let mut read = Vec::with_capacity(messages);
    for _ in 0..messages {
        let item = stream.message().await.expect("the stream does not fail");
        read.push(item.expect("the stream does not end"));
    }
    (stream, read)
}

//! A subscriber for each rollup, at the validators in turn, that notes when batches come.

use std::collections::BTreeSet;
use std::time::Duration;

use cloverleaf_api::proto::stream::v1::stream_service_client::StreamServiceClient;
use cloverleaf_api::proto::stream::v1::{BatchItem, StreamBatchesRequest};
use cloverleaf_api::wire::decode_item;
use cloverleaf_client::endpoint;
use cloverleaf_types::block::BLOCK_BYTES_MAX;
use cloverleaf_types::{ChainId, TransactionKey};
use eyre::{Result, WrapErr as _, ensure, eyre};
use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::users::Answer;

/// Streams of one connection: a validator allows 64.
const STREAMS_PER_CONNECTION: usize = 50;

/// How long after the last answer the last batch may come.
const LAST_BATCH_TIMEOUT: Duration = Duration::from_secs(30);

/// A batch that came.
pub(super) struct Arrival {
    /// When.
    pub(super) at: Instant,
    /// Its block.
    pub(super) height: u64,
    /// Its transactions.
    pub(super) keys: Vec<TransactionKey>,
}

/// Subscribers that read on until they are closed.
pub(super) struct Subscribers {
    arrivals: UnboundedReceiver<Result<Arrival>>,
    /// Dropped with this, and ended thereby.
    _readers: JoinSet<()>,
}

impl Subscribers {
    /// Subscribes to all rollups from their first batch on, with proofs.
    pub(super) async fn open(grpc: &[String], chains: &[ChainId]) -> Result<Self> {
        let (sender, arrivals) = unbounded_channel();
        let mut readers = JoinSet::new();
        for (turn, url) in grpc.iter().enumerate() {
            let own: Vec<_> = chains.iter().skip(turn).step_by(grpc.len()).collect();
            for chains in own.chunks(STREAMS_PER_CONNECTION) {
                let channel = endpoint(url)?.connect().await.wrap_err("a subscriber")?;
                let client =
                    StreamServiceClient::new(channel).max_decoding_message_size(BLOCK_BYTES_MAX);
                for chain in chains {
                    let request = StreamBatchesRequest {
                        chain_id: chain.0,
                        from_seq: 1,
                        ..StreamBatchesRequest::default()
                    };
                    let items = client.clone().stream_batches(request).await?.into_inner();
                    let items = items.map(|item| item.map_err(eyre::Report::from));
                    readers.spawn(follow(items, sender.clone()));
                }
            }
        }
        Ok(Self {
            arrivals,
            _readers: readers,
        })
    }

    /// Reads until everything that was committed has come, once.
    pub(super) async fn close_after(mut self, answers: &[Answer]) -> Result<Vec<Arrival>> {
        let keys = answers.iter().flat_map(|answer| &answer.keys);
        let mut missing: BTreeSet<&TransactionKey> = keys.collect();
        let mut arrivals = Vec::new();
        while !missing.is_empty() {
            let arrival = timeout(LAST_BATCH_TIMEOUT, self.arrivals.recv()).await;
            let arrival = arrival
                .map_err(|_| eyre!("{} committed transactions do not come", missing.len()))?
                .ok_or_else(|| eyre!("no stream is left"))??;
            for key in &arrival.keys {
                ensure!(missing.remove(key), "{key:?} came unasked or twice");
            }
            arrivals.push(arrival);
        }
        Ok(arrivals)
    }
}

fn arrived(at: Instant, item: Result<Option<BatchItem>>) -> Result<Arrival> {
    let item = item?.ok_or_else(|| eyre!("a stream ended"))?;
    let item = decode_item(item)?;
    let batch = item.batch.claimed();
    let header = batch.header();
    let ids = batch.ids().into_iter();
    Ok(Arrival {
        at,
        height: header.height.0,
        keys: ids.map(|id| (header.chain_id, id)).collect(),
    })
}

/// Notes a rollup's batches when they come, until nobody wants to know.
async fn follow(
    mut items: impl Stream<Item = Result<BatchItem>> + Unpin,
    arrivals: UnboundedSender<Result<Arrival>>,
) {
    loop {
        let item = items.next().await.transpose();
        let (at, is_last) = (Instant::now(), !matches!(item, Ok(Some(_))));
        if arrivals.send(arrived(at, item)).is_err() || is_last {
            return;
        }
    }
}

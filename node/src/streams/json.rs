//! Streams of JSON: what server-sent events and WebSockets carry.

use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::{Batch, Block, BlockBundles, ProofsWanted, ProvenBundle, StreamedBatch};
use cloverleaf_api::reason::Reason;
use cloverleaf_stream::{Hub, Positioned, Proofs, StreamBlock, StreamItem};
use cloverleaf_types::proof::HeadProof;
use cloverleaf_types::{ChainId, DecidedBlock, Head, Height, Manifest};
use futures::{Stream, StreamExt as _};
use serde::Serialize;

use super::feed::{Feed, Patience, ended};
use super::rendered::{Key, Rendered};
use crate::metrics::Subscriber;
use crate::rpc::Desk;
use crate::rpc::desk::broken;

/// Opens streams of JSON. Clones share what they have rendered.
#[derive(Clone, Debug)]
pub(crate) struct JsonStreams {
    desk: Desk,
    patience: Patience,
    rendered: Arc<Rendered>,
}

/// An item of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonItem {
    /// Its place: a batch's number or a block's height.
    pub(crate) position: u64,
    /// Its JSON, in one line; shared by all who read it.
    pub(crate) text: Bytes,
}

/// Items as they are pulled; whoever reads them stops at the first error.
pub(crate) type JsonItems = Pin<Box<dyn Stream<Item = Result<JsonItem, RpcError>> + Send>>;

/// An opened stream.
pub(crate) struct JsonStream {
    /// The position it begins at.
    pub(crate) from: u64,
    /// What it carries.
    pub(crate) items: JsonItems,
    /// Counts its reader, who may be told why it ends by somebody else than `items`.
    pub(crate) subscriber: Arc<Subscriber>,
}

impl JsonStream {
    /// An item may still fail to be written after its feed handed it out.
    fn new(
        from: u64,
        items: impl Stream<Item = Result<JsonItem, RpcError>> + Send + 'static,
        subscriber: Arc<Subscriber>,
    ) -> Self {
        let counted = Arc::clone(&subscriber);
        let items = items.inspect(move |item| {
            if let Err(error) = item {
                counted.ended(error.reason);
            }
        });
        Self {
            from,
            items: Box::pin(items),
            subscriber,
        }
    }
}

impl JsonStreams {
    /// Streams of a running sequencer.
    pub(crate) fn new(desk: Desk, patience: Patience) -> Self {
        Self {
            desk,
            patience,
            rendered: Arc::default(),
        }
    }

    /// A rollup's batches from a number on; without one, those that come next.
    ///
    /// # Errors
    /// The rollup is unknown, or the node stops.
    pub(crate) fn batches(
        &self,
        chain_id: ChainId,
        from: Option<u64>,
        proofs: ProofsWanted,
    ) -> Result<JsonStream, RpcError> {
        let from = match from {
            Some(from) => from.max(1),
            None => self.hub().next_seq(chain_id).map_err(|no| ended(&no, 1))?,
        };
        let subscription = self.hub().subscribe(chain_id, from);
        let subscription = subscription.map_err(|error| ended(&error, from))?;
        let (streams, proofs) = (self.clone(), in_words_of_streams(proofs));
        let subscriber = self.subscriber("batches");
        let feed = Feed::new(subscription, self.patience.clone(), subscriber.clone());
        let items = feed.into_items().then(move |item| {
            let streams = streams.clone();
            async move { streams.batch(item?, proofs).await }
        });
        Ok(JsonStream::new(from, items, subscriber))
    }

    /// Blocks from a height on; without one, those that come next.
    ///
    /// # Errors
    /// The node stops.
    pub(crate) fn blocks(&self, from: Option<u64>) -> Result<JsonStream, RpcError> {
        self.of_blocks(from, Key::Block, |decided| Some(Block::of(decided)))
    }

    /// The bundles of blocks from a height on; without one, of those that come next. Blocks without
    /// bundles are left out.
    ///
    /// # Errors
    /// The node stops.
    pub(crate) fn bundles(&self, from: Option<u64>) -> Result<JsonStream, RpcError> {
        self.of_blocks(from, Key::Bundles, BlockBundles::of)
    }

    fn of_blocks<S: Serialize + 'static>(
        &self,
        from: Option<u64>,
        key: fn(Height) -> Key,
        shape: fn(&DecidedBlock) -> Option<S>,
    ) -> Result<JsonStream, RpcError> {
        let from = match from {
            Some(from) => from.max(1),
            None => self.hub().next_height().map_err(|no| ended(&no, 1))?.0,
        };
        let subscription = self.hub().subscribe_blocks(Height(from));
        let subscription = subscription.map_err(|error| ended(&error, from))?;
        let streams = self.clone();
        let subscriber = self.subscriber("blocks");
        let feed = Feed::new(subscription, self.patience.clone(), subscriber.clone());
        let items = feed.into_items().then(move |item| {
            let streams = streams.clone();
            async move { streams.block(item?, key, shape).await }
        });
        let said = |item: &Result<JsonItem, RpcError>| {
            let is_left_out = item.as_ref().is_ok_and(|item| item.text.is_empty());
            futures::future::ready(!is_left_out)
        };
        Ok(JsonStream::new(from, items.filter(said), subscriber))
    }

    async fn batch(&self, item: Arc<StreamItem>, proofs: Proofs) -> Result<JsonItem, RpcError> {
        let with_proof = proofs.include(item.seq);
        let key = Key::Batch(item.chain_id, item.seq, with_proof);
        let (position, bytes) = (item.seq, item.memory_bytes());
        let desk = self.desk.clone();
        let render = async move {
            let read = desk.read(move |_store| {
                let shape = streamed_batch(&item, with_proof)?;
                written(Some(&shape))
            });
            read.await
        };
        let text = self.rendered.text(key, bytes, render).await?;
        Ok(JsonItem { position, text })
    }

    async fn block<S: Serialize + 'static>(
        &self,
        item: Arc<StreamBlock>,
        key: fn(Height) -> Key,
        shape: fn(&DecidedBlock) -> Option<S>,
    ) -> Result<JsonItem, RpcError> {
        let (key, position, bytes) = (key(item.height), item.height.0, item.memory_bytes());
        let desk = self.desk.clone();
        let render = async move {
            let read = desk.read(move |_store| {
                let decided = DecidedBlock::decode(item.encoded.clone()).map_err(broken)?;
                written(shape(decided.claimed()).as_ref())
            });
            read.await
        };
        let text = self.rendered.text(key, bytes, render).await?;
        Ok(JsonItem { position, text })
    }

    /// How long readers are served.
    pub(crate) fn patience(&self) -> &Patience {
        &self.patience
    }

    fn subscriber(&self, stream: &'static str) -> Arc<Subscriber> {
        Arc::new(
            self.desk
                .handle()
                .shared()
                .metrics
                .stream
                .subscribed(stream),
        )
    }

    fn hub(&self) -> &Hub {
        &self.desk.handle().shared().hub
    }
}

/// The shape of a batch, with the proof that its own block gives.
fn streamed_batch(item: &StreamItem, with_proof: bool) -> Result<StreamedBatch, RpcError> {
    let batch = cloverleaf_types::Batch::decode(item.batch.clone()).map_err(broken)?;
    let batch = batch.claimed();
    let manifests: Vec<Manifest> = item
        .bundles
        .iter()
        .map(|bundle| bundle.manifest.clone())
        .collect();
    let proof = with_proof.then(|| HeadProof {
        head: Head::of(batch.header()),
        header: item.header.as_ref().clone(),
        certificate: item.certificate.as_ref().clone(),
        branch: item.branch.clone(),
    });
    let bundles = item.bundles.iter().filter(|_| with_proof);
    let bundles = bundles.map(|bundle| ProvenBundle {
        manifest: bundle.manifest.clone(),
        branch: bundle.branch.clone(),
    });
    Ok(StreamedBatch {
        batch: Batch::of(batch, &manifests),
        proof,
        bundles: bundles.collect(),
    })
}

/// A shape as text; nothing becomes the empty text, which is left out.
fn written<S: Serialize>(shape: Option<&S>) -> Result<Bytes, RpcError> {
    let text = shape.map(serde_json::to_vec).transpose();
    let text = text.map_err(|error| RpcError::because(Reason::Internal, error))?;
    Ok(text.unwrap_or_default().into())
}

fn in_words_of_streams(proofs: ProofsWanted) -> Proofs {
    match proofs {
        ProofsWanted::Every => Proofs::Every,
        ProofsWanted::EveryNth(n) => NonZeroU64::new(n).map_or(Proofs::Never, Proofs::EveryNth),
        ProofsWanted::Never => Proofs::Never,
    }
}

//! `cloverleaf.stream.v1`: decided batches and blocks, from any point on.

use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::Arc;

use cloverleaf_api::error::WireError;
use cloverleaf_api::json::At;
use cloverleaf_api::proto::stream::v1 as proto;
use cloverleaf_api::proto::stream::v1::stream_service_server::StreamService;
use cloverleaf_api::wire::{BlockProof, BundleInclusion, encode_item};
use cloverleaf_stream::{Positioned, Proofs, StreamBlock, StreamItem, Subscription};
use cloverleaf_types::{ChainId, Height};
use futures::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};

use super::incoming::Caller;
use super::refusal::{malformed, not_found, status};
use crate::adapters::stream_item;
use crate::rpc::Desk;
use crate::streams::{Feed, Patience, Stalls, ended};

/// The service.
#[derive(Debug)]
pub(super) struct Streams {
    desk: Desk,
    patience: Patience,
    stalls: Stalls,
}

type Items<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

impl Streams {
    pub(super) fn new(desk: Desk, patience: Patience, stalls: Stalls) -> Self {
        Self {
            desk,
            patience,
            stalls,
        }
    }

    /// Pulls when the reader takes, so that a slow one costs its place and nothing else.
    fn items<T: Positioned, M: 'static>(
        &self,
        (stream, caller): (&'static str, Option<Caller>),
        subscription: Subscription<T>,
        message: impl Fn(&T) -> M + Send + 'static,
    ) -> Items<M> {
        let metrics = &self.desk.handle().shared().metrics.stream;
        let subscriber = Arc::new(metrics.subscribed(stream));
        let feed = Feed::new(subscription, self.patience.clone(), subscriber);
        let hang_up = caller.map(|caller| caller.connection).unwrap_or_default();
        let items = self.stalls.items(feed, hang_up);
        Box::pin(items.map(move |item| match item {
            Ok(item) => Ok(message(&item)),
            Err(error) => Err(status(&error)),
        }))
    }
}

#[tonic::async_trait]
impl StreamService for Streams {
    type StreamBatchesStream = Items<proto::BatchItem>;
    type StreamBlocksStream = Items<proto::BlockItem>;

    async fn stream_batches(
        &self,
        request: Request<proto::StreamBatchesRequest>,
    ) -> Result<Response<Self::StreamBatchesStream>, Status> {
        let caller = request.extensions().get::<Caller>().cloned();
        let request = request.into_inner();
        let proofs = proofs(request.proofs, request.proof_interval)?;
        let (chain_id, from) = (ChainId(request.chain_id), request.from_seq);
        let hub = &self.desk.handle().shared().hub;
        let subscription = hub
            .subscribe(chain_id, from)
            .map_err(|error| status(&ended(&error, from.max(1))))?;
        let message = move |item: &StreamItem| batch_item(item, proofs.include(item.seq));
        Ok(Response::new(self.items(
            ("batches", caller),
            subscription,
            message,
        )))
    }

    async fn stream_blocks(
        &self,
        request: Request<proto::StreamBlocksRequest>,
    ) -> Result<Response<Self::StreamBlocksStream>, Status> {
        let caller = request.extensions().get::<Caller>().cloned();
        let from = request.into_inner().from_height;
        let hub = &self.desk.handle().shared().hub;
        let subscription = hub
            .subscribe_blocks(Height(from))
            .map_err(|error| status(&ended(&error, from.max(1))))?;
        let message = |item: &StreamBlock| proto::BlockItem {
            block: item.encoded.clone(),
        };
        Ok(Response::new(self.items(
            ("blocks", caller),
            subscription,
            message,
        )))
    }

    async fn get_batch(
        &self,
        request: Request<proto::GetBatchRequest>,
    ) -> Result<Response<proto::BatchItem>, Status> {
        let proto::GetBatchRequest { chain_id, seq } = request.into_inner();
        let (chain_id, at) = match seq {
            0 => (ChainId(chain_id), At::Latest),
            seq => (ChainId(chain_id), At::Number(seq)),
        };
        let found = self
            .desk
            .batch(chain_id, at)
            .await
            .map_err(|error| status(&error))?;
        let stored = found.ok_or_else(|| not_found(format_args!("batch {seq}")))?;
        Ok(Response::new(batch_item(
            &stream_item(chain_id, stored),
            true,
        )))
    }
}

fn batch_item(item: &StreamItem, with_proof: bool) -> proto::BatchItem {
    if !with_proof {
        return encode_item(item.batch.clone(), None, &[]);
    }
    let proof = BlockProof {
        header: item.header.as_ref().clone(),
        certificate: item.certificate.as_ref().clone(),
        head_branch: item.branch.clone(),
    };
    let bundles = item.bundles.iter().map(|bundle| BundleInclusion {
        manifest: bundle.manifest.clone(),
        branch: bundle.branch.clone(),
    });
    encode_item(
        item.batch.clone(),
        Some(&proof),
        &bundles.collect::<Vec<_>>(),
    )
}

fn proofs(proofs: i32, interval: u32) -> Result<Proofs, Status> {
    let out_of_range = |field| malformed(&WireError::OutOfRange { field });
    match proto::Proofs::try_from(proofs) {
        Ok(proto::Proofs::Unspecified | proto::Proofs::Every) => Ok(Proofs::Every),
        Ok(proto::Proofs::Never) => Ok(Proofs::Never),
        Ok(proto::Proofs::Interval) => NonZeroU64::new(interval.into())
            .map(Proofs::EveryNth)
            .ok_or_else(|| out_of_range("proof_interval")),
        Err(_) => Err(out_of_range("proofs")),
    }
}

//! tonic alone: a service that streams one message again and again.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;

use cloverleaf_api::proto::stream::v1 as proto;
use cloverleaf_api::proto::stream::v1::stream_service_server::{
    StreamService, StreamServiceServer,
};
use cloverleaf_api::wire::{BlockProof, BundleInclusion, encode_item};
use cloverleaf_bench::{Chain, Workload};
use cloverleaf_client::endpoint;
use cloverleaf_stream::StreamItem;
use futures::{Stream, stream};
use tokio::sync::watch;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};

/// A running server.
pub(crate) struct Bare {
    address: SocketAddr,
    turns: watch::Sender<()>,
}

/// Its service.
struct Repeating {
    message: proto::BatchItem,
    /// How many a turn has.
    messages: usize,
    turns: watch::Receiver<()>,
}

impl Bare {
    /// Starts a server whose messages are like those of a node's first block, so many in a turn.
    pub(crate) async fn start(workload: Workload, messages: usize) -> Self {
        let incoming = TcpIncoming::bind((Ipv4Addr::LOCALHOST, 0).into());
        let incoming = incoming.expect("a port is free").with_nodelay(Some(true));
        let address = incoming.local_addr().expect("it is bound");
        let (turns, receiver) = watch::channel(());
        let service = StreamServiceServer::new(Repeating {
            message: message(workload),
            messages,
            turns: receiver,
        });
        let served = Server::builder().add_service(service);
        tokio::spawn(served.serve_with_incoming(incoming));
        Self { address, turns }
    }

    /// Where it serves.
    pub(crate) fn endpoint(&self) -> Endpoint {
        endpoint(&format!("http://{}", self.address)).expect("a URL")
    }

    /// Lets all streams send a turn.
    pub(crate) fn announce(&self) {
        self.turns.send_replace(());
    }
}

#[tonic::async_trait]
impl StreamService for Repeating {
    type StreamBatchesStream = Pin<Box<dyn Stream<Item = Result<proto::BatchItem, Status>> + Send>>;
    type StreamBlocksStream = Pin<Box<dyn Stream<Item = Result<proto::BlockItem, Status>> + Send>>;

    /// Who asks for number 1 gets a turn at once.
    async fn stream_batches(
        &self,
        request: Request<proto::StreamBatchesRequest>,
    ) -> Result<Response<Self::StreamBatchesStream>, Status> {
        let (message, messages) = (self.message.clone(), self.messages);
        let mut turns = self.turns.clone();
        turns.mark_unchanged();
        let left = if request.into_inner().from_seq == 1 {
            messages
        } else {
            0
        };
        let items = stream::unfold((turns, left), move |(mut turns, mut left)| {
            let message = message.clone();
            async move {
                if left == 0 {
                    turns.changed().await.ok()?;
                    left = messages;
                }
                Some((Ok(message), (turns, left - 1)))
            }
        });
        Ok(Response::new(Box::pin(items)))
    }

    async fn stream_blocks(
        &self,
        _request: Request<proto::StreamBlocksRequest>,
    ) -> Result<Response<Self::StreamBlocksStream>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn get_batch(
        &self,
        _request: Request<proto::GetBatchRequest>,
    ) -> Result<Response<proto::BatchItem>, Status> {
        Err(Status::unimplemented("not measured"))
    }
}

/// A batch of a usual block with its proof, as a node sends it.
fn message(workload: Workload) -> proto::BatchItem {
    let commit = Chain::new(workload).decide_next();
    let items = StreamItem::of_block(&commit.block, &commit.branches);
    let item = items.first().expect("a block with batches");
    let proof = BlockProof {
        header: item.header.as_ref().clone(),
        certificate: item.certificate.as_ref().clone(),
        head_branch: item.branch.clone(),
    };
    let bundles = item.bundles.iter().map(|bundle| BundleInclusion {
        manifest: bundle.manifest.clone(),
        branch: bundle.branch.clone(),
    });
    let bundles: Vec<_> = bundles.collect();
    encode_item(item.batch.clone(), Some(&proof), &bundles)
}

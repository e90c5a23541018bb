//! Servers for tests, in this process: nodes that stream, and endpoints that answer what they are
//! told.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloverleaf_api::proto::proof::v1::proof_service_server::{ProofService, ProofServiceServer};
use cloverleaf_api::proto::proof::v1::{
    BundleProof, Evidence, GetBundleProofRequest, GetEvidenceRequest, GetHeadProofRequest,
    HeadProof, ListEvidenceRequest, ListEvidenceResponse,
};
use cloverleaf_api::proto::stream::v1::stream_service_server::{
    StreamService, StreamServiceServer,
};
use cloverleaf_api::proto::stream::v1::{
    BatchItem, BlockItem, GetBatchRequest, StreamBatchesRequest, StreamBlocksRequest,
};
use cloverleaf_api::wire;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};

/// What a node does when a stream is asked for.
#[derive(Clone)]
pub(crate) enum Node {
    /// Sends these items, from the number asked for, and then keeps the stream open.
    Sends(Vec<BatchItem>),
    /// Sends these items, from the number asked for, and ends the stream.
    Ends(Vec<BatchItem>),
    /// Sends one of these items, that with the number asked for, and breaks off.
    Breaks(Vec<BatchItem>, Status),
    /// Sends these items, but no longer has chain 0's.
    Forgets(Vec<BatchItem>, Status),
    /// Does the same as another, and counts how often it is asked.
    Counts(Arc<AtomicUsize>, Box<Self>),
    /// Does the same as [`Sends`](Self::Sends), and proves a rollup's head.
    Proves(Vec<BatchItem>, HeadProof),
    /// Says no.
    Refuses(Status),
}

type Items<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl StreamService for Node {
    type StreamBatchesStream = Items<BatchItem>;
    type StreamBlocksStream = Items<BlockItem>;

    async fn stream_batches(
        &self,
        request: Request<StreamBatchesRequest>,
    ) -> Result<Response<Self::StreamBatchesStream>, Status> {
        let node = match self {
            Self::Counts(asked, node) => {
                asked.fetch_add(1, Ordering::SeqCst);
                node.as_ref()
            }
            node => node,
        };
        let StreamBatchesRequest {
            chain_id, from_seq, ..
        } = request.into_inner();
        let is_wanted = |item: &&BatchItem| {
            let item = wire::decode_item((*item).clone()).unwrap();
            let header = item.batch.claimed().header();
            header.chain_id.0 == chain_id && header.seq >= from_seq
        };
        let from = |items: &[BatchItem]| {
            let items: Vec<_> = items.iter().filter(is_wanted).cloned().map(Ok).collect();
            tokio_stream::iter(items)
        };
        let stream: Items<BatchItem> = match node {
            Self::Forgets(_, status) if chain_id == 0 => return Err(status.clone()),
            Self::Sends(items) | Self::Proves(items, _) | Self::Forgets(items, _) => {
                Box::pin(from(items).chain(tokio_stream::pending()))
            }
            Self::Ends(items) => Box::pin(from(items)),
            Self::Breaks(items, status) => Box::pin(
                from(items)
                    .take(1)
                    .chain(tokio_stream::once(Err(status.clone()))),
            ),
            Self::Refuses(status) => return Err(status.clone()),
            Self::Counts(..) => return Err(Status::unimplemented("it counts a counter")),
        };
        Ok(Response::new(stream))
    }

    async fn stream_blocks(
        &self,
        _: Request<StreamBlocksRequest>,
    ) -> Result<Response<Self::StreamBlocksStream>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn get_batch(&self, _: Request<GetBatchRequest>) -> Result<Response<BatchItem>, Status> {
        Err(Status::unimplemented("not in this test"))
    }
}

#[tonic::async_trait]
impl ProofService for Node {
    async fn get_bundle_proof(
        &self,
        _: Request<GetBundleProofRequest>,
    ) -> Result<Response<BundleProof>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn get_head_proof(
        &self,
        _: Request<GetHeadProofRequest>,
    ) -> Result<Response<HeadProof>, Status> {
        match self {
            Self::Proves(_, proof) => Ok(Response::new(proof.clone())),
            _ => Err(Status::unavailable("it proves nothing")),
        }
    }

    async fn list_evidence(
        &self,
        _: Request<ListEvidenceRequest>,
    ) -> Result<Response<ListEvidenceResponse>, Status> {
        Err(Status::unimplemented("not in this test"))
    }

    async fn get_evidence(
        &self,
        _: Request<GetEvidenceRequest>,
    ) -> Result<Response<Evidence>, Status> {
        Err(Status::unimplemented("not in this test"))
    }
}

/// Serves a node until the test's runtime ends; its address.
pub(crate) async fn serve(node: Node) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder()
        .add_service(StreamServiceServer::new(node.clone()))
        .add_service(ProofServiceServer::new(node))
        .serve_with_incoming(TcpListenerStream::new(listener));
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(server);
    format!("http://{address}")
}

/// An address at which nobody listens.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Answers one request after another with these HTTP statuses and bodies; then hands over what it
/// was asked: request line and body.
pub(crate) async fn answer(
    listener: TcpListener,
    answers: Vec<(u16, String)>,
) -> Vec<(String, Value)> {
    let mut asked = Vec::new();
    for (status, body) in answers {
        let (mut stream, _) = listener.accept().await.unwrap();
        asked.push(read_request(&mut stream).await);
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n");
        let answer = format!("{head}connection: close\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }
    asked
}

async fn read_request(stream: &mut TcpStream) -> (String, Value) {
    let mut bytes = Vec::new();
    loop {
        stream.read_buf(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        if let Ok(body) = serde_json::from_str(body) {
            return (head.lines().next().unwrap().to_owned(), body);
        }
    }
}

//! tonic: an empty unary method, empty items of a stream.

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Error, Server};
use tonic::{Request, Response, Status, Streaming};

use proto::empty_service_client::EmptyServiceClient;
use proto::empty_service_server::{EmptyService, EmptyServiceServer};
use proto::{ItemsRequest, Nothing};

#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::excessive_nesting,
    clippy::too_many_lines,
    reason = "tonic generates it"
)]
mod proto {
    include!(concat!(env!("OUT_DIR"), "/peers.empty.v1.rs"));
}

/// A server on loopback, and a client's connection to it.
pub struct Grpc {
    client: EmptyServiceClient<Channel>,
    server: JoinHandle<Result<(), Error>>,
}

impl Grpc {
    /// Starts both.
    ///
    /// # Errors
    /// No port, or no connection.
    pub async fn start() -> eyre::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        // The builder's own setting is not for a listener that is handed in.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let serving = Server::builder()
            .add_service(EmptyServiceServer::new(Nobody))
            .serve_with_incoming(incoming);
        let server = tokio::spawn(serving);
        let client = EmptyServiceClient::connect(url).await?;
        Ok(Self { client, server })
    }

    /// Calls the empty method so often, one after the other; how many answers came.
    ///
    /// # Errors
    /// A call fails.
    pub async fn call(&mut self, count: u64) -> Result<u64, Status> {
        for _ in 0..count {
            self.client.call(Nothing {}).await?;
        }
        Ok(count)
    }

    /// Reads so many items of a server's stream; how many came.
    ///
    /// # Errors
    /// The stream fails.
    pub async fn items(&mut self, count: u64) -> Result<u64, Status> {
        let items = self.client.items(ItemsRequest { count }).await?;
        counted(items.into_inner()).await
    }

    /// Sends so many items and reads one for each; how many came.
    ///
    /// # Errors
    /// The stream fails.
    pub async fn echo(&mut self, count: u64) -> Result<u64, Status> {
        let sent = stream::iter((0..count).map(|_| Nothing {}));
        counted(self.client.echo(sent).await?.into_inner()).await
    }
}

impl Drop for Grpc {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn counted(mut items: Streaming<Nothing>) -> Result<u64, Status> {
    let mut count = 0;
    while items.message().await?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// Who serves.
struct Nobody;

#[tonic::async_trait]
impl EmptyService for Nobody {
    type ItemsStream = BoxStream<'static, Result<Nothing, Status>>;
    type EchoStream = BoxStream<'static, Result<Nothing, Status>>;

    async fn call(&self, _: Request<Nothing>) -> Result<Response<Nothing>, Status> {
        Ok(Response::new(Nothing {}))
    }

    async fn items(
        &self,
        request: Request<ItemsRequest>,
    ) -> Result<Response<Self::ItemsStream>, Status> {
        let items = (0..request.into_inner().count).map(|_| Ok(Nothing {}));
        Ok(Response::new(stream::iter(items).boxed()))
    }

    async fn echo(
        &self,
        request: Request<Streaming<Nothing>>,
    ) -> Result<Response<Self::EchoStream>, Status> {
        Ok(Response::new(request.into_inner().boxed()))
    }
}

//! jsonrpsee: an empty method, singly and in batches.

use eyre::{Result, ensure};
use jsonrpsee::RpcModule;
use jsonrpsee::core::client::ClientT as _;
use jsonrpsee::core::params::BatchRequestBuilder;
use jsonrpsee::http_client::{HttpClient, HttpClientBuilder};
use jsonrpsee::rpc_params;
use jsonrpsee::server::{Server, ServerHandle};

/// The empty method.
const METHOD: &str = "nothing";

/// A server on loopback, and a client that keeps one connection to it while it waits for each answer.
pub struct JsonRpc {
    client: HttpClient,
    _server: ServerHandle,
}

impl JsonRpc {
    /// Starts both.
    ///
    /// # Errors
    /// No port.
    pub async fn start() -> Result<Self> {
        let server = Server::builder().build("127.0.0.1:0").await?;
        let url = format!("http://{}", server.local_addr()?);
        let mut methods = RpcModule::new(());
        methods.register_method(METHOD, |_, (), _| ())?;
        Ok(Self {
            client: HttpClientBuilder::default().build(url)?,
            _server: server.start(methods),
        })
    }

    /// Calls the empty method so often, one after the other; how many answers came.
    ///
    /// # Errors
    /// A call fails.
    pub async fn call(&self, count: u64) -> Result<u64> {
        for _ in 0..count {
            self.client.request::<(), _>(METHOD, rpc_params![]).await?;
        }
        Ok(count)
    }

    /// Calls it so often in one batch; how many answers came.
    ///
    /// # Errors
    /// The batch fails, or one call in it.
    pub async fn batch(&self, count: usize) -> Result<usize> {
        let mut batch = BatchRequestBuilder::new();
        for _ in 0..count {
            batch.insert(METHOD, rpc_params![])?;
        }
        let answers = self.client.batch_request::<()>(batch).await?;
        ensure!(answers.num_failed_calls() == 0, "a call failed");
        Ok(answers.num_successful_calls())
    }
}

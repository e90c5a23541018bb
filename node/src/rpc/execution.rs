//! Rollups' own execution RPC: what this node asks it, and what it passes on.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cloverleaf_api::error::RpcError;
use cloverleaf_api::reason::Reason;
use cloverleaf_types::{Address, ChainId};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::Outcome;
use super::limits::{EXECUTION_BYTES_MAX, EXECUTION_NONCE_TIMEOUT, EXECUTION_TIMEOUT};

/// The execution RPCs that this node was configured with.
#[derive(Clone, Debug)]
pub(crate) struct Executions {
    client: Client<HttpConnector, Full<Bytes>>,
    urls: BTreeMap<ChainId, String>,
}

#[derive(Deserialize)]
struct Reply {
    result: Option<Box<RawValue>>,
    error: Option<Box<RawValue>>,
}

impl Executions {
    /// Knows these URLs.
    pub(crate) fn new(urls: BTreeMap<ChainId, String>) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            urls,
        }
    }

    /// True when the rollup's can be asked.
    pub(crate) fn knows(&self, chain_id: ChainId) -> bool {
        self.urls.contains_key(&chain_id)
    }

    /// Passes a call on; without an execution RPC the method does not exist here.
    pub(crate) async fn pass_on(
        &self,
        chain_id: ChainId,
        method: &str,
        params: Option<&RawValue>,
    ) -> Outcome {
        let Some(url) = self.urls.get(&chain_id) else {
            return Outcome::Error(RpcError::method_not_found(method));
        };
        match self.call(url, method, params, EXECUTION_TIMEOUT).await {
            Ok(Reply {
                error: Some(error), ..
            }) => Outcome::Foreign(error),
            Ok(Reply {
                result,
                error: None,
            }) => Outcome::Result(result.unwrap_or_else(|| RawValue::NULL.to_owned())),
            Err(why) => {
                tracing::debug!(%chain_id, method, why, "execution RPC failed");
                Outcome::Error(RpcError::because(Reason::ExecutionRpcDown, why))
            }
        }
    }

    /// The next nonce of a sender as the rollup's latest state has it; nothing when it cannot be
    /// asked in time.
    pub(crate) async fn next_nonce(&self, chain_id: ChainId, sender: Address) -> Option<u64> {
        let url = self.urls.get(&chain_id)?;
        let params = serde_json::value::to_raw_value(&(sender, "latest")).ok()?;
        let method = "eth_getTransactionCount";
        let reply = self
            .call(url, method, Some(&params), EXECUTION_NONCE_TIMEOUT)
            .await
            .ok()?;
        let text: String = serde_json::from_str(reply.result?.get()).ok()?;
        u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
    }

    async fn call(
        &self,
        url: &str,
        method: &str,
        params: Option<&RawValue>,
        timeout: Duration,
    ) -> Result<Reply, String> {
        let empty = RawValue::from_string("[]".to_owned()).map_err(|error| error.to_string())?;
        let body = serde_json::json!({
            "jsonrpc": "2.0", "id": 1, "method": method, "params": params.unwrap_or(&empty),
        });
        let request = Request::post(url)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|error| error.to_string())?;
        let answered = async {
            let response = self
                .client
                .request(request)
                .await
                .map_err(|error| error.to_string())?;
            let limited = Limited::new(response.into_body(), EXECUTION_BYTES_MAX);
            limited.collect().await.map_err(|error| error.to_string())
        };
        let bytes = tokio::time::timeout(timeout, answered)
            .await
            .map_err(|_| format!("no answer within {} ms", timeout.as_millis()))??
            .to_bytes();
        serde_json::from_slice(&bytes).map_err(|error| error.to_string())
    }
}

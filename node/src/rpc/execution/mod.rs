//! Rollups' own execution RPC: what this node asks it, and what it passes on.

mod breaker;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::{Circuit, Quantity};
use cloverleaf_api::reason::Reason;
use cloverleaf_types::{Address, ChainId};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::envelope::Outcome;
use super::limits::{EXECUTION_BYTES_MAX, EXECUTION_LOOK_TIMEOUT, EXECUTION_TIMEOUT};
use crate::clock::instant;
use breaker::Breaker;

/// The execution RPCs that this node was configured with.
#[derive(Debug)]
pub(crate) struct Executions {
    client: Client<HttpConnector, Full<Bytes>>,
    rollups: BTreeMap<ChainId, Execution>,
}

#[derive(Debug)]
struct Execution {
    url: String,
    breaker: Mutex<Breaker>,
}

/// An answer of an execution RPC.
#[derive(Deserialize)]
struct Reply {
    result: Option<Box<RawValue>>,
    error: Option<Box<RawValue>>,
}

impl Executions {
    /// Knows these URLs.
    pub(crate) fn new(urls: BTreeMap<ChainId, String>) -> Self {
        let rollups = urls.into_iter().map(|(chain_id, url)| {
            let breaker = Mutex::default();
            (chain_id, Execution { url, breaker })
        });
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            rollups: rollups.collect(),
        }
    }

    /// True when the rollup's can be asked.
    pub(crate) fn knows(&self, chain_id: ChainId) -> bool {
        self.rollups.contains_key(&chain_id)
    }

    /// Whether the rollup's is asked at present; nothing when it is not known.
    pub(crate) fn circuit(&self, chain_id: ChainId) -> Option<Circuit> {
        let execution = self.rollups.get(&chain_id)?;
        Some(execution.breaker().circuit(instant()))
    }

    /// Passes a call on; without an execution RPC the method does not exist here.
    pub(crate) async fn pass_on(
        &self,
        chain_id: ChainId,
        method: &str,
        params: Option<&RawValue>,
    ) -> Outcome {
        let Some(execution) = self.rollups.get(&chain_id) else {
            return Outcome::Error(RpcError::method_not_found(method));
        };
        if let Err(wait) = execution.breaker().enter(instant()) {
            return Outcome::Error(not_asked(wait));
        }
        let called = self.call(&execution.url, method, params);
        let called = in_time(called, EXECUTION_TIMEOUT).await;
        execution.breaker().leave(instant(), called.is_ok());
        match called {
            Ok(reply) => match reply.error {
                Some(error) => Outcome::Foreign(error),
                None => {
                    let null = || RawValue::NULL.to_owned();
                    Outcome::Result(reply.result.unwrap_or_else(null))
                }
            },
            Err(why) => {
                tracing::debug!(%chain_id, method, why, "execution RPC failed");
                Outcome::Error(RpcError::because(Reason::ExecutionRpcDown, why))
            }
        }
    }

    /// The next nonce of a sender as the rollup's latest state has it; nothing when it cannot be
    /// asked in time.
    pub(crate) async fn next_nonce(&self, chain_id: ChainId, sender: Address) -> Option<u64> {
        let method = "eth_getTransactionCount";
        let params = serde_json::json!([sender, "latest"]);
        let nonce: Quantity = self.look(chain_id, method, &params).await?;
        Some(nonce.0)
    }

    /// Looks something up on the way to another answer: soon, or not at all. A null, a refusal and
    /// something of another shape are nothing.
    pub(crate) async fn look<T: DeserializeOwned>(
        &self,
        chain_id: ChainId,
        method: &str,
        params: &Value,
    ) -> Option<T> {
        let execution = self.rollups.get(&chain_id)?;
        if execution.breaker().circuit(instant()) != Circuit::Closed {
            return None;
        }
        let params = serde_json::value::to_raw_value(params).ok()?;
        let called = self.call(&execution.url, method, Some(&params));
        let reply = in_time(called, EXECUTION_LOOK_TIMEOUT).await.ok()?;
        serde_json::from_str(reply.result?.get()).ok()
    }

    async fn call(
        &self,
        url: &str,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<Reply, String> {
        let empty = RawValue::from_string("[]".to_owned()).map_err(|error| error.to_string())?;
        let body = serde_json::json!({
            "jsonrpc": "2.0", "id": 1, "method": method, "params": params.unwrap_or(&empty),
        });
        let request = Request::post(url)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|error| error.to_string())?;
        let response = self.client.request(request).await;
        let response = response.map_err(|error| error.to_string())?;
        let limited = Limited::new(response.into_body(), EXECUTION_BYTES_MAX);
        let body = limited.collect().await.map_err(|error| error.to_string())?;
        serde_json::from_slice(&body.to_bytes()).map_err(|error| error.to_string())
    }
}

impl Execution {
    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn in_time(
    called: impl Future<Output = Result<Reply, String>>,
    timeout: Duration,
) -> Result<Reply, String> {
    let late = |_| format!("no answer within {} ms", timeout.as_millis());
    tokio::time::timeout(timeout, called).await.map_err(late)?
}

/// It did not answer a moment ago, so nobody asks it now.
fn not_asked(wait: Duration) -> RpcError {
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
    let detail = format_args!("it is asked again in {wait_ms} ms");
    RpcError::because(Reason::ExecutionRpcDown, detail)
        .with("circuit", Circuit::Open.text())
        .retry_after(wait_ms)
}

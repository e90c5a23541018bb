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
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::envelope::{Outcome, some_raw};
use super::limits::{
    EXECUTION_BYTES_MAX, EXECUTION_CONCURRENT_MAX, EXECUTION_LOOK_TIMEOUT, EXECUTION_PROBE_TIMEOUT,
    EXECUTION_TIMEOUT,
};
use crate::clock::instant;
use breaker::{Breaker, Pass};

/// The execution RPCs that this node was configured with.
#[derive(Debug)]
pub(crate) struct Executions {
    client: Client<HttpConnector, Full<Bytes>>,
    /// Keeps no connection: each request makes one.
    anew: Client<HttpConnector, Full<Bytes>>,
    rollups: BTreeMap<ChainId, Execution>,
}

/// One of them. What is passed on has much longer than what is looked up, so each has its own breaker:
/// an execution RPC that is too slow for the one may be quick enough for the other.
#[derive(Debug)]
struct Execution {
    url: String,
    /// Bounds the connections to it. Who waits for one waits within its own time.
    turns: Semaphore,
    calls: Mutex<Breaker>,
    looks: Mutex<Breaker>,
}

/// Why something that was looked up is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Untold {
    /// Nobody was asked, nothing came in time, or it was of another shape.
    Silent,
    /// The answer was an error object.
    Refused {
        /// Its code; 0 when it has none.
        code: i64,
    },
}

/// An answer of an execution RPC.
enum Reply {
    Result(Box<RawValue>),
    Error(Box<RawValue>),
}

/// Why a call has no answer.
enum Failure {
    /// Nothing came, or not in time.
    Unanswered(String),
    /// What came is none, or is too long.
    Unreadable(String),
}

/// An answer as it comes.
#[derive(Deserialize)]
struct RawReply {
    #[serde(default, deserialize_with = "some_raw")]
    result: Option<Box<RawValue>>,
    error: Option<Box<RawValue>>,
}

/// What is read of an error object.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorCode {
    code: i64,
}

impl Executions {
    /// Knows these URLs.
    pub(crate) fn new(urls: BTreeMap<ChainId, String>) -> Self {
        let rollups = urls.into_iter().map(|(chain_id, url)| {
            let (calls, looks) = (Mutex::default(), Mutex::default());
            let turns = Semaphore::new(EXECUTION_CONCURRENT_MAX);
            let execution = Execution {
                url,
                turns,
                calls,
                looks,
            };
            (chain_id, execution)
        });
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            anew: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(0)
                .build_http(),
            rollups: rollups.collect(),
        }
    }

    /// The rollups whose execution RPC can be asked.
    pub(crate) fn rollups(&self) -> impl Iterator<Item = ChainId> {
        self.rollups.keys().copied()
    }

    /// True when the rollup's can be asked.
    pub(crate) fn knows(&self, chain_id: ChainId) -> bool {
        self.rollups.contains_key(&chain_id)
    }

    /// Whether the rollup's is asked at present; nothing when it is not known.
    pub(crate) fn circuit(&self, chain_id: ChainId) -> Option<Circuit> {
        let execution = self.rollups.get(&chain_id)?;
        Some(locked(&execution.calls).circuit(instant()))
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
        let pass = match self.admitted(execution).await {
            Ok(pass) => pass,
            Err(error) => return Outcome::Error(error),
        };
        let called = self.call(execution, method, params, EXECUTION_TIMEOUT);
        let called = called.await;
        leave(&execution.calls, pass, &called);
        match called {
            Ok(Reply::Result(result)) => Outcome::Result(result),
            Ok(Reply::Error(error)) => Outcome::Foreign(error),
            Err(Failure::Unanswered(why) | Failure::Unreadable(why)) => {
                tracing::debug!(%chain_id, method, why, "execution RPC failed");
                Outcome::Error(RpcError::because(Reason::ExecutionRpcDown, why))
            }
        }
    }

    /// Whether a call may go through. What decides that after failures is a call of this node: a
    /// client's own may take long in the best of times.
    async fn admitted(&self, execution: &Execution) -> Result<Pass, RpcError> {
        let entered = locked(&execution.calls).enter(instant());
        let pass = entered.map_err(not_asked)?;
        if !pass.decides {
            return Ok(pass);
        }
        let probe = self.call(execution, "eth_chainId", None, EXECUTION_PROBE_TIMEOUT);
        let probed = probe.await;
        leave(&execution.calls, pass, &probed);
        let entered = locked(&execution.calls).enter(instant());
        entered.map_err(not_asked)
    }

    /// The next nonce of a sender as the rollup's latest state has it; nothing when it cannot be
    /// asked in time.
    pub(crate) async fn next_nonce(&self, chain_id: ChainId, sender: Address) -> Option<u64> {
        let method = "eth_getTransactionCount";
        let params = serde_json::json!([sender, "latest"]);
        let nonce: Option<Quantity> = self.look(chain_id, method, &params).await.ok()?;
        Some(nonce?.0)
    }

    /// Looks something up on the way to another answer: soon, or not at all. Nothing is an answer of
    /// null.
    ///
    /// # Errors
    /// It is not known, which says nothing of whether it is there.
    pub(crate) async fn look<T: DeserializeOwned>(
        &self,
        chain_id: ChainId,
        method: &str,
        params: &Value,
    ) -> Result<Option<T>, Untold> {
        let execution = self.rollups.get(&chain_id).ok_or(Untold::Silent)?;
        let params = serde_json::value::to_raw_value(params).map_err(|_| Untold::Silent)?;
        let entered = locked(&execution.looks).enter(instant());
        let pass = entered.map_err(|_wait| Untold::Silent)?;
        let called = self.call(execution, method, Some(&params), EXECUTION_LOOK_TIMEOUT);
        let called = called.await;
        leave(&execution.looks, pass, &called);
        match called {
            Ok(Reply::Result(found)) => {
                serde_json::from_str(found.get()).map_err(|_| Untold::Silent)
            }
            Ok(Reply::Error(error)) => {
                let ErrorCode { code } = serde_json::from_str(error.get()).unwrap_or_default();
                Err(Untold::Refused { code })
            }
            Err(_) => Err(Untold::Silent),
        }
    }

    async fn call(
        &self,
        execution: &Execution,
        method: &str,
        params: Option<&RawValue>,
        time: Duration,
    ) -> Result<Reply, Failure> {
        let empty = RawValue::from_string("[]".to_owned());
        let empty = empty.map_err(|error| Failure::Unreadable(error.to_string()))?;
        let body = serde_json::json!({
            "jsonrpc": "2.0", "id": 1, "method": method, "params": params.unwrap_or(&empty),
        });
        let late = || format!("no answer within {} ms", time.as_millis());
        let posted = tokio::time::timeout(time, async {
            let turn = execution.turns.acquire().await;
            let _turn = turn.map_err(|closed| Failure::Unanswered(closed.to_string()))?;
            let (url, again) = (&execution.url, may_be_repeated(method));
            self.post(url, body.to_string(), again).await
        })
        .await;
        let bytes = posted.unwrap_or_else(|_| Err(Failure::Unanswered(late())))?;
        Reply::read(&bytes).map_err(Failure::Unreadable)
    }

    async fn post(&self, url: &str, body: String, again: bool) -> Result<Bytes, Failure> {
        let unanswered = |error: &dyn core::fmt::Display| Failure::Unanswered(error.to_string());
        let request = Request::post(url)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| unanswered(&error))?;
        let response = match self.client.request(request.clone()).await {
            // A kept connection may have ended just now, and the others that are kept with it.
            Err(error) if again && !error.is_connect() => self.anew.request(request).await,
            other => other,
        };
        let response = response.map_err(|error| unanswered(&error))?;
        let limited = Limited::new(response.into_body(), EXECUTION_BYTES_MAX);
        match limited.collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(Failure::Unreadable(format!(
                "its answer has more than {EXECUTION_BYTES_MAX} bytes"
            ))),
            Err(error) => Err(unanswered(&error)),
        }
    }
}

/// What is passed on only reads; but a filter remembers what it told, and asked twice it would leave
/// something out.
fn may_be_repeated(method: &str) -> bool {
    !method.contains("Filter")
}

impl Reply {
    /// Reads an answer; null is a result, and an object that has neither is no answer.
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let reply: RawReply = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match (reply.error, reply.result) {
            (Some(error), _) => Ok(Self::Error(error)),
            (None, Some(result)) => Ok(Self::Result(result)),
            (None, None) => Err("its answer has neither a result nor an error".to_owned()),
        }
    }
}

/// Whatever comes is an answer, also when it is of no use: it was the caller who asked for it.
fn leave(breaker: &Mutex<Breaker>, pass: Pass, called: &Result<Reply, Failure>) {
    let answered = !matches!(called, Err(Failure::Unanswered(_)));
    locked(breaker).leave(instant(), pass, answered);
}

fn locked(breaker: &Mutex<Breaker>) -> MutexGuard<'_, Breaker> {
    breaker.lock().unwrap_or_else(PoisonError::into_inner)
}

/// It did not answer a moment ago, so nobody asks it now.
fn not_asked(wait: Duration) -> RpcError {
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
    let detail = format_args!("it is asked again in {wait_ms} ms");
    RpcError::because(Reason::ExecutionRpcDown, detail)
        .with("circuit", Circuit::Open.text())
        .retry_after(wait_ms)
}

#[cfg(test)]
mod tests;

//! A small JSON-RPC client over plain HTTP, and a node's own methods by name.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alloy_primitives::{B256, Bytes};
use cloverleaf_api::Reason;
use cloverleaf_api::json::{
    At, Batch, BatchOutput, Block, BundleStatus, Evidence, EvidenceName, FaucetRequest,
    FaucetResponse, Head, NetworkInfo, Quantity, Rollup, SendBundle, TransactionStatus,
};
use cloverleaf_types::proof::{BundleProof, HeadProof};
use cloverleaf_types::{ChainId, TransactionId};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode, Uri, body};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::error::Error;

/// Longest answer, in bytes: hex doubles, so this is a batch of 15 MiB. The longest batch has
/// `BATCH_BYTES_MAX`; one that does not fit here is read by gRPC.
pub const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How long an answer may take, in milliseconds: as long as a node lets a request take.
pub const TIMEOUT_MS: u64 = 10_000;

/// A JSON-RPC endpoint.
#[derive(Clone, Debug)]
pub struct RpcClient {
    http: Client<HttpConnector, Full<body::Bytes>>,
    url: String,
    uri: Uri,
    last_id: Arc<AtomicU64>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    result: Value,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    message: String,
    #[serde(default)]
    data: Value,
}

impl RpcClient {
    /// A client of `http://host:port/path`. Connects when it is called first.
    ///
    /// # Errors
    /// `url` is no address, or not plain HTTP.
    pub fn new(url: &str) -> Result<Self, Error> {
        let url = url.trim_end_matches('/').to_owned();
        let uri = address(&url)?;
        let http = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self {
            http,
            url,
            uri,
            last_id: Arc::default(),
        })
    }

    /// The address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The node's endpoint for one rollup, `/rollup/<chainId>`, over the same connections.
    ///
    /// # Errors
    /// The address does not take a path.
    pub fn rollup(&self, chain_id: ChainId) -> Result<Self, Error> {
        let url = format!("{}/rollup/{chain_id}", self.url);
        Ok(Self {
            uri: address(&url)?,
            url,
            ..self.clone()
        })
    }

    /// Calls a method; `params` is a list, or an object of named parameters.
    ///
    /// # Errors
    /// Nobody answers in time, the answer is no JSON-RPC, the node refuses, or the result is no
    /// `T`.
    pub async fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, Error> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let call = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let (status, body) = self.post(&self.uri, &call).await?;
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|problem| self.not_json_rpc(status, problem))?;
        result(method, answer)
    }

    /// `eth_sendRawTransaction` for many at once, as one JSON-RPC batch: an answer to each.
    ///
    /// # Errors
    /// As [`call`](Self::call); nobody knows then what became of any.
    pub async fn send_raw_transactions(
        &self,
        raws: &[Bytes],
    ) -> Result<Vec<Result<TransactionId, Error>>, Error> {
        let method = "eth_sendRawTransaction";
        let call = |(id, raw): (usize, &Bytes)| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": [raw]});
        let calls: Vec<Value> = raws.iter().enumerate().map(call).collect();
        let (status, body) = self.post(&self.uri, &json!(calls)).await?;
        let mut answers: Vec<Answer> =
            serde_json::from_slice(&body).map_err(|problem| self.not_json_rpc(status, problem))?;
        // A server may answer in any order.
        answers.sort_by_key(|answer| answer.id.as_u64());
        let ids = answers.iter().map(|answer| answer.id.as_u64());
        if !ids.eq((0..).map(Some).take(raws.len())) {
            return Err(self.not_json_rpc(status, "calls and answers do not match"));
        }
        let results = answers.into_iter().map(|answer| result(method, answer));
        Ok(results.collect())
    }

    async fn post(&self, uri: &Uri, json: &Value) -> Result<(StatusCode, body::Bytes), Error> {
        let unreachable = |problem: String| Error::Unreachable {
            url: self.url.clone(),
            problem,
        };
        let request = Request::post(uri.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(json.to_string().into()))
            .map_err(|problem| unreachable(problem.to_string()))?;
        let exchange = async {
            let response = self.http.request(request).await;
            let response = response.map_err(|problem| unreachable(root_cause(&problem)))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await;
            let body = body.map_err(|problem| unreachable(problem.to_string()))?;
            Ok((status, body.to_bytes()))
        };
        let late = |_| Error::TimedOut {
            url: self.url.clone(),
            timeout_ms: TIMEOUT_MS,
        };
        timeout(Duration::from_millis(TIMEOUT_MS), exchange)
            .await
            .map_err(late)?
    }

    fn not_json_rpc(&self, status: StatusCode, problem: impl core::fmt::Display) -> Error {
        Error::NotJsonRpc {
            url: self.url.clone(),
            status: status.as_u16(),
            problem: problem.to_string(),
        }
    }
}

/// A node's own methods; each fails as [`RpcClient::call`] does.
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
impl RpcClient {
    /// `eth_sendRawTransaction`: hands a transaction in.
    pub async fn send_raw_transaction(&self, raw: &Bytes) -> Result<TransactionId, Error> {
        self.call("eth_sendRawTransaction", json!([raw])).await
    }

    /// `seq_sendBundle`: hands a bundle in.
    pub async fn send_bundle(&self, bundle: &SendBundle) -> Result<BundleStatus, Error> {
        self.call("seq_sendBundle", json!([bundle])).await
    }

    /// `seq_getBundleStatus`: how far a bundle has come.
    pub async fn bundle_status(&self, hash: B256) -> Result<Option<BundleStatus>, Error> {
        self.call("seq_getBundleStatus", json!([hash])).await
    }

    /// `seq_getBundleProof`: proves a committed bundle.
    pub async fn bundle_proof(&self, hash: B256) -> Result<Option<BundleProof>, Error> {
        self.call("seq_getBundleProof", json!([hash])).await
    }

    /// `seq_getTransactionStatus`: how far a transaction has come.
    pub async fn transaction_status(
        &self,
        hash: TransactionId,
    ) -> Result<Option<TransactionStatus>, Error> {
        self.call("seq_getTransactionStatus", json!([hash])).await
    }

    /// `seq_getBlock`: a block.
    pub async fn block(&self, at: At) -> Result<Option<Block>, Error> {
        self.call("seq_getBlock", json!([at])).await
    }

    /// `seq_getBatch`: a rollup's batch.
    pub async fn batch(&self, chain_id: ChainId, at: At) -> Result<Option<Batch>, Error> {
        self.call("seq_getBatch", json!([Quantity(chain_id.0), at]))
            .await
    }

    /// `seq_getHead`: a rollup's latest batch.
    pub async fn head(&self, chain_id: ChainId) -> Result<Head, Error> {
        self.call("seq_getHead", json!([Quantity(chain_id.0)]))
            .await
    }

    /// `seq_getProof`: proves a rollup's head.
    pub async fn head_proof(&self, chain_id: ChainId) -> Result<Option<HeadProof>, Error> {
        self.call("seq_getProof", json!([Quantity(chain_id.0)]))
            .await
    }

    /// `seq_listRollups`: the registered rollups.
    pub async fn rollups(&self) -> Result<Vec<Rollup>, Error> {
        self.call("seq_listRollups", json!([])).await
    }

    /// `seq_listEvidence`: what a node keeps against validators.
    pub async fn evidence_names(&self) -> Result<Vec<EvidenceName>, Error> {
        self.call("seq_listEvidence", json!([])).await
    }

    /// `seq_getEvidence`: a piece of it.
    pub async fn evidence(&self, name: &str) -> Result<Option<Evidence>, Error> {
        self.call("seq_getEvidence", json!([name])).await
    }

    /// `seq_networkInfo`: the network and the node.
    pub async fn network_info(&self) -> Result<NetworkInfo, Error> {
        self.call("seq_networkInfo", json!([])).await
    }

    /// `rollup_getOutput`, asked of an embedded rollup: what executing a batch came to.
    pub async fn output(&self, seq: u64) -> Result<Option<BatchOutput>, Error> {
        self.call("rollup_getOutput", json!([Quantity(seq)])).await
    }

    /// `POST /v1/faucet`: asks for something to spend, in dev networks.
    pub async fn faucet(&self, request: &FaucetRequest) -> Result<FaucetResponse, Error> {
        let uri = address(&format!("{}/v1/faucet", self.url))?;
        let (status, body) = self.post(&uri, &json!(request)).await?;
        if !status.is_success() {
            return Err(self.not_json_rpc(status, String::from_utf8_lossy(&body)));
        }
        serde_json::from_slice(&body).map_err(|problem| Error::Shape {
            method: "the faucet".into(),
            problem: problem.to_string(),
        })
    }
}

fn address(url: &str) -> Result<Uri, Error> {
    let bad = || Error::BadUrl {
        url: url.to_owned(),
    };
    let uri: Uri = url.parse().map_err(|_| bad())?;
    if uri.scheme_str() == Some("http") && uri.authority().is_some() {
        Ok(uri)
    } else {
        Err(bad())
    }
}

fn result<T: DeserializeOwned>(method: &str, answer: Answer) -> Result<T, Error> {
    if let Some(refusal) = answer.error {
        return Err(refused(method, refusal));
    }
    serde_json::from_value(answer.result).map_err(|problem| Error::Shape {
        method: method.into(),
        problem: problem.to_string(),
    })
}

fn refused(method: &str, refusal: Refusal) -> Error {
    let reason = refusal
        .data
        .get("reason")
        .and_then(Value::as_str)
        .and_then(Reason::from_text);
    Error::Refused {
        method: method.into(),
        code: refusal.code,
        message: refusal.message,
        reason,
        data: refusal.data,
    }
}

/// The innermost words: hyper's own are "client error (Connect)".
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;

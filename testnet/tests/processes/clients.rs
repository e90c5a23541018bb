//! How users reach nodes: gRPC for one thing at a time, JSON-RPC for many.

use cloverleaf_api::State;
use cloverleaf_api::grpc::ErrorInfo;
use cloverleaf_api::proto::sequencer::v1::sequencer_service_client::SequencerServiceClient;
use cloverleaf_api::proto::sequencer::v1::{Leg, Status, SubmitBundleRequest, SubmitRequest, Wait};
use cloverleaf_client::endpoint;
use cloverleaf_mempool::Name;
use cloverleaf_types::B256;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::wallet::Signed;

/// What a node says to a submission.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// It has come as far as was asked for.
    Reached(Name),
    /// It had not come so far when the node gave up waiting.
    Late(State),
    /// It was refused, for this reason.
    Refused(String),
    /// None: nobody knows what became of it.
    Silence,
}

/// A node's gRPC port; clones share the connection, which is made again when it breaks.
#[derive(Clone, Debug)]
pub(crate) struct Grpc(SequencerServiceClient<Channel>);

impl Grpc {
    pub(crate) fn new(url: &str) -> Self {
        let channel = endpoint(url).unwrap().connect_lazy();
        Self(SequencerServiceClient::new(channel))
    }

    pub(crate) async fn submit(&mut self, signed: &Signed, wait: Wait) -> Answer {
        let request = SubmitRequest {
            chain_id: signed.key.0.0,
            raw: signed.raw.0.clone(),
            wait: wait.into(),
        };
        let answer = self.0.submit(request).await;
        let answer = answer.map(|answer| answer.into_inner().status);
        reached(answer, wait, Name::Transaction(signed.key))
    }

    /// Sends a bundle with one transaction on each rollup.
    pub(crate) async fn submit_bundle(
        &mut self,
        legs: &[Signed],
        max_timestamp_ms: u64,
        wait: Wait,
    ) -> Answer {
        let legs = legs.iter().map(|leg| Leg {
            chain_id: leg.key.0.0,
            transactions: vec![leg.raw.0.clone()],
        });
        let request = SubmitBundleRequest {
            legs: legs.collect(),
            max_timestamp_ms: Some(max_timestamp_ms),
            wait: wait.into(),
            ..SubmitBundleRequest::default()
        };
        match self.0.submit_bundle(request).await {
            Ok(answer) => {
                let answer = answer.into_inner();
                let hash = B256::from_slice(&answer.bundle_hash);
                reached(Ok(answer.status), wait, Name::Bundle(hash))
            }
            Err(status) => reached(Err(status), wait, Name::Bundle(B256::ZERO)),
        }
    }
}

fn reached(answer: Result<Option<Status>, tonic::Status>, wait: Wait, name: Name) -> Answer {
    let wanted = match wait {
        Wait::Received => State::Received,
        Wait::Committed => State::Committed,
        Wait::Unspecified | Wait::Available => State::Available,
    };
    match answer {
        Ok(status) => match State::from_proto(status.unwrap_or_default().state) {
            Some(state) if state >= wanted && state <= State::Committed => Answer::Reached(name),
            state => Answer::Late(state.expect("every state has a name")),
        },
        Err(status) => match ErrorInfo::from_details(status.details()) {
            Some(info) => Answer::Refused(info.reason),
            None => Answer::Silence,
        },
    }
}

/// A node's JSON-RPC port.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
}

impl Http {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            url: url.to_owned(),
        }
    }

    /// Sends transactions as one JSON-RPC batch; what is said to each.
    pub(crate) async fn send(&self, batch: &[Signed]) -> Vec<Answer> {
        let calls = batch.iter().enumerate().map(|(id, signed)| {
            let (method, params) = ("eth_sendRawTransaction", json!([signed.raw]));
            json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        });
        let calls: Vec<Value> = calls.collect();
        let Some(answers) = self.post(&json!(calls)).await else {
            return vec![Answer::Silence; batch.len()];
        };
        assert_eq!(
            answers.as_array().map(Vec::len),
            Some(batch.len()),
            "{answers}"
        );
        let answer = |(id, signed): (usize, &Signed)| {
            let mut all = answers.as_array().unwrap().iter();
            let answer = all
                .find(|answer| answer["id"] == id)
                .expect("one for each call");
            if answer["result"] == json!(signed.key.1) {
                Answer::Reached(Name::Transaction(signed.key))
            } else {
                Answer::Refused(answer["error"].to_string())
            }
        };
        batch.iter().enumerate().map(answer).collect()
    }

    async fn post(&self, body: &Value) -> Option<Value> {
        let request = Request::post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body.to_string().into()))
            .unwrap();
        let answer = self.client.request(request).await.ok()?;
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        serde_json::from_slice(&body).ok()
    }
}

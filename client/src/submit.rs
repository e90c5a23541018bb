//! Hands transactions and bundles to a node over gRPC, and says how far they came.

use std::time::Duration;

use alloy_primitives::{B256, Bytes};
use cloverleaf_api::State;
use cloverleaf_api::grpc::ErrorInfo;
use cloverleaf_api::proto::sequencer::v1::sequencer_service_client::SequencerServiceClient;
use cloverleaf_api::proto::sequencer::v1::submit_stream_response::Outcome;
use cloverleaf_api::proto::sequencer::v1::{
    Leg, Status, SubmitBundleRequest, SubmitRequest, SubmitStreamResponse, Wait,
};
use cloverleaf_types::ChainId;
use tokio_stream::{Stream, StreamExt as _};
use tonic::Streaming;
use tonic::transport::Channel;

use crate::error::Error;
use crate::follower::endpoint;

/// How long a node may take to answer, in milliseconds: longer than it waits itself for the network.
pub const SUBMIT_TIMEOUT_MS: u64 = 15_000;

/// A node's submitting service; clones share the connection, which is made again when it breaks.
#[derive(Clone, Debug)]
pub struct Submitter {
    url: String,
    client: SequencerServiceClient<Channel>,
}

/// What a node says to the transactions of a stream.
#[derive(Debug)]
pub struct Replies {
    wait: Wait,
    items: Streaming<SubmitStreamResponse>,
}

/// What a node says to a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// It has come as far as was asked for. For a bundle: its hash.
    Reached(B256),
    /// It had not come so far when the node gave up waiting; this far it was.
    Late(State),
    /// It was refused, with this name of `docs/spec/errors.md`.
    Refused(String),
    /// No answer: nobody knows what became of it.
    Unknown,
}

impl Submitter {
    /// A client of `http://host:port`, within an async runtime. Connects when it is called first.
    ///
    /// # Errors
    /// `url` is no address.
    pub fn new(url: &str) -> Result<Self, Error> {
        let timeout = Duration::from_millis(SUBMIT_TIMEOUT_MS);
        let channel = endpoint(url)?.timeout(timeout).connect_lazy();
        Ok(Self {
            url: url.to_owned(),
            client: SequencerServiceClient::new(channel),
        })
    }

    /// Hands a transaction in, and waits for that acknowledgement.
    pub async fn submit(&mut self, chain_id: ChainId, raw: Bytes, wait: Wait) -> Submitted {
        let request = SubmitRequest {
            chain_id: chain_id.0,
            raw: raw.0,
            wait: wait.into(),
        };
        match self.client.submit(request).await {
            Ok(answer) => {
                let answer = answer.into_inner();
                reached(&answer.transaction_id, answer.status, wait)
            }
            Err(status) => failed(&status),
        }
    }

    /// Hands transactions in one after the other as they come, and waits for that acknowledgement of each.
    /// The node reads on only while its replies are.
    ///
    /// # Errors
    /// The node does not answer: nobody knows what became of any.
    pub async fn submit_all(
        &mut self,
        transactions: impl Stream<Item = (ChainId, Bytes)> + Send + 'static,
        wait: Wait,
    ) -> Result<Replies, Error> {
        let requests = transactions.map(move |(chain_id, raw)| SubmitRequest {
            chain_id: chain_id.0,
            raw: raw.0,
            wait: wait.into(),
        });
        let answer = self.client.submit_stream(requests).await;
        let answer = answer.map_err(|status| Error::Unreachable {
            url: self.url.clone(),
            problem: status.message().to_owned(),
        })?;
        Ok(Replies {
            wait,
            items: answer.into_inner(),
        })
    }

    /// Hands a bundle in, which blocks up to that time may place, and waits for that acknowledgement.
    pub async fn submit_bundle(
        &mut self,
        legs: Vec<(ChainId, Vec<Bytes>)>,
        max_timestamp_ms: u64,
        wait: Wait,
    ) -> Submitted {
        let legs = legs.into_iter().map(|(chain_id, raws)| Leg {
            chain_id: chain_id.0,
            transactions: raws.into_iter().map(|raw| raw.0).collect(),
        });
        let request = SubmitBundleRequest {
            legs: legs.collect(),
            max_timestamp_ms: Some(max_timestamp_ms),
            wait: wait.into(),
            ..SubmitBundleRequest::default()
        };
        match self.client.submit_bundle(request).await {
            Ok(answer) => {
                let answer = answer.into_inner();
                reached(&answer.bundle_hash, answer.status, wait)
            }
            Err(status) => failed(&status),
        }
    }
}

impl Replies {
    /// What is said to the next transaction, in the order in which they were handed in; nothing when the
    /// stream has ended, and then nobody knows what became of the others. May be dropped half-way.
    pub async fn next(&mut self) -> Option<Submitted> {
        let reply = self.items.message().await.ok().flatten()?;
        Some(match reply.outcome {
            Some(Outcome::Taken(taken)) => reached(&taken.transaction_id, taken.status, self.wait),
            Some(Outcome::Refused(refusal)) => Submitted::Refused(refusal.reason),
            None => Submitted::Unknown,
        })
    }
}

fn reached(name: &[u8], status: Option<Status>, wait: Wait) -> Submitted {
    let wanted = match wait {
        Wait::Received => State::Received,
        Wait::Committed => State::Committed,
        Wait::Unspecified | Wait::Available => State::Available,
    };
    let state = State::from_proto(status.unwrap_or_default().state);
    match (state, B256::try_from(name)) {
        (Some(state), Ok(name)) if state >= wanted && state <= State::Committed => {
            Submitted::Reached(name)
        }
        (Some(state), Ok(_)) => Submitted::Late(state),
        // A node of another version.
        _ => Submitted::Unknown,
    }
}

fn failed(status: &tonic::Status) -> Submitted {
    match ErrorInfo::from_details(status.details()) {
        Some(info) => Submitted::Refused(info.reason),
        None => Submitted::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(state: State, wait: Wait) -> Submitted {
        let proto: cloverleaf_api::proto::sequencer::v1::State = state.into();
        let status = Status {
            state: proto.into(),
            ..Status::default()
        };
        reached(B256::repeat_byte(1).as_slice(), Some(status), wait)
    }

    #[test]
    fn an_answer_counts_as_reached_only_from_the_state_that_was_asked_for() {
        let name = B256::repeat_byte(1);
        let reached = Submitted::Reached(name);
        assert_eq!(answered(State::Available, Wait::Available), reached);
        assert_eq!(answered(State::Committed, Wait::Available), reached);
        let late = Submitted::Late(State::Sealed);
        assert_eq!(answered(State::Sealed, Wait::Available), late);
        let dropped = Submitted::Late(State::Dropped);
        assert_eq!(answered(State::Dropped, Wait::Committed), dropped);
    }

    #[test]
    fn a_failure_without_our_reason_says_nothing_about_what_became_of_it() {
        let status = tonic::Status::unavailable("connection refused");
        assert_eq!(failed(&status), Submitted::Unknown);
    }
}

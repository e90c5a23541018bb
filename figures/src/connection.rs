//! One gRPC connection to a node's `SequencerService`.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;

use alloy_primitives::Bytes;
use cloverleaf_api::grpc::ErrorInfo;
use cloverleaf_api::proto::sequencer::v1::sequencer_service_client::SequencerServiceClient;
use cloverleaf_api::proto::sequencer::v1::{State, SubmitRequest, Wait};
use cloverleaf_types::ChainId;
use eyre::Result;

/// What a node answered: how far it is, or the reason for a refusal.
pub(crate) type Answer = Result<State, String>;

type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Submits over one connection, as many at once as is wanted. Clones share it.
#[derive(Clone)]
pub(crate) struct Connection(Arc<dyn Fn(SubmitRequest) -> Answering + Send + Sync>);

impl Connection {
    /// Connects to `http://host:port`.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let client = SequencerServiceClient::connect(url.to_owned()).await?;
        Ok(Self(Arc::new(move |request| {
            let mut client = client.clone();
            Box::pin(async move {
                let answered = client.submit(request).await.map_err(|status| {
                    let info = ErrorInfo::from_details(status.details());
                    info.map_or_else(|| status.to_string(), |info| info.reason)
                })?;
                let status = answered.into_inner().status.unwrap_or_default();
                Ok(status.state())
            })
        })))
    }

    /// Submits a transaction, and waits for an acknowledgement.
    pub(crate) async fn submit(&self, chain_id: ChainId, raw: Bytes, wait: Wait) -> Answer {
        (self.0)(SubmitRequest {
            chain_id: chain_id.0,
            raw: raw.0,
            wait: wait.into(),
        })
        .await
    }

    /// Submits a transaction that must be committed.
    pub(crate) async fn commit(&self, chain_id: ChainId, raw: Bytes) -> Answer {
        match self.submit(chain_id, raw, Wait::Committed).await? {
            State::Committed => Ok(State::Committed),
            other => Err(format!("not committed: {other:?}")),
        }
    }
}

impl Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").finish_non_exhaustive()
    }
}

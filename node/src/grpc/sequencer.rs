//! `cloverleaf.sequencer.v1`: submitting, and what became of it.

use cloverleaf_api::error::{RpcError, WireError};
use cloverleaf_api::json::{SendBundle, TransactionStatus};
use cloverleaf_api::proto::sequencer::v1 as proto;
use cloverleaf_api::proto::sequencer::v1::get_status_request::Subject;
use cloverleaf_api::proto::sequencer::v1::sequencer_service_server::SequencerService;
use cloverleaf_api::wire::decode_hash;
use cloverleaf_types::{ChainId, TransactionKey};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::refusal::{malformed, not_found, status};
use super::submit_stream::{Replies, replies};
use crate::rpc::Desk;
use crate::sequencer::Until;

/// The service.
#[derive(Debug)]
pub(super) struct Sequencer {
    desk: Desk,
    stop: CancellationToken,
}

impl Sequencer {
    pub(super) fn new(desk: Desk, stop: CancellationToken) -> Self {
        Self { desk, stop }
    }

    async fn transaction_status(&self, key: TransactionKey) -> Result<proto::Status, Status> {
        let found = self
            .desk
            .transaction_status(key)
            .await
            .map_err(|error| status(&error))?;
        found
            .as_ref()
            .map(proto::Status::from)
            .ok_or_else(|| not_found(key.1))
    }
}

#[tonic::async_trait]
impl SequencerService for Sequencer {
    type SubmitStreamStream = Replies;

    async fn submit(
        &self,
        request: Request<proto::SubmitRequest>,
    ) -> Result<Response<proto::SubmitResponse>, Status> {
        let proto::SubmitRequest {
            chain_id,
            raw,
            wait,
        } = request.into_inner();
        let submitted = async {
            let until = until(wait)?;
            let prepared = self.desk.prepare(ChainId(chain_id), raw).await?;
            let received = self.desk.hand_in(prepared, until).await?;
            self.desk.acknowledged(received).await
        };
        let reached = submitted.await.map_err(|error| status(&error))?;
        Ok(Response::new(response(&reached)))
    }

    async fn submit_stream(
        &self,
        requests: Request<Streaming<proto::SubmitRequest>>,
    ) -> Result<Response<Replies>, Status> {
        let replies = replies(self.desk.clone(), requests.into_inner(), self.stop.clone());
        Ok(Response::new(replies))
    }

    async fn submit_bundle(
        &self,
        request: Request<proto::SubmitBundleRequest>,
    ) -> Result<Response<proto::SubmitBundleResponse>, Status> {
        let request = request.into_inner();
        let until = until(request.wait).map_err(|error| status(&error))?;
        let bundle = SendBundle::try_from(request).map_err(|error| status(&error))?;
        let sent = self.desk.send_bundle(bundle, until).await;
        let sent = sent.map_err(|error| status(&error))?;
        Ok(Response::new(proto::SubmitBundleResponse {
            bundle_hash: sent.bundle_hash.to_vec().into(),
            status: Some(proto::Status::from(&sent)),
        }))
    }

    async fn get_status(
        &self,
        request: Request<proto::GetStatusRequest>,
    ) -> Result<Response<proto::GetStatusResponse>, Status> {
        let found = match request.into_inner().subject {
            None => return Err(malformed(&WireError::Missing { field: "subject" })),
            Some(Subject::Transaction(key)) => {
                let id = decode_hash("transaction_id", &key.transaction_id);
                let id = id.map_err(|error| malformed(&error))?;
                self.transaction_status((ChainId(key.chain_id), id)).await?
            }
            Some(Subject::BundleHash(hash)) => {
                let hash = decode_hash("bundle_hash", &hash).map_err(|error| malformed(&error))?;
                let found = self
                    .desk
                    .bundle_status(hash)
                    .await
                    .map_err(|error| status(&error))?;
                found
                    .as_ref()
                    .map(proto::Status::from)
                    .ok_or_else(|| not_found(hash))?
            }
        };
        Ok(Response::new(proto::GetStatusResponse {
            status: Some(found),
        }))
    }
}

pub(super) fn response(status: &TransactionStatus) -> proto::SubmitResponse {
    proto::SubmitResponse {
        transaction_id: status.hash.to_vec().into(),
        status: Some(proto::Status::from(status)),
    }
}

/// For what is waited: nothing is for what is received.
///
/// # Errors
/// `notSupported`: this version does not know it.
pub(super) fn until(wait: i32) -> Result<Option<Until>, RpcError> {
    match proto::Wait::try_from(wait) {
        Ok(proto::Wait::Received) => Ok(None),
        Ok(proto::Wait::Unspecified | proto::Wait::Available) => Ok(Some(Until::Available)),
        Ok(proto::Wait::Committed) => Ok(Some(Until::Committed)),
        Err(_) => Err(RpcError::not_supported("wait")),
    }
}

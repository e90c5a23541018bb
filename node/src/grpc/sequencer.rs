//! `cloverleaf.sequencer.v1`: submitting, and what became of it.

use cloverleaf_api::error::{RpcError, WireError};
use cloverleaf_api::json::SendBundle;
use cloverleaf_api::proto::sequencer::v1 as proto;
use cloverleaf_api::proto::sequencer::v1::get_status_request::Subject;
use cloverleaf_api::proto::sequencer::v1::sequencer_service_server::SequencerService;
use cloverleaf_api::reason::Reason;
use cloverleaf_api::wire::decode_hash;
use cloverleaf_mempool::pool::Name;
use cloverleaf_types::{ChainId, TransactionKey};
use tonic::{Request, Response, Status};

use super::limits::WAIT_TIMEOUT;
use super::refusal::{malformed, not_found, status};
use crate::rpc::Desk;
use crate::sequencer::Until;

/// The service.
#[derive(Debug)]
pub(super) struct Sequencer {
    desk: Desk,
}

impl Sequencer {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk }
    }

    /// Waits as long as was asked for, but not for ever: what was reached by then is the answer.
    async fn wait(&self, name: Name, until: Option<Until>) {
        if let Some(until) = until {
            let waiting = self.desk.handle().wait(name, until);
            let _late = tokio::time::timeout(WAIT_TIMEOUT, waiting).await;
        }
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
    async fn submit(
        &self,
        request: Request<proto::SubmitRequest>,
    ) -> Result<Response<proto::SubmitResponse>, Status> {
        let proto::SubmitRequest {
            chain_id,
            raw,
            wait,
        } = request.into_inner();
        let until = until(wait)?;
        let sent = self.desk.send(ChainId(chain_id), raw).await;
        let key = sent.map_err(|error| status(&error))?;
        self.wait(Name::Transaction(key), until).await;
        Ok(Response::new(proto::SubmitResponse {
            transaction_id: key.1.to_vec().into(),
            status: Some(self.transaction_status(key).await?),
        }))
    }

    async fn submit_bundle(
        &self,
        request: Request<proto::SubmitBundleRequest>,
    ) -> Result<Response<proto::SubmitBundleResponse>, Status> {
        let request = request.into_inner();
        let until = until(request.wait)?;
        let bundle = SendBundle::try_from(request).map_err(|error| status(&error))?;
        let mut sent = self
            .desk
            .send_bundle(bundle)
            .await
            .map_err(|error| status(&error))?;
        let hash = sent.bundle_hash;
        if until.is_some() {
            self.wait(Name::Bundle(hash), until).await;
            let later = self
                .desk
                .bundle_status(hash)
                .await
                .map_err(|error| status(&error))?;
            sent = later.unwrap_or(sent);
        }
        Ok(Response::new(proto::SubmitBundleResponse {
            bundle_hash: hash.to_vec().into(),
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

/// For what is waited: nothing is for what is received.
fn until(wait: i32) -> Result<Option<Until>, Status> {
    match proto::Wait::try_from(wait) {
        Ok(proto::Wait::Received) => Ok(None),
        Ok(proto::Wait::Unspecified | proto::Wait::Available) => Ok(Some(Until::Available)),
        Ok(proto::Wait::Committed) => Ok(Some(Until::Committed)),
        Err(_) => {
            let error = RpcError::because(Reason::NotSupported, "`wait`").with("field", "wait");
            Err(status(&error))
        }
    }
}

//! `cloverleaf.proof.v1`: proofs that need nothing but a trust root.

use cloverleaf_api::proto::proof::v1 as proto;
use cloverleaf_api::proto::proof::v1::proof_service_server::ProofService;
use cloverleaf_api::wire::{decode_hash, encode_bundle_proof, encode_head_proof};
use cloverleaf_types::ChainId;
use tonic::{Request, Response, Status};

use super::refusal::{malformed, not_found, status};
use crate::rpc::Desk;

/// The service.
#[derive(Debug)]
pub(super) struct Proofs {
    desk: Desk,
}

impl Proofs {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl ProofService for Proofs {
    async fn get_bundle_proof(
        &self,
        request: Request<proto::GetBundleProofRequest>,
    ) -> Result<Response<proto::BundleProof>, Status> {
        let hash = decode_hash("bundle_hash", &request.into_inner().bundle_hash);
        let hash = hash.map_err(|error| malformed(&error))?;
        let proof = self
            .desk
            .bundle_proof(hash)
            .await
            .map_err(|error| status(&error))?;
        let proof = proof.ok_or_else(|| not_found(hash))?;
        Ok(Response::new(encode_bundle_proof(&proof)))
    }

    async fn get_head_proof(
        &self,
        request: Request<proto::GetHeadProofRequest>,
    ) -> Result<Response<proto::HeadProof>, Status> {
        let chain_id = ChainId(request.into_inner().chain_id);
        let proof = self
            .desk
            .head_proof(chain_id)
            .await
            .map_err(|error| status(&error))?;
        let proof = proof.ok_or_else(|| not_found("no block is decided yet"))?;
        Ok(Response::new(encode_head_proof(&proof)))
    }

    async fn list_evidence(
        &self,
        _request: Request<proto::ListEvidenceRequest>,
    ) -> Result<Response<proto::ListEvidenceResponse>, Status> {
        let names = self.desk.evidence_names().into_iter();
        let names = names.map(|evidence| evidence.name).collect();
        Ok(Response::new(proto::ListEvidenceResponse { names }))
    }

    async fn get_evidence(
        &self,
        request: Request<proto::GetEvidenceRequest>,
    ) -> Result<Response<proto::Evidence>, Status> {
        let name = request.into_inner().name;
        let evidence = self.desk.evidence(name.clone()).await;
        let evidence = evidence.map_err(|error| status(&error))?;
        let evidence = evidence.ok_or_else(|| not_found(name))?;
        Ok(Response::new(proto::Evidence {
            evidence: evidence.encoded.0,
        }))
    }
}

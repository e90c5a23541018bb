//! What keeps a root fresh while its rollup has no batch: a header of the present, after which the
//! rollup's head still is the last batch that is held.

use std::sync::Arc;
use std::time::Duration;

use cloverleaf_api::proto::proof::v1::GetHeadProofRequest;
use cloverleaf_api::proto::proof::v1::proof_service_client::ProofServiceClient;
use cloverleaf_api::wire::decode_head_proof;
use cloverleaf_types::{Head, Secp256k1, TrustRoot};
use tokio::time::timeout;
use tonic::transport::Channel;

use super::learn::{Until, learn};
use crate::follower::{Failure, off_async_threads};

/// Asks an upstream to prove that `head` is the rollup's last batch up to its latest block. The root
/// that knows the validators of that block, and has seen its time; `now_ms` is the time in
/// milliseconds since 1970, which no block's time is believed to be after. Nothing when the upstream
/// knows of a later batch, or is behind: then nothing is said about what comes next, and a root that
/// begins above it could not verify it.
///
/// # Errors
/// Why the upstream's answers prove nothing.
pub(crate) async fn confirm(
    trust: TrustRoot,
    channel: Channel,
    head: &Head,
    wait_ms: u64,
    now_ms: u64,
) -> Result<Option<TrustRoot>, Failure> {
    let mut client = ProofServiceClient::new(channel.clone());
    let request = GetHeadProofRequest {
        chain_id: head.chain_id.0,
    };
    let asked = timeout(
        Duration::from_millis(wait_ms),
        client.get_head_proof(request),
    );
    let answer = asked.await.map_err(|_| Failure::Silent)?;
    let answer = answer.map_err(Failure::Refused)?.into_inner();
    let proof = decode_head_proof(&answer).map_err(|fault| Failure::Wrong(fault.into()))?;
    let (height, hash) = (proof.header.height, proof.header.validators_hash);
    if proof.head != *head || height < trust.height {
        return Ok(None);
    }
    let until = Until::Set { height, hash };
    let mut trust = learn(trust, channel, until, wait_ms).await?;
    let timestamp_ms = proof.header.timestamp_ms;
    let known = Arc::new(trust.clone());
    let verified = off_async_threads(move || proof.verify(&known, &Secp256k1)).await;
    let verified = verified.map_err(|error| Failure::CutOff(error.to_string()))?;
    verified.map_err(|fault| Failure::Wrong(fault.into()))?;
    trust.saw(timestamp_ms.min(now_ms));
    Ok(Some(trust))
}

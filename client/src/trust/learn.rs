//! Who decides the heights after a change: learned from chain 0's stream, batch by batch.

use std::sync::Arc;
use std::time::Duration;

use cloverleaf_api::proto::stream::v1::stream_service_client::StreamServiceClient;
use cloverleaf_api::proto::stream::v1::{Proofs, StreamBatchesRequest};
use cloverleaf_types::{B256, ChainId, Height, Secp256k1, TrustRoot};
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::error::{Error, ItemFault};
use crate::follower::{Failure, ITEM_BYTES_MAX, endpoint, off_async_threads};
use crate::rpc::RpcClient;
use crate::verify::{Chain, check};

/// Longest wait for chain 0's next batch, in milliseconds. A change is in it two heights before it
/// takes effect, so whoever has a block of the new set has the batch.
pub(crate) const BATCH_WAIT_MS: u64 = 5_000;

/// Where chain 0's history is followed to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// Until the set that decides a height has a hash.
    Set {
        /// The height.
        height: Height,
        /// The set's hash, as a header of that height names it.
        hash: B256,
    },
    /// Until a batch.
    Batch {
        /// Its number.
        seq: u64,
    },
}

impl Until {
    fn is_reached(self, trust: &TrustRoot) -> bool {
        match self {
            Self::Set { height, hash } => {
                trust.height <= height && trust.set_at(height).hash() == hash
            }
            Self::Batch { seq } => trust.control.seq >= seq,
        }
    }

    /// Chain 0 is known up to the height that was asked about, and says otherwise.
    fn is_refuted(self, trust: &TrustRoot) -> bool {
        matches!(self, Self::Set { height, .. } if trust.height >= height)
    }
}

/// Follows chain 0 on one upstream from what a root knows, waiting for each batch for so many
/// milliseconds. Every batch was decided by a set that the root knew before it.
///
/// # Errors
/// Why the upstream's answers do not lead there.
pub(crate) async fn learn(
    mut trust: TrustRoot,
    channel: Channel,
    until: Until,
    wait_ms: u64,
) -> Result<TrustRoot, Failure> {
    let wait = Duration::from_millis(wait_ms);
    let mut client = StreamServiceClient::new(channel).max_decoding_message_size(ITEM_BYTES_MAX);
    let mut chain = Chain::new(trust.control);
    let request = StreamBatchesRequest {
        chain_id: ChainId::CONTROL.0,
        from_seq: chain.next_seq(),
        proofs: Proofs::Every.into(),
        proof_interval: 0,
    };
    if until.is_reached(&trust) {
        return Ok(trust);
    }
    let stream = timeout(wait, client.stream_batches(request)).await;
    let mut stream = stream
        .map_err(|_| Failure::Silent)?
        .map_err(|status| refused(status, chain.next_seq()))?
        .into_inner();
    while !until.is_reached(&trust) && !until.is_refuted(&trust) {
        let item = timeout(wait, stream.message()).await;
        let item = item.map_err(|_| Failure::Silent)?;
        let item = item.map_err(|status| refused(status, chain.next_seq()))?;
        let item = item.ok_or(Failure::Ended)?;
        let known = Arc::new(trust.clone());
        let work = move || check(item, ChainId::CONTROL, &known, &Secp256k1);
        let checked = off_async_threads(work).await;
        let checked = checked.map_err(|error| Failure::CutOff(error.to_string()))?;
        let batches = chain.extend(checked.map_err(Failure::Wrong)?);
        for verified in batches.map_err(Failure::Wrong)? {
            let followed = trust.follow(&verified.batch);
            followed.map_err(|fault| Failure::Wrong(ItemFault::Control(fault)))?;
        }
    }
    if until.is_reached(&trust) {
        return Ok(trust);
    }
    Err(Failure::Silent)
}

/// What is pruned is chain 0's batch, whichever rollup is followed.
fn refused(status: Status, wanted: u64) -> Failure {
    match status.code() {
        Code::OutOfRange => Failure::ControlPruned { wanted, status },
        _ => Failure::Refused(status),
    }
}

/// The root of the present: follows chain 0 from `trust` to a node's latest block, which the then
/// validators have certified. Proofs of later blocks verify with it; those of earlier ones need the
/// root that it was made from. `now_ms` is the time in milliseconds since 1970.
///
/// # Errors
/// The root is too old, the node does not answer, or what it says is not decided by the validators
/// that the root leads to.
pub async fn advance_trust(
    trust: &TrustRoot,
    node: &RpcClient,
    now_ms: u64,
) -> Result<TrustRoot, Error> {
    super::check_fresh(trust, now_ms)?;
    let Some(proof) = node.head_proof(ChainId::CONTROL).await? else {
        return Ok(trust.clone()); // nothing is decided yet
    };
    let url = node.network_info().await?.grpc.ok_or(Error::NoUpstream)?;
    let unreachable = |error: tonic::transport::Error| Error::Unreachable {
        url: url.clone(),
        problem: error.to_string(),
    };
    let channel = endpoint(&url)?.connect().await.map_err(unreachable)?;
    let until = Until::Batch {
        seq: proof.head.seq,
    };
    let learned = learn(trust.clone(), channel, until, BATCH_WAIT_MS).await;
    let mut learned = learned.map_err(|failure| failure.into_error(ChainId::CONTROL, &url))?;
    proof.verify(&learned, &Secp256k1)?;
    let (header, held) = (&proof.header, learned.control);
    if proof.head != held {
        let fault = ItemFault::Contradiction {
            seq: proof.head.seq,
            decided: proof.head.batch_hash,
            held: held.batch_hash,
        };
        let chain_id = ChainId::CONTROL;
        return Err(Error::Contradiction { chain_id, fault });
    }
    learned.advance(header.height, header.timestamp_ms);
    Ok(learned)
}

//! Proofs of what was decided, made of what is stored.

use cloverleaf_api::error::RpcError;
use cloverleaf_api::reason::Reason;
use cloverleaf_storage::{Decision, Store};
use cloverleaf_types::manifest::bundles_tree;
use cloverleaf_types::proof::{BundleProof, HeadProof};
use cloverleaf_types::{
    B256, Batch, ChainId, Height, Manifest, ManifestLeg, TransactionId, transaction_id,
};

use super::{Desk, known, pruned, unreadable};

impl Desk {
    /// Proves that a bundle's legs are all in one block; nothing until it is committed.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn bundle_proof(&self, hash: B256) -> Result<Option<BundleProof>, RpcError> {
        self.read(move |store| bundle_proof(store, hash)).await
    }

    /// Proves a rollup's head after the latest block; nothing before the first block.
    ///
    /// # Errors
    /// The rollup is not registered, or the store failed.
    pub(crate) async fn head_proof(
        &self,
        chain_id: ChainId,
    ) -> Result<Option<HeadProof>, RpcError> {
        let state = self.handle.state();
        let head = known(&state, chain_id)?.head;
        let height = state.height();
        if height == Height::GENESIS {
            return Ok(None);
        }
        let branch = state
            .head_branch(chain_id)
            .ok_or_else(|| missing("head's branch", height))?;
        let decision = self.read(move |store| decision(store, height)).await?;
        Ok(Some(HeadProof {
            head,
            header: decision.header,
            certificate: decision.certificate,
            branch,
        }))
    }
}

/// The ids of each leg's transactions, from the batches that hold them.
///
/// # Errors
/// The store failed, or lacks a batch that a stored manifest names.
pub(super) fn ids_of_legs(
    store: &Store,
    manifest: &Manifest,
) -> Result<Vec<Vec<TransactionId>>, RpcError> {
    manifest
        .legs
        .iter()
        .map(|leg| ids_of_leg(store, leg))
        .collect()
}

fn bundle_proof(store: &Store, hash: B256) -> Result<Option<BundleProof>, RpcError> {
    let Some(place) = store.bundle(hash).map_err(unreadable)? else {
        return Ok(None);
    };
    let Decision {
        header,
        certificate,
        manifests,
        ..
    } = decision(store, place.height)?;
    let lacks = || missing("bundle", place.height);
    let index = usize::try_from(place.index).map_err(|_| lacks())?;
    let branch = bundles_tree(&manifests).branch(index).ok_or_else(lacks)?;
    let manifest = manifests.into_iter().nth(index).ok_or_else(lacks)?;
    let legs = ids_of_legs(store, &manifest)?;
    Ok(Some(BundleProof {
        bundle_hash: hash,
        header,
        certificate,
        manifest,
        branch,
        legs,
    }))
}

fn ids_of_leg(store: &Store, leg: &ManifestLeg) -> Result<Vec<TransactionId>, RpcError> {
    let stored = store.batch(leg.chain_id, leg.seq).map_err(unreadable)?;
    let Some(stored) = stored else {
        return match store.first_available(leg.chain_id).map_err(unreadable)? {
            Some(first) if first <= leg.seq => {
                Err(broken(format_args!("batch {} is missing", leg.seq)))
            }
            first => Err(pruned(leg.seq, first.unwrap_or(leg.seq + 1))),
        };
    };
    let batch = Batch::decode(stored.bytes).map_err(broken)?;
    let [first, count] = [leg.first, leg.count].map(|it| usize::try_from(it).unwrap_or(usize::MAX));
    let raws = batch
        .claimed()
        .transactions()
        .iter()
        .skip(first)
        .take(count);
    Ok(raws.map(|raw| transaction_id(raw)).collect())
}

fn decision(store: &Store, height: Height) -> Result<Decision, RpcError> {
    let decision = store.decision(height).map_err(unreadable)?;
    if let Some(decision) = decision {
        return Ok(decision);
    }
    match store.first_height().map_err(unreadable)? {
        Some(first) if height < first => Err(pruned(height.0, first.0)),
        _ => Err(missing("decision", height)),
    }
}

fn missing(what: &str, height: Height) -> RpcError {
    broken(format_args!("the {what} of block {height} is missing"))
}

/// What is announced as durable is not there: the log says what, the user cannot mend it.
pub(crate) fn broken(what: impl core::fmt::Display) -> RpcError {
    tracing::error!(%what, "stored blocks do not hold together");
    RpcError::new(Reason::Internal)
}

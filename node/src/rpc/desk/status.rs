//! What became of a transaction or a bundle: the pool knows what lives, the store what is decided.

use cloverleaf_api::State;
use cloverleaf_api::error::RpcError;
use cloverleaf_api::json::{BundleStatus, LegStatus, Progress, TransactionStatus};
use cloverleaf_api::reason::Reason;
use cloverleaf_mempool::pool::{self, Name};
use cloverleaf_storage::{Decision, Store};
use cloverleaf_types::{B256, ChainId, Height, Manifest, TransactionId, TransactionKey};

use super::proofs::ids_of_legs;
use super::submitted::Legs;
use super::{Desk, unreadable};
use crate::rpc::limits::ROLLUPS_SEARCHED_MAX;

impl Desk {
    /// What became of a rollup's transaction; nothing when this node does not know it.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn transaction_status(
        &self,
        key: TransactionKey,
    ) -> Result<Option<TransactionStatus>, RpcError> {
        let state = self.handle.status(Name::Transaction(key)).await;
        match self.status_in(key, state).await? {
            Some(status) => Ok(Some(self.with_outcome(status).await?)),
            None => Ok(None),
        }
    }

    /// The same without what its rollup made of it, when the pool was asked already.
    ///
    /// # Errors
    /// The store failed.
    pub(super) async fn status_in(
        &self,
        key: TransactionKey,
        state: Option<pool::State>,
    ) -> Result<Option<TransactionStatus>, RpcError> {
        if is_in_store(state.as_ref())
            && let Some(placed) = self
                .read(move |store| placed_transaction(store, key))
                .await?
        {
            return Ok(Some(placed));
        }
        Ok(state.map(|state| transaction(key, progress(&state, None))))
    }

    /// The same when the rollup is not known: the first that has it.
    ///
    /// # Errors
    /// The store failed, or there are too many rollups to ask.
    pub(crate) async fn transaction_status_anywhere(
        &self,
        hash: TransactionId,
    ) -> Result<Option<TransactionStatus>, RpcError> {
        let state = self.handle.state();
        let rollups = state.rollups().iter().map(|found| found.rollup.chain_id);
        let rollups: Vec<ChainId> = rollups.collect();
        if rollups.len() > ROLLUPS_SEARCHED_MAX {
            let detail = "name the `chainId` too: this network has too many rollups to search";
            return Err(RpcError::because(Reason::MalformedJson, detail)
                .with("field", "chainId")
                .with("limit", ROLLUPS_SEARCHED_MAX));
        }
        for chain_id in rollups {
            let found = self.transaction_status((chain_id, hash)).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// What became of a bundle; nothing when this node does not know it.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn bundle_status(&self, hash: B256) -> Result<Option<BundleStatus>, RpcError> {
        let state = self.handle.status(Name::Bundle(hash)).await;
        self.bundle_status_in(hash, state).await
    }

    /// The same when the pool was asked already.
    ///
    /// # Errors
    /// The store failed.
    pub(super) async fn bundle_status_in(
        &self,
        hash: B256,
        state: Option<pool::State>,
    ) -> Result<Option<BundleStatus>, RpcError> {
        if is_in_store(state.as_ref())
            && let Some(placed) = self.read(move |store| placed_bundle(store, hash)).await?
        {
            return Ok(Some(placed));
        }
        let legs = self.submitted.get(hash);
        Ok(state.map(|state| bundle(hash, progress(&state, legs.as_deref()), legs.as_deref())))
    }

    /// What is said of a bundle that was taken in and of which the pool says no more.
    pub(super) fn received_bundle(&self, hash: B256) -> BundleStatus {
        let legs = self.submitted.get(hash);
        bundle(hash, Progress::new(State::Received), legs.as_deref())
    }
}

/// True when the store can know more: the pool saw it committed, or forgot it, or never had it.
fn is_in_store(state: Option<&pool::State>) -> bool {
    matches!(state, None | Some(pool::State::Committed { .. }))
}

fn placed_transaction(
    store: &Store,
    key: TransactionKey,
) -> Result<Option<TransactionStatus>, RpcError> {
    let (chain_id, id) = key;
    let Some(place) = store.transaction(chain_id, id).map_err(unreadable)? else {
        return Ok(None);
    };
    let Some(decision) = store.decision(place.height).map_err(unreadable)? else {
        return Ok(Some(TransactionStatus {
            seq: Some(place.seq),
            index: Some(place.index),
            ..transaction(key, committed_long_ago(place.height))
        }));
    };
    let is_of = |manifest: &&Manifest| {
        manifest.legs.iter().any(|leg| {
            let behind = place.index.checked_sub(leg.first);
            (leg.chain_id, leg.seq) == (chain_id, place.seq)
                && behind.is_some_and(|behind| behind < leg.count)
        })
    };
    let bundle = decision.manifests.iter().find(is_of);
    Ok(Some(TransactionStatus {
        seq: Some(place.seq),
        index: Some(place.index),
        bundle_hash: bundle.map(Manifest::bundle_hash),
        ..transaction(key, committed(&decision))
    }))
}

fn placed_bundle(store: &Store, hash: B256) -> Result<Option<BundleStatus>, RpcError> {
    let Some(place) = store.bundle(hash).map_err(unreadable)? else {
        return Ok(None);
    };
    let Some(decision) = store.decision(place.height).map_err(unreadable)? else {
        return Ok(Some(bundle(hash, committed_long_ago(place.height), None)));
    };
    let mut manifests = decision.manifests.iter();
    let Some(manifest) = manifests.find(|manifest| manifest.index == place.index) else {
        return Ok(None);
    };
    Ok(Some(BundleStatus {
        bundle_hash: hash,
        progress: committed(&decision),
        max_timestamp: None,
        legs: LegStatus::of(manifest, ids_of_legs(store, manifest)?),
    }))
}

fn committed(decision: &Decision) -> Progress {
    Progress::committed(decision.header.height, decision.header.timestamp_ms)
}

/// Its block was pruned: where it was is still known, and when is not.
fn committed_long_ago(height: Height) -> Progress {
    Progress {
        height: Some(height),
        ..Progress::new(State::Committed)
    }
}

fn transaction((chain_id, hash): TransactionKey, progress: Progress) -> TransactionStatus {
    TransactionStatus {
        hash,
        chain_id,
        progress,
        seq: None,
        index: None,
        bundle_hash: None,
        execution: None,
    }
}

fn bundle(hash: B256, progress: Progress, known: Option<&Legs>) -> BundleStatus {
    let legs = known.into_iter().flat_map(|known| &known.legs);
    let legs = legs.map(|(chain_id, txs)| LegStatus {
        chain_id: *chain_id,
        txs: txs.clone(),
        seq: None,
        first: None,
    });
    BundleStatus {
        bundle_hash: hash,
        progress,
        max_timestamp: known.map(|known| known.max_timestamp_ms),
        legs: legs.collect(),
    }
}

/// A state of the pool as interfaces say it; with the bundle's legs also which of them is at fault.
fn progress(state: &pool::State, legs: Option<&Legs>) -> Progress {
    let legs = legs.map_or(&[][..], |known| &known.legs);
    match state {
        pool::State::Received => Progress::new(State::Received),
        pool::State::Parked { gap } => {
            let leg = legs
                .iter()
                .position(|(chain_id, _)| *chain_id == gap.chain_id);
            Progress {
                leg: leg.and_then(number),
                ..Progress::because(State::Parked, "nonceGap")
            }
        }
        pool::State::Pending => Progress::new(State::Pending),
        pool::State::Sealed { slot } => Progress::in_slot(State::Sealed, *slot),
        pool::State::Available { slot } => Progress::in_slot(State::Available, *slot),
        pool::State::Committed { height } => Progress {
            height: Some(*height),
            ..Progress::new(State::Committed)
        },
        // What is refused when it comes never gets a state: this one gave way.
        pool::State::Rejected => Progress::because(State::Rejected, Reason::PoolFull.text()),
        pool::State::Replaced { .. } => Progress::new(State::Replaced),
        pool::State::Cancelled => Progress::new(State::Cancelled),
        pool::State::Expired => Progress::new(State::Expired),
        pool::State::Dropped {
            reason,
            leg,
            transaction,
        } => {
            let ids = leg.and_then(|leg| legs.get(leg)).map(|(_, ids)| ids);
            let tx = ids
                .zip(*transaction)
                .and_then(|(ids, id)| ids.iter().position(|it| *it == id));
            Progress {
                leg: leg.and_then(number),
                tx: tx.and_then(number),
                ..Progress::because(State::Dropped, reason.text())
            }
        }
    }
}

fn number(position: usize) -> Option<u32> {
    u32::try_from(position).ok()
}

#[cfg(test)]
mod tests {
    use cloverleaf_mempool::Gap;
    use cloverleaf_types::{Address, DropReason, Epoch, Slot};

    use super::*;

    fn two_legs() -> Legs {
        let ids = |bytes: &[u8]| bytes.iter().map(|byte| B256::repeat_byte(*byte)).collect();
        Legs {
            max_timestamp_ms: 9,
            legs: vec![(ChainId(901), ids(&[1])), (ChainId(902), ids(&[2, 3]))],
        }
    }

    #[test]
    fn every_state_of_the_pool_keeps_its_name() {
        let slot = Slot {
            author: Address::ZERO,
            epoch: Epoch(0),
            seq: 4,
        };
        let gap = Gap {
            chain_id: ChainId(901),
            sender: Address::ZERO,
            expected: 3,
        };
        let (leg, transaction) = (None, None);
        for state in [
            pool::State::Received,
            pool::State::Parked { gap },
            pool::State::Pending,
            pool::State::Sealed { slot },
            pool::State::Available { slot },
            pool::State::Committed { height: Height(7) },
            pool::State::Rejected,
            pool::State::Replaced { by: None },
            pool::State::Cancelled,
            pool::State::Expired,
            pool::State::Dropped {
                reason: DropReason::Duplicate,
                leg,
                transaction,
            },
        ] {
            assert_eq!(progress(&state, None).state.text(), state.text());
        }
        assert_eq!(
            progress(&pool::State::Sealed { slot }, None).slot,
            Some(slot.into())
        );
    }

    #[test]
    fn dropped_bundle_names_the_leg_and_the_transaction_at_fault() {
        let dropped = pool::State::Dropped {
            reason: DropReason::Duplicate,
            leg: Some(1),
            transaction: Some(B256::repeat_byte(3)),
        };
        let told = progress(&dropped, Some(&two_legs()));
        assert_eq!(
            (told.reason.as_deref(), told.leg, told.tx),
            (Some("duplicate"), Some(1), Some(1))
        );
        let told = progress(&dropped, None);
        assert_eq!((told.leg, told.tx), (Some(1), None));
    }

    #[test]
    fn parked_bundle_names_the_leg_that_waits() {
        let gap = Gap {
            chain_id: ChainId(902),
            sender: Address::ZERO,
            expected: 3,
        };
        let told = progress(&pool::State::Parked { gap }, Some(&two_legs()));
        assert_eq!(
            (told.reason.as_deref(), told.leg),
            (Some("nonceGap"), Some(1))
        );
        let status = bundle(B256::ZERO, told, Some(&two_legs()));
        assert_eq!((status.max_timestamp, status.legs.len()), (Some(9), 2));
    }
}

//! What `order` needs of a parcel, computed once when it arrives and not when it is ordered.

use std::sync::Arc;

use alloy_primitives::B256;
use cloverleaf_types::item::{bundle_hash, leg_hash};
use cloverleaf_types::weight::{leg_weight, transaction_weight};
use cloverleaf_types::{ChainId, Item, Leg, Parcel, Terms, TransactionId, Verified};

/// A parcel with its items' ids and weights.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The parcel.
    pub parcel: Arc<Verified<Parcel>>,
    /// One entry per item, in order.
    pub items: Vec<PreparedItem>,
}

/// What is known of an item before it is ordered: a transaction alone is a leg without a bundle.
#[derive(Clone, Debug)]
pub struct PreparedItem {
    /// Its legs; one for a transaction alone.
    pub legs: Vec<PreparedLeg>,
    /// What makes it a bundle.
    pub bundle: Option<PreparedBundle>,
}

/// A bundle's terms and names.
#[derive(Clone, Copy, Debug)]
pub struct PreparedBundle {
    /// Its terms.
    pub terms: Terms,
    /// Their hash.
    pub terms_hash: B256,
    /// The bundle's name.
    pub hash: B256,
}

/// One rollup's part of an item.
#[derive(Clone, Debug)]
pub struct PreparedLeg {
    /// The rollup.
    pub chain_id: ChainId,
    /// The ids of its transactions.
    pub ids: Vec<TransactionId>,
    /// What it weighs against its rollup's limit (W4).
    pub weight: u64,
    /// `leg_hash` (M1).
    pub hash: B256,
}

impl Prepared {
    /// Computes ids, hashes and weights of a parcel's items.
    #[must_use]
    pub fn new(parcel: Arc<Verified<Parcel>>) -> Self {
        let items = parcel.items().iter().map(prepare_item).collect();
        Self { parcel, items }
    }
}

fn prepare_item(item: &Item) -> PreparedItem {
    match item {
        Item::Transaction {
            chain_id,
            transaction,
        } => {
            let leg = PreparedLeg {
                chain_id: *chain_id,
                ids: vec![cloverleaf_types::transaction_id(&transaction.raw)],
                weight: transaction_weight(transaction),
                hash: B256::ZERO,
            };
            PreparedItem {
                legs: vec![leg],
                bundle: None,
            }
        }
        Item::Bundle(bundle) => {
            let legs: Vec<PreparedLeg> = bundle.legs.iter().map(prepare_leg).collect();
            let terms_hash = bundle.terms.hash();
            let leg_hashes: Vec<B256> = legs.iter().map(|leg| leg.hash).collect();
            let hash = bundle_hash(terms_hash, &leg_hashes);
            let bundle = PreparedBundle {
                terms: bundle.terms,
                terms_hash,
                hash,
            };
            PreparedItem {
                legs,
                bundle: Some(bundle),
            }
        }
    }
}

fn prepare_leg(leg: &Leg) -> PreparedLeg {
    let ids: Vec<TransactionId> = leg.ids().collect();
    PreparedLeg {
        chain_id: leg.chain_id,
        weight: leg_weight(leg),
        hash: leg_hash(leg.chain_id, &ids),
        ids,
    }
}

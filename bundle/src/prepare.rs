//! What `order` needs of a parcel, computed once when it arrives and not when it is ordered.
//!
//! ```text
//! items ─► legs ─► ids, leaves        each in one list, in the parcel's order
//!           └────► rollups            each once: `order` looks a rollup up once a parcel
//! ```

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use alloy_primitives::B256;
use cloverleaf_types::item::{bundle_hashes, leg_hashes, terms_hashes};
use cloverleaf_types::merkle::leaf_hashes;
use cloverleaf_types::weight::{leg_weight, transaction_weight};
use cloverleaf_types::{
    ChainId, Item, Parcel, Terms, Transaction, TransactionId, Verified, transaction_ids,
};

/// A parcel with its items' ids, leaves and weights.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The parcel.
    pub parcel: Arc<Verified<Parcel>>,
    /// One entry per item, in order.
    pub items: Vec<PreparedItem>,
    /// Of the items that are bundles.
    pub bundles: Vec<PreparedBundle>,
    /// `leg_hash` of the legs of all bundles (M1).
    pub leg_hashes: Vec<B256>,
    /// Of all items.
    pub legs: Vec<PreparedLeg>,
    /// Of the transactions of all legs.
    pub ids: Vec<TransactionId>,
    /// The same as leaves of a batch's tree (M2).
    pub leaves: Vec<B256>,
    /// The rollups that it has something for, each once.
    pub rollups: Vec<PreparedRollup>,
}

/// What is known of an item before it is ordered: a transaction alone is a leg without a bundle.
#[derive(Clone, Debug)]
pub struct PreparedItem {
    /// Its legs' positions; one for a transaction alone.
    pub legs: Range<usize>,
    /// Its position among the bundles, if it is one.
    pub bundle: Option<usize>,
}

/// A bundle's terms and names.
#[derive(Clone, Debug)]
pub struct PreparedBundle {
    /// Its terms.
    pub terms: Terms,
    /// Their hash.
    pub terms_hash: B256,
    /// The bundle's name.
    pub hash: B256,
    /// Its legs' positions among the legs of all bundles.
    pub bundled_legs: Range<usize>,
}

/// One rollup's part of an item.
#[derive(Clone, Debug)]
pub struct PreparedLeg {
    /// The rollup.
    pub chain_id: ChainId,
    /// Its position among the parcel's rollups.
    pub rollup: usize,
    /// What it weighs against its rollup's limit (W4).
    pub weight: u64,
    /// The length of its longest transaction, in bytes.
    pub longest_bytes: u64,
    /// The first transaction that is not checked (L1).
    pub unchecked: Option<usize>,
    /// Its transactions' positions in the parcel.
    pub transactions: Range<usize>,
}

/// A rollup that a parcel has something for.
#[derive(Clone, Copy, Debug)]
pub struct PreparedRollup {
    /// The rollup.
    pub chain_id: ChainId,
    /// How many transactions the parcel has for it.
    pub transactions: usize,
}

impl Prepared {
    /// Computes ids, hashes and weights of a parcel's items.
    #[must_use]
    pub fn new(parcel: Arc<Verified<Parcel>>) -> Self {
        Preparation::of(parcel)
    }

    /// The legs of an item.
    #[must_use]
    pub fn legs(&self, item: &PreparedItem) -> &[PreparedLeg] {
        &self.legs[item.legs.clone()]
    }

    /// What makes an item a bundle.
    #[must_use]
    pub fn bundle(&self, item: &PreparedItem) -> Option<&PreparedBundle> {
        item.bundle.map(|position| &self.bundles[position])
    }

    /// `leg_hash` of each leg of a bundle (M1).
    #[must_use]
    pub fn leg_hashes(&self, bundle: &PreparedBundle) -> &[B256] {
        &self.leg_hashes[bundle.bundled_legs.clone()]
    }

    /// The ids of a leg's transactions.
    #[must_use]
    pub fn ids(&self, leg: &PreparedLeg) -> &[TransactionId] {
        &self.ids[leg.transactions.clone()]
    }
}

/// A parcel that is being prepared.
struct Preparation {
    prepared: Prepared,
    /// Where each rollup is in the list of rollups.
    positions: BTreeMap<ChainId, usize>,
    /// How many transactions the legs have so far.
    transactions: usize,
    /// The positions of the legs of bundles.
    bundled: Vec<usize>,
}

impl Preparation {
    fn of(parcel: Arc<Verified<Parcel>>) -> Prepared {
        let count = parcel.items().len();
        let raws = parcel.items().iter().flat_map(Item::transactions);
        let ids = transaction_ids(raws.map(|(_, transaction)| &*transaction.raw));
        let prepared = Prepared {
            parcel: Arc::clone(&parcel),
            items: Vec::with_capacity(count),
            bundles: Vec::new(),
            leg_hashes: Vec::new(),
            legs: Vec::with_capacity(count),
            leaves: leaf_hashes(&ids),
            ids,
            rollups: Vec::new(),
        };
        let positions = BTreeMap::new();
        let mut preparation = Self {
            prepared,
            positions,
            transactions: 0,
            bundled: Vec::new(),
        };
        for item in parcel.items() {
            preparation.add(item);
        }
        preparation.name_bundles();
        preparation.prepared
    }

    fn add(&mut self, item: &Item) {
        let first = self.prepared.legs.len();
        let bundle = match item {
            Item::Transaction {
                chain_id,
                transaction,
            } => {
                let alone = std::slice::from_ref(transaction);
                self.add_leg(*chain_id, transaction_weight(transaction), alone);
                None
            }
            Item::Bundle(bundle) => {
                for leg in &bundle.legs {
                    self.add_leg(leg.chain_id, leg_weight(leg), &leg.transactions);
                }
                self.bundled.extend(first..self.prepared.legs.len());
                Some(self.add_bundle(bundle.terms, bundle.legs.len()))
            }
        };
        let legs = first..self.prepared.legs.len();
        self.prepared.items.push(PreparedItem { legs, bundle });
    }

    fn add_leg(&mut self, chain_id: ChainId, weight: u64, transactions: &[Transaction]) {
        let rollup = self.rollup(chain_id, transactions.len());
        let first = self.transactions;
        self.transactions += transactions.len();
        let lengths = transactions.iter().map(|transaction| transaction.raw.len());
        let longest = lengths.max().unwrap_or(0);
        self.prepared.legs.push(PreparedLeg {
            chain_id,
            rollup,
            weight,
            longest_bytes: u64::try_from(longest).unwrap_or(u64::MAX),
            unchecked: transactions.iter().position(|it| !it.checked),
            transactions: first..self.transactions,
        });
    }

    fn add_bundle(&mut self, terms: Terms, legs: usize) -> usize {
        let bundles = &mut self.prepared.bundles;
        bundles.push(PreparedBundle {
            terms,
            terms_hash: B256::ZERO,
            hash: B256::ZERO,
            bundled_legs: self.bundled.len() - legs..self.bundled.len(),
        });
        bundles.len() - 1
    }

    /// M1: what all bundles have to be hashed for, together.
    fn name_bundles(&mut self) {
        let prepared = &mut self.prepared;
        let legs = self.bundled.iter().map(|position| {
            let leg = &prepared.legs[*position];
            (leg.chain_id, &prepared.ids[leg.transactions.clone()])
        });
        prepared.leg_hashes = leg_hashes(legs);
        let terms = terms_hashes(prepared.bundles.iter().map(|bundle| &bundle.terms));
        let parts = prepared.bundles.iter().zip(&terms);
        let hashes = bundle_hashes(
            parts.map(|(bundle, terms_hash)| (*terms_hash, prepared.leg_hashes(bundle))),
        );
        for (bundle, (terms_hash, hash)) in prepared
            .bundles
            .iter_mut()
            .zip(terms.into_iter().zip(hashes))
        {
            (bundle.terms_hash, bundle.hash) = (terms_hash, hash);
        }
    }

    fn rollup(&mut self, chain_id: ChainId, transactions: usize) -> usize {
        let rollups = &mut self.prepared.rollups;
        let position = *self.positions.entry(chain_id).or_insert(rollups.len());
        if position == rollups.len() {
            rollups.push(PreparedRollup {
                chain_id,
                transactions: 0,
            });
        }
        rollups[position].transactions += transactions;
        position
    }
}

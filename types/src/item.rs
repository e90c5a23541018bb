//! What a parcel carries: transactions, and bundles of them.

mod codec;

use alloy_primitives::{Address, B256};
use alloy_rlp::{Encodable as _, RlpDecodable, RlpEncodable};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::BundleError;
use crate::hash::{Many, Preimage, Tag, transaction_ids};
use crate::limits::{BUNDLE_BYTES_MAX, BUNDLE_LEGS_MAX, BUNDLE_TRANSACTIONS_MAX};
use crate::{ChainId, Height, TransactionId};

/// A rollup's transaction as its author took it in.
///
/// ```text
/// rlp([sender, checked, raw])
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Who signed it, as the author claims; zero for opaque rollups (L1).
    pub sender: Address,
    /// Every validator verifies the claim before it acknowledges the parcel (L1).
    pub checked: bool,
    /// The rollup's own bytes.
    pub raw: Bytes,
}

/// One rollup's part of a bundle.
///
/// ```text
/// rlp([chain_id, [transaction, …]])
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The rollup.
    pub chain_id: ChainId,
    /// Its transactions, in their order.
    pub transactions: Vec<Transaction>,
}

/// What a bundle's legs promise each other.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Atomicity {
    /// All legs in one block, contiguous, or none.
    #[default]
    Inclusion,
}

/// Under which conditions a bundle may be placed (B4): the block's height and time decide.
///
/// ```text
/// rlp([version, atomicity, min_height, max_height, min_timestamp_ms, max_timestamp_ms])
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Terms {
    /// The format's version: 1.
    pub version: u8,
    /// What the legs promise each other.
    pub atomicity: Atomicity,
    /// First height that may place it; 0 when absent.
    pub min_height: Height,
    /// Last height that may place it; 2^64 - 1 when absent.
    pub max_height: Height,
    /// First block time that may place it, in milliseconds; 0 when absent.
    pub min_timestamp_ms: u64,
    /// Last block time that may place it, in milliseconds; always filled in (W1).
    pub max_timestamp_ms: u64,
}

/// Transactions for several rollups, in one block together or not at all.
///
/// ```text
/// rlp([terms, [leg, …]])
/// ```
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable)]
pub struct Bundle {
    /// When it may be placed.
    pub terms: Terms,
    /// One leg a rollup, in the order in which they are placed.
    pub legs: Vec<Leg>,
}

/// What a parcel is made of.
///
/// ```text
/// rlp([0, chain_id, transaction])      rlp([1, bundle])
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// One transaction alone.
    Transaction {
        /// Its rollup.
        chain_id: ChainId,
        /// The transaction.
        transaction: Transaction,
    },
    /// A bundle.
    Bundle(Bundle),
}

impl Terms {
    /// The format's version.
    pub const VERSION: u8 = 1;

    /// Terms that hold until a block time, in milliseconds.
    #[must_use]
    pub const fn until(max_timestamp_ms: u64) -> Self {
        Self {
            version: Self::VERSION,
            atomicity: Atomicity::Inclusion,
            min_height: Height(0),
            max_height: Height(u64::MAX),
            min_timestamp_ms: 0,
            max_timestamp_ms,
        }
    }

    /// `terms_hash` (M1).
    #[must_use]
    pub fn hash(&self) -> B256 {
        Preimage::fields(Tag::TERMS, |out| self.write_fields(out)).hash()
    }

    fn write_fields(&self, out: &mut Vec<u8>) {
        self.version.encode(out);
        self.atomicity.encode(out);
        self.min_height.encode(out);
        self.max_height.encode(out);
        self.min_timestamp_ms.encode(out);
        self.max_timestamp_ms.encode(out);
    }
}

impl Leg {
    /// The ids of its transactions.
    #[must_use]
    pub fn ids(&self) -> Vec<TransactionId> {
        transaction_ids(self.transactions.iter().map(|it| &*it.raw))
    }
}

/// `leg_hash` of a rollup's transaction ids (M1).
#[must_use]
pub fn leg_hash(chain_id: ChainId, ids: &[TransactionId]) -> B256 {
    Preimage::fields(Tag::LEG, |out| write_leg(chain_id, ids, out)).hash()
}

/// `leg_hash` of many legs, in their order.
#[must_use]
pub fn leg_hashes<'a>(legs: impl Iterator<Item = (ChainId, &'a [TransactionId])>) -> Vec<B256> {
    let mut many = Many::default();
    for (chain_id, ids) in legs {
        many.add(Tag::LEG, |out| write_leg(chain_id, ids, out));
    }
    many.hashes()
}

fn write_leg(chain_id: ChainId, ids: &[TransactionId], out: &mut Vec<u8>) {
    chain_id.encode(out);
    alloy_rlp::encode_list::<TransactionId, TransactionId>(ids, out);
}

/// `terms_hash` of many terms, in their order.
#[must_use]
pub fn terms_hashes<'a>(terms: impl Iterator<Item = &'a Terms>) -> Vec<B256> {
    let mut many = Many::default();
    for terms in terms {
        many.add(Tag::TERMS, |out| terms.write_fields(out));
    }
    many.hashes()
}

/// `bundle_hash` of its parts (M1).
#[must_use]
pub fn bundle_hash(terms_hash: B256, leg_hashes: &[B256]) -> B256 {
    let write = |out: &mut Vec<u8>| write_bundle(terms_hash, leg_hashes, out);
    Preimage::fields(Tag::BUNDLE, write).hash()
}

/// `bundle_hash` of many bundles by their parts, in their order.
#[must_use]
pub fn bundle_hashes<'a>(bundles: impl Iterator<Item = (B256, &'a [B256])>) -> Vec<B256> {
    let mut many = Many::default();
    for (terms_hash, leg_hashes) in bundles {
        many.add(Tag::BUNDLE, |out| {
            write_bundle(terms_hash, leg_hashes, out);
        });
    }
    many.hashes()
}

fn write_bundle(terms_hash: B256, leg_hashes: &[B256], out: &mut Vec<u8>) {
    terms_hash.encode(out);
    alloy_rlp::encode_list::<B256, B256>(leg_hashes, out);
}

impl Bundle {
    /// The bundle's name (M1).
    #[must_use]
    pub fn hash(&self) -> B256 {
        let legs: Vec<B256> = self
            .legs
            .iter()
            .map(|leg| leg_hash(leg.chain_id, &leg.ids()))
            .collect();
        bundle_hash(self.terms.hash(), &legs)
    }

    /// Checks B1: what no registry can change.
    ///
    /// # Errors
    /// The first rule that the bundle breaks.
    pub fn check(&self) -> Result<(), BundleError> {
        if self.legs.is_empty() {
            return Err(BundleError::ZeroLegs);
        }
        if self.legs.len() > BUNDLE_LEGS_MAX {
            return Err(BundleError::TooManyLegs {
                count: self.legs.len(),
            });
        }
        self.check_sizes()?;
        self.check_distinct()?;
        if self.terms.min_height > self.terms.max_height {
            return Err(BundleError::WindowEmpty { what: "height" });
        }
        if self.terms.min_timestamp_ms > self.terms.max_timestamp_ms {
            return Err(BundleError::WindowEmpty { what: "timestamp" });
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<(), BundleError> {
        let transactions = || self.legs.iter().flat_map(|leg| &leg.transactions);
        let count = transactions().count();
        if count > BUNDLE_TRANSACTIONS_MAX {
            return Err(BundleError::TooManyTransactions { count });
        }
        let bytes = transactions()
            .map(|transaction| transaction.raw.len())
            .sum();
        if bytes > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooLarge { bytes });
        }
        Ok(())
    }

    fn check_distinct(&self) -> Result<(), BundleError> {
        for (index, leg) in self.legs.iter().enumerate() {
            let chain_id = leg.chain_id;
            if chain_id == ChainId::CONTROL {
                return Err(BundleError::ControlLeg);
            }
            if leg.transactions.is_empty() {
                return Err(BundleError::EmptyLeg { chain_id });
            }
            if self.legs[..index]
                .iter()
                .any(|other| other.chain_id == chain_id)
            {
                return Err(BundleError::DuplicateRollup { chain_id });
            }
            let mut ids = leg.ids();
            ids.sort_unstable();
            if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(BundleError::DuplicateTransaction { id: pair[0] });
            }
        }
        Ok(())
    }
}

impl Item {
    /// Every transaction in it, with its rollup, in order.
    pub fn transactions(&self) -> impl Iterator<Item = (ChainId, &Transaction)> {
        let (alone, legs): (Option<_>, &[Leg]) = match self {
            Self::Transaction {
                chain_id,
                transaction,
            } => (Some((*chain_id, transaction)), &[]),
            Self::Bundle(bundle) => (None, &bundle.legs),
        };
        let in_legs = legs.iter().flat_map(|leg| {
            leg.transactions
                .iter()
                .map(|transaction| (leg.chain_id, transaction))
        });
        alone.into_iter().chain(in_legs)
    }
}

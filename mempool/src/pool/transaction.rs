//! What is admitted: decoded, its senders recovered.

use bytes::Bytes;
use cloverleaf_types::item::{bundle_hash, leg_hash};
use cloverleaf_types::weight::{leg_weight, transaction_weight_of};
use cloverleaf_types::{
    Address, B256, Bundle, ChainId, Item, Leg, Terms, Transaction, TransactionId, TransactionKey,
    transaction_id,
};

use super::lifecycle::Name;
use crate::error::Refusal;

/// A transaction that was decoded and whose sender was recovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PooledTransaction {
    /// Its rollup.
    pub chain_id: ChainId,
    /// `keccak256(raw)`.
    pub id: TransactionId,
    /// Who signed it; zero for opaque rollups.
    pub sender: Address,
    /// Its place among its sender's transactions; none for opaque rollups.
    pub nonce: Option<u64>,
    /// Most that it pays per gas, in wei.
    pub max_fee_per_gas: u128,
    /// What of it is the tip, in wei.
    pub max_priority_fee_per_gas: u128,
    /// Every validator verifies its signature (L1).
    pub checked: bool,
    /// The rollup's own bytes.
    pub raw: Bytes,
    /// When it came, in milliseconds of this node's clock.
    pub received_ms: u64,
}

/// One rollup's part of an admitted bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PooledLeg {
    /// The rollup.
    pub chain_id: ChainId,
    /// Its transactions, in their order.
    pub transactions: Vec<PooledTransaction>,
}

/// A bundle whose transactions were decoded and whose senders were recovered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PooledBundle {
    /// The bundle's name (M1).
    pub hash: B256,
    /// When it may be placed.
    pub terms: Terms,
    /// One leg a rollup, in the order in which they are placed.
    pub legs: Vec<PooledLeg>,
    /// When it came, in milliseconds of this node's clock.
    pub received_ms: u64,
}

/// What may be admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submission {
    /// One transaction alone.
    Transaction(PooledTransaction),
    /// A bundle.
    Bundle(PooledBundle),
}

impl PooledTransaction {
    /// A transaction of a rollup whose bytes only the rollup understands.
    ///
    /// # Errors
    /// It is empty, or longer than `bytes_max`.
    pub fn opaque(
        chain_id: ChainId,
        raw: Bytes,
        bytes_max: usize,
        received_ms: u64,
    ) -> Result<Self, Refusal> {
        if raw.is_empty() {
            return Err(Refusal::MalformedRlp {
                what: "it is empty".to_owned(),
            });
        }
        if raw.len() > bytes_max {
            return Err(Refusal::OversizedData {
                bytes: raw.len(),
                bytes_max,
            });
        }
        Ok(Self {
            chain_id,
            id: transaction_id(&raw),
            sender: Address::ZERO,
            nonce: None,
            max_fee_per_gas: 0,
            max_priority_fee_per_gas: 0,
            checked: false,
            raw,
            received_ms,
        })
    }

    /// Its name in the replay window.
    #[must_use]
    pub fn key(&self) -> TransactionKey {
        (self.chain_id, self.id)
    }

    /// Its weight against its rollup's limit (W4).
    pub(super) fn weight(&self) -> u64 {
        transaction_weight_of(self.raw.len(), self.checked)
    }

    /// What a parcel carries of it.
    pub(super) fn to_item(&self) -> Item {
        Item::Transaction {
            chain_id: self.chain_id,
            transaction: self.to_transaction(),
        }
    }

    fn to_transaction(&self) -> Transaction {
        Transaction {
            sender: self.sender,
            checked: self.checked,
            raw: self.raw.clone(),
        }
    }
}

impl PooledBundle {
    /// A bundle of transactions whose ids are known.
    #[must_use]
    pub fn new(terms: Terms, legs: Vec<PooledLeg>, received_ms: u64) -> Self {
        let leg_hashes: Vec<B256> = legs
            .iter()
            .map(|leg| {
                let ids: Vec<TransactionId> =
                    leg.transactions.iter().map(|found| found.id).collect();
                leg_hash(leg.chain_id, &ids)
            })
            .collect();
        Self {
            hash: bundle_hash(terms.hash(), &leg_hashes),
            terms,
            legs,
            received_ms,
        }
    }

    /// The bundle as a parcel carries it.
    #[must_use]
    pub fn to_bundle(&self) -> Bundle {
        Bundle {
            terms: self.terms,
            legs: self.legs.iter().map(PooledLeg::to_leg).collect(),
        }
    }
}

impl PooledLeg {
    /// Its weight against its rollup's limit (W4).
    pub(super) fn weight(&self) -> u64 {
        leg_weight(&self.to_leg())
    }

    fn to_leg(&self) -> Leg {
        let transactions = self.transactions.iter();
        Leg {
            chain_id: self.chain_id,
            transactions: transactions
                .map(PooledTransaction::to_transaction)
                .collect(),
        }
    }
}

impl Submission {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> Name {
        match self {
            Self::Transaction(transaction) => Name::Transaction(transaction.key()),
            Self::Bundle(bundle) => Name::Bundle(bundle.hash),
        }
    }

    /// Every transaction in it, in order.
    pub fn transactions(&self) -> impl Iterator<Item = &PooledTransaction> {
        let (alone, legs) = match self {
            Self::Transaction(transaction) => (Some(transaction), &[][..]),
            Self::Bundle(bundle) => (None, &bundle.legs[..]),
        };
        alone
            .into_iter()
            .chain(legs.iter().flat_map(|leg| &leg.transactions))
    }

    /// What a parcel carries of it.
    #[must_use]
    pub fn to_item(&self) -> Item {
        match self {
            Self::Transaction(transaction) => transaction.to_item(),
            Self::Bundle(bundle) => Item::Bundle(bundle.to_bundle()),
        }
    }

    pub(super) fn received_ms(&self) -> u64 {
        match self {
            Self::Transaction(transaction) => transaction.received_ms,
            Self::Bundle(bundle) => bundle.received_ms,
        }
    }
}

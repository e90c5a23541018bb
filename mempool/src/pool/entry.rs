//! What the pool keeps of a submission.

use cloverleaf_types::weight::{item_weight, leg_weight, transaction_weight};
use cloverleaf_types::{Address, ChainId, Height, Item, Terms, TransactionId, TransactionKey};

use super::lifecycle::{Name, State};
use super::transaction::Submission;

/// Names an entry; rises with every admission, so it is also the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId(pub(super) u64);

/// Whose nonces are counted together.
pub(super) type SenderKey = (ChainId, Address);

/// An admitted submission.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) item: Item,
    /// Its transactions, in order.
    pub(super) keys: Vec<TransactionKey>,
    /// The nonces that it takes, by sender and nonce.
    pub(super) nonces: Vec<(SenderKey, u64)>,
    /// Fee cap and tip of a transaction alone, in wei per gas.
    pub(super) fees: (u128, u128),
    pub(super) weight: u64,
    pub(super) bytes: usize,
    pub(super) received_ms: u64,
    pub(super) state: State,
    /// Transactions of this bundle that another lane carried while it was sealed.
    pub(super) elsewhere: Vec<(TransactionKey, Height)>,
}

impl Entry {
    pub(super) fn new(submission: &Submission) -> Self {
        let item = submission.to_item();
        let mut nonces: Vec<(SenderKey, u64)> = submission
            .transactions()
            .filter_map(|found| Some(((found.chain_id, found.sender), found.nonce?)))
            .collect();
        nonces.sort_unstable();
        let fees = match submission {
            Submission::Transaction(found) => {
                (found.max_fee_per_gas, found.max_priority_fee_per_gas)
            }
            Submission::Bundle(_) => (0, 0),
        };
        Self {
            name: submission.name(),
            keys: submission.transactions().map(|found| found.key()).collect(),
            nonces,
            fees,
            weight: item_weight(&item),
            bytes: submission.transactions().map(|found| found.raw.len()).sum(),
            received_ms: submission.received_ms(),
            state: State::Received,
            elsewhere: Vec::new(),
            item,
        }
    }

    pub(super) fn is_bundle(&self) -> bool {
        matches!(self.item, Item::Bundle(_))
    }

    pub(super) fn terms(&self) -> Option<&Terms> {
        match &self.item {
            Item::Transaction { .. } => None,
            Item::Bundle(bundle) => Some(&bundle.terms),
        }
    }

    /// The rollup in whose line it waits: a bundle's first.
    pub(super) fn line(&self) -> ChainId {
        self.keys[0].0
    }

    /// What it weighs against each of its rollups' limits (W4).
    pub(super) fn weights(&self) -> Vec<(ChainId, u64)> {
        match &self.item {
            Item::Transaction {
                chain_id,
                transaction,
            } => {
                vec![(*chain_id, transaction_weight(transaction))]
            }
            Item::Bundle(bundle) => bundle
                .legs
                .iter()
                .map(|leg| (leg.chain_id, leg_weight(leg)))
                .collect(),
        }
    }

    /// Its senders, each once.
    pub(super) fn senders(&self) -> Vec<SenderKey> {
        let mut senders: Vec<SenderKey> = self.nonces.iter().map(|(sender, _)| *sender).collect();
        senders.dedup();
        senders
    }

    /// The position of a transaction's leg, and its id.
    pub(super) fn leg_of(&self, key: &TransactionKey) -> (Option<usize>, Option<TransactionId>) {
        match &self.item {
            Item::Transaction { .. } => (None, None),
            Item::Bundle(bundle) => {
                let leg = bundle.legs.iter().position(|leg| leg.chain_id == key.0);
                (leg, Some(key.1))
            }
        }
    }

    /// The id of the transaction at a place of a bundle.
    pub(super) fn id_at(&self, leg: usize, transaction: usize) -> Option<TransactionId> {
        let Item::Bundle(bundle) = &self.item else {
            return None;
        };
        let before: usize = bundle
            .legs
            .iter()
            .take(leg)
            .map(|leg| leg.transactions.len())
            .sum();
        self.keys.get(before + transaction).map(|(_, id)| *id)
    }
}

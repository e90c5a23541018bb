//! What the pool keeps of a submission.

use cloverleaf_types::weight::{item_weight, leg_weight, transaction_weight};
use cloverleaf_types::{
    Address, ChainId, Height, Item, Terms, Transaction, TransactionId, TransactionKey,
};

use smallvec::{SmallVec, smallvec};

use super::entries::EntryId;
use super::lifecycle::{Name, State};
use super::ready::Ticket;
use super::transaction::{PooledTransaction, Submission};

/// Whose nonces are counted together.
pub(super) type SenderKey = (ChainId, Address);

/// What a transaction pays per gas, in wei, as it is written in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fees {
    /// Most that it pays.
    pub(super) cap: u128,
    /// What of it is the tip: its price, to the pool.
    pub(super) tip: u128,
}

/// A nonce that an entry takes, and what is paid for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) sender: SenderKey,
    pub(super) nonce: u64,
    pub(super) fees: Fees,
    pub(super) id: TransactionId,
}

/// What an entry brings to one rollup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) chain_id: ChainId,
    /// What it weighs against the rollup's limit (W4).
    pub(super) weight: u64,
    /// Its transactions for the rollup.
    pub(super) count: usize,
    /// Their raw bytes.
    pub(super) bytes: usize,
    /// The lowest of their tips, in wei per gas: one dear transaction does not carry the others.
    pub(super) price: u128,
}

/// An admitted submission.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) item: Item,
    /// Its transactions, in order.
    pub(super) keys: SmallVec<[TransactionKey; 1]>,
    /// The nonces that it takes, by sender and nonce.
    pub(super) claims: SmallVec<[Claim; 1]>,
    /// One for each rollup, in order of its legs.
    pub(super) parts: SmallVec<[Part; 1]>,
    pub(super) weight: u64,
    pub(super) received_ms: u64,
    pub(super) state: State,
    /// Power f + 1 held it once: it must end committed or dropped, so it never gives way.
    pub(super) promised: bool,
    /// It may give way in a full pool, as one that is pending or not.
    pub(super) yields: Option<bool>,
    /// Transactions of this bundle that another lane carried while it was sealed.
    pub(super) elsewhere: Vec<(TransactionKey, Height)>,
}

impl Entry {
    pub(super) fn new(submission: &Submission) -> Self {
        let item = submission.to_item();
        let mut claims: SmallVec<[Claim; 1]> =
            submission.transactions().filter_map(claim).collect();
        claims.sort_unstable_by_key(|claim| (claim.sender, claim.nonce));
        let parts = match submission {
            Submission::Transaction(found) => {
                smallvec![part(found.chain_id, core::slice::from_ref(found))]
            }
            Submission::Bundle(bundle) => {
                let legs = bundle.legs.iter();
                legs.map(|leg| part(leg.chain_id, &leg.transactions))
                    .collect()
            }
        };
        let mut entry = Self {
            name: submission.name(),
            keys: submission
                .transactions()
                .map(PooledTransaction::key)
                .collect(),
            claims,
            parts,
            weight: 0,
            received_ms: submission.received_ms(),
            state: State::Received,
            promised: false,
            yields: None,
            elsewhere: Vec::new(),
            item,
        };
        entry.weigh();
        entry
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

    /// Where it waits to be sealed (A2): a bundle in the line of its heaviest leg, of equals the first.
    /// That line pays for all of it, so a small leg must not spend what a rollup has.
    pub(super) fn ticket(&self, id: EntryId) -> Ticket {
        let last_first = self.parts.iter().rev();
        let heaviest = last_first
            .max_by_key(|part| part.weight)
            .expect("an entry is for a rollup at least");
        Ticket {
            line: heaviest.chain_id,
            entry: id,
            price: heaviest.price,
            weight: self.weight,
        }
    }

    /// Its claims, sender by sender.
    pub(super) fn by_sender(&self) -> impl Iterator<Item = &[Claim]> {
        self.claims
            .chunk_by(|left, right| left.sender == right.sender)
    }

    /// Its senders, each once.
    pub(super) fn senders(&self) -> SmallVec<[SenderKey; 1]> {
        self.by_sender().map(|claims| claims[0].sender).collect()
    }

    /// What it pays for a nonce, and with which transaction.
    pub(super) fn claim_of(&self, sender: SenderKey, nonce: u64) -> Option<&Claim> {
        let mut claims = self.claims.iter();
        claims.find(|claim| (claim.sender, claim.nonce) == (sender, nonce))
    }

    /// Marks the transactions of a rollup for everybody's verification, or takes the marks away (L1),
    /// as far as their senders were recovered here. Returns whether that changed anything.
    pub(super) fn mark(&mut self, chain_id: ChainId, checked: bool) -> bool {
        let claims = self.claims.iter();
        let recovered = claims.filter(|claim| claim.sender.0 == chain_id).count();
        let part = self.parts.iter().find(|part| part.chain_id == chain_id);
        if part.is_none_or(|part| part.count != recovered) {
            return false;
        }
        let mut changed = false;
        for transaction in transactions_of(&mut self.item, chain_id) {
            changed |= transaction.checked != checked;
            transaction.checked = checked;
        }
        if changed {
            self.weigh();
        }
        changed
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

    /// W4.
    fn weigh(&mut self) {
        self.weight = item_weight(&self.item);
        match &self.item {
            Item::Transaction { transaction, .. } => {
                self.parts[0].weight = transaction_weight(transaction);
            }
            Item::Bundle(bundle) => {
                for (part, leg) in self.parts.iter_mut().zip(&bundle.legs) {
                    part.weight = leg_weight(leg);
                }
            }
        }
    }
}

fn claim(found: &PooledTransaction) -> Option<Claim> {
    Some(Claim {
        sender: (found.chain_id, found.sender),
        nonce: found.nonce?,
        fees: Fees {
            cap: found.max_fee_per_gas,
            tip: found.max_priority_fee_per_gas,
        },
        id: found.id,
    })
}

fn part(chain_id: ChainId, transactions: &[PooledTransaction]) -> Part {
    let prices = transactions
        .iter()
        .map(|found| found.max_priority_fee_per_gas);
    Part {
        chain_id,
        weight: 0,
        count: transactions.len(),
        bytes: transactions.iter().map(|found| found.raw.len()).sum(),
        price: prices.min().unwrap_or(0),
    }
}

fn transactions_of(item: &mut Item, chain_id: ChainId) -> &mut [Transaction] {
    match item {
        Item::Transaction {
            chain_id: own,
            transaction,
        } if *own == chain_id => core::slice::from_mut(transaction),
        Item::Transaction { .. } => &mut [],
        Item::Bundle(bundle) => {
            let mut legs = bundle.legs.iter_mut();
            let leg = legs.find(|leg| leg.chain_id == chain_id);
            leg.map_or(&mut [], |leg| &mut leg.transactions)
        }
    }
}

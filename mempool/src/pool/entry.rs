//! What the pool keeps of a submission.

use cloverleaf_types::weight::item_weight;
use cloverleaf_types::{Address, ChainId, Height, Item, Terms, TransactionId, TransactionKey};

use smallvec::SmallVec;

use super::accounts::AccountId;
use super::entries::EntryId;
use super::lifecycle::{Name, State};
use super::ready::Ticket;
use super::transaction::{PooledBundle, PooledLeg, PooledTransaction, Submission};

/// Whose nonces are counted together.
pub(super) type SenderKey = (ChainId, Address);

/// A nonce that an entry takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) sender: SenderKey,
    /// Where the sender's queue is, once the entry is in the pool.
    pub(super) account: AccountId,
    pub(super) nonce: u64,
    /// The position in the entry of the transaction that takes it.
    pub(super) transaction: u32,
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
    content: Content,
    /// Its number among all that arrived, once it is in the pool.
    pub(super) arrival: u64,
    /// The nonces that it takes, by sender and nonce.
    pub(super) claims: SmallVec<[Claim; 1]>,
    pub(super) weight: u64,
    pub(super) state: State,
    /// Power f + 1 held it once: it must end committed or dropped, so it never gives way.
    pub(super) promised: bool,
    /// It stands in its rollup's line, or waits beside it for another rollup that is full.
    pub(super) in_line: bool,
    /// It may give way in a full pool, as one that is pending or not.
    pub(super) yields: Option<bool>,
}

#[derive(Clone, Debug)]
enum Content {
    Alone(PooledTransaction),
    Bundle(Box<Bundled>),
}

/// A bundle, and what is looked up of it.
#[derive(Clone, Debug)]
struct Bundled {
    bundle: PooledBundle,
    /// One for each leg.
    parts: Vec<Part>,
    /// Transactions that another lane carried while the bundle was sealed.
    elsewhere: Vec<(TransactionKey, Height)>,
}

impl Entry {
    pub(super) fn new(submission: &Submission) -> Self {
        let content = match submission {
            Submission::Transaction(found) => Content::Alone(found.clone()),
            Submission::Bundle(bundle) => Content::Bundle(Box::new(Bundled {
                parts: Vec::new(),
                elsewhere: Vec::new(),
                bundle: bundle.clone(),
            })),
        };
        let mut claims: SmallVec<[Claim; 1]> = (0..)
            .zip(submission.transactions())
            .filter_map(|(position, found)| claim(position, found))
            .collect();
        if claims.len() > 1 {
            claims.sort_unstable_by_key(|claim| (claim.sender, claim.nonce));
        }
        let mut entry = Self {
            content,
            arrival: 0,
            claims,
            weight: 0,
            state: State::Received,
            promised: false,
            in_line: false,
            yields: None,
        };
        entry.weigh();
        entry
    }

    pub(super) fn name(&self) -> Name {
        match &self.content {
            Content::Alone(found) => Name::Transaction(found.key()),
            Content::Bundle(bundled) => Name::Bundle(bundled.bundle.hash),
        }
    }

    pub(super) fn is_bundle(&self) -> bool {
        matches!(self.content, Content::Bundle(_))
    }

    pub(super) fn terms(&self) -> Option<&Terms> {
        match &self.content {
            Content::Alone(_) => None,
            Content::Bundle(bundled) => Some(&bundled.bundle.terms),
        }
    }

    pub(super) fn received_ms(&self) -> u64 {
        match &self.content {
            Content::Alone(found) => found.received_ms,
            Content::Bundle(bundled) => bundled.bundle.received_ms,
        }
    }

    /// What a parcel carries of it.
    pub(super) fn to_item(&self) -> Item {
        match &self.content {
            Content::Alone(found) => found.to_item(),
            Content::Bundle(bundled) => Item::Bundle(bundled.bundle.to_bundle()),
        }
    }

    /// Its transactions, in order.
    pub(super) fn transactions(&self) -> impl Iterator<Item = &PooledTransaction> {
        let (alone, legs) = match &self.content {
            Content::Alone(found) => (Some(found), &[][..]),
            Content::Bundle(bundled) => (None, &bundled.bundle.legs[..]),
        };
        let in_legs = legs.iter().flat_map(|leg| &leg.transactions);
        alone.into_iter().chain(in_legs)
    }

    /// Their names.
    pub(super) fn keys(&self) -> impl Iterator<Item = TransactionKey> {
        self.transactions().map(PooledTransaction::key)
    }

    /// What it brings to each rollup, in the order of its legs.
    pub(super) fn parts(&self) -> impl DoubleEndedIterator<Item = Part> {
        let (alone, legs) = match &self.content {
            Content::Alone(found) => (Some(part_of(found)), &[][..]),
            Content::Bundle(bundled) => (None, &bundled.parts[..]),
        };
        alone.into_iter().chain(legs.iter().copied())
    }

    /// Its transactions that another lane carried while it was sealed, and in which blocks.
    pub(super) fn elsewhere(&self) -> &[(TransactionKey, Height)] {
        match &self.content {
            Content::Alone(_) => &[],
            Content::Bundle(bundled) => &bundled.elsewhere,
        }
    }

    /// Another lane carried a transaction of this bundle.
    pub(super) fn carried_elsewhere(&mut self, key: TransactionKey, height: Height) {
        if let Content::Bundle(bundled) = &mut self.content {
            bundled.elsewhere.push((key, height));
        }
    }

    /// Where it waits to be sealed (A2): a bundle in the line of its heaviest leg, of equals the first.
    /// That line pays for all of it, so a small leg must not spend what a rollup has.
    pub(super) fn ticket(&self, id: EntryId) -> Ticket {
        let last_first = self.parts().rev();
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

    /// Its senders' accounts, each once.
    pub(super) fn accounts(&self) -> SmallVec<[AccountId; 1]> {
        self.by_sender().map(|claims| claims[0].account).collect()
    }

    /// Its senders, each once.
    pub(super) fn senders(&self) -> SmallVec<[SenderKey; 1]> {
        self.by_sender().map(|claims| claims[0].sender).collect()
    }

    /// The transaction that takes a nonce of a sender.
    pub(super) fn taker(&self, sender: SenderKey, nonce: u64) -> Option<&PooledTransaction> {
        let mut claims = self.claims.iter();
        let claim = claims.find(|claim| (claim.sender, claim.nonce) == (sender, nonce))?;
        Some(self.transaction_of(claim))
    }

    /// The transaction that takes a claimed nonce.
    pub(super) fn transaction_of(&self, claim: &Claim) -> &PooledTransaction {
        let position = usize::try_from(claim.transaction).expect("an address has 32 bits at least");
        let mut transactions = self.transactions();
        transactions
            .nth(position)
            .expect("a claim is of a transaction")
    }

    /// Marks the transactions of a rollup for everybody's verification, or takes the marks away (L1),
    /// as far as their senders were recovered here. Returns whether that changed anything.
    pub(super) fn mark(&mut self, chain_id: ChainId, checked: bool) -> bool {
        let claims = self.claims.iter();
        let recovered = claims.filter(|claim| claim.sender.0 == chain_id).count();
        let mut changed = false;
        let transactions = self.transactions_of(chain_id);
        if transactions.len() != recovered {
            return false;
        }
        for transaction in transactions {
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
        match &self.content {
            Content::Alone(_) => (None, None),
            Content::Bundle(bundled) => {
                let mut legs = bundled.bundle.legs.iter();
                let leg = legs.position(|leg| leg.chain_id == key.0);
                (leg, Some(key.1))
            }
        }
    }

    /// The id of the transaction at a place of a bundle.
    pub(super) fn id_at(&self, leg: usize, transaction: usize) -> Option<TransactionId> {
        let Content::Bundle(bundled) = &self.content else {
            return None;
        };
        let before = bundled.bundle.legs.iter().take(leg);
        let before: usize = before.map(|leg| leg.transactions.len()).sum();
        self.transactions()
            .nth(before + transaction)
            .map(|it| it.id)
    }

    fn transactions_of(&mut self, chain_id: ChainId) -> &mut [PooledTransaction] {
        match &mut self.content {
            Content::Alone(found) if found.chain_id == chain_id => core::slice::from_mut(found),
            Content::Alone(_) => &mut [],
            Content::Bundle(bundled) => {
                let mut legs = bundled.bundle.legs.iter_mut();
                let leg = legs.find(|leg| leg.chain_id == chain_id);
                leg.map_or(&mut [], |leg| &mut leg.transactions)
            }
        }
    }

    /// W4.
    fn weigh(&mut self) {
        self.weight = item_weight(&self.to_item());
        if let Content::Bundle(bundled) = &mut self.content {
            bundled.parts = bundled.bundle.legs.iter().map(part_of_leg).collect();
        }
    }
}

fn claim(position: u32, found: &PooledTransaction) -> Option<Claim> {
    Some(Claim {
        sender: (found.chain_id, found.sender),
        account: AccountId::NONE,
        nonce: found.nonce?,
        transaction: position,
    })
}

fn part_of(found: &PooledTransaction) -> Part {
    Part {
        chain_id: found.chain_id,
        weight: found.weight(),
        count: 1,
        bytes: found.raw.len(),
        price: found.max_priority_fee_per_gas,
    }
}

fn part_of_leg(leg: &PooledLeg) -> Part {
    let found = || leg.transactions.iter();
    let prices = found().map(|found| found.max_priority_fee_per_gas);
    Part {
        chain_id: leg.chain_id,
        weight: leg.weight(),
        count: leg.transactions.len(),
        bytes: found().map(|found| found.raw.len()).sum(),
        price: prices.min().unwrap_or(0),
    }
}

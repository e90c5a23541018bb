//! What was said to be available ends committed, or dropped with a reason; never in silence.

use std::collections::{BTreeMap, BTreeSet};

use cloverleaf_mempool::Name;
use cloverleaf_mempool::pool::State;
use cloverleaf_types::{Address, B256, Block, DropReason, Height, Terms};

use super::Violation;
use super::replay::Left;

/// Every item that a correct node said is available, until it ends.
#[derive(Default)]
pub struct Promises {
    /// Who said so last.
    open: BTreeMap<Name, Address>,
    /// Of these, what a block left out for now, and until when it may be placed: its author seals it
    /// again, unless its window closes first.
    put_off: BTreeMap<Name, Option<Terms>>,
    ended: BTreeSet<Name>,
    /// Of these, whose author's disk was wiped since.
    forgotten: BTreeSet<Name>,
    made: BTreeMap<Address, u64>,
    /// Who was removed: it may still promise until it knows, and then takes it back.
    removed: BTreeSet<Address>,
    height: Height,
    time_ms: u64,
}

impl Promises {
    /// A node says that an item is available.
    pub fn available(&mut self, node: Address, name: Name) {
        if !self.ended.contains(&name) && self.open.insert(name, node).is_none() {
            *self.made.entry(node).or_default() += 1;
        }
    }

    /// Follows the next block and what it left out.
    pub fn follow(&mut self, block: &Block, left: &[Left]) {
        self.height = block.header.height;
        self.time_ms = block.header.timestamp_ms;
        for batch in &block.batches {
            let chain_id = batch.header().chain_id;
            for id in batch.ids() {
                self.end(Name::Transaction((chain_id, id)));
            }
        }
        for manifest in &block.manifests {
            self.end(Name::Bundle(manifest.bundle_hash()));
        }
        for dropped in left {
            for name in names(dropped) {
                if dropped.reason.is_retried() {
                    self.put_off.insert(name, terms(dropped));
                } else {
                    self.end(name);
                }
            }
        }
    }

    /// A node says that an item has ended. It may say so of what a block has left out for now: then
    /// another takes its nonce, its window closes, or another lane places a part of it.
    ///
    /// # Errors
    /// It gave way to others in a full pool, which nothing that was available may.
    pub fn ended(&mut self, node: Address, name: Name, how: &State) -> Result<(), Violation> {
        if self.open.get(&name) != Some(&node) {
            return Ok(());
        }
        if *how == State::Rejected {
            return Err(lost(node, &name));
        }
        let is_of_removal = |reason: &DropReason| *reason == DropReason::AuthorRemoved;
        let is_removed = self.removed.contains(&node)
            && matches!(how, State::Dropped { reason, .. } if is_of_removal(reason));
        if is_removed {
            self.open.remove(&name);
        } else if self.put_off.contains_key(&name) {
            self.end(name);
        }
        Ok(())
    }

    /// A node is removed from the validators: what no block has taken of its lane ends there (L2).
    /// Returns what it was.
    pub fn removed(&mut self, node: Address) -> Vec<Name> {
        self.removed.insert(node);
        let of_node = self.open.extract_if(.., |_, maker| *maker == node);
        let ended: Vec<Name> = of_node.map(|(name, _)| name).collect();
        for name in &ended {
            self.put_off.remove(name);
        }
        ended
    }

    /// A node is faulty: nothing is owed for what it promised. Returns what that was.
    pub fn void(&mut self, node: Address) -> Vec<Name> {
        let of_node = self.open.extract_if(.., |_, maker| *maker == node);
        let names: Vec<Name> = of_node.map(|(name, _)| name).collect();
        for name in &names {
            self.put_off.remove(name);
        }
        names
    }

    /// A node's disk is wiped: what a block puts off of what it promised, it does not seal again. The
    /// others hold the rest (L6). Returns what it promised.
    pub fn forgotten(&mut self, node: Address) -> Vec<Name> {
        let of_node = self.open.iter().filter(|(_, maker)| **maker == node);
        let names: Vec<Name> = of_node.map(|(name, _)| *name).collect();
        self.forgotten.extend(&names);
        names
    }

    /// How many were made.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.made.values().sum()
    }

    /// How many a node made, and how many of them are open.
    #[must_use]
    pub fn by(&self, node: Address) -> (u64, u64) {
        let made = self.made.get(&node).copied().unwrap_or(0);
        let open = self.open.values().filter(|maker| **maker == node).count();
        (made, u64::try_from(open).expect("a count"))
    }

    /// A promise that is not kept yet, where `is_down` says which authors will not come back: what a
    /// block put off ends there, with its reason.
    ///
    /// # Errors
    /// The first one.
    pub fn check(&self, is_down: impl Fn(Address) -> bool) -> Result<(), Violation> {
        let is_over = |name: &Name, node: Address| {
            let put_off = self.put_off.get(name);
            put_off.is_some_and(|terms| {
                let is_forgotten = self.forgotten.contains(name);
                is_forgotten || is_down(node) || terms.is_some_and(|it| self.closed(&it))
            })
        };
        let found = self.open.iter().find(|(name, node)| !is_over(name, **node));
        match found {
            Some((name, node)) => Err(lost(*node, name)),
            None => Ok(()),
        }
    }

    fn closed(&self, terms: &Terms) -> bool {
        self.height >= terms.max_height || self.time_ms >= terms.max_timestamp_ms
    }

    fn end(&mut self, name: Name) {
        self.open.remove(&name);
        self.put_off.remove(&name);
        self.ended.insert(name);
    }
}

/// The names that end with an item: its own, and for a bundle those of its transactions.
pub fn names(left: &Left) -> Vec<Name> {
    let (prepared, item) = (&left.parcel, &left.parcel.items[left.item]);
    let transactions = prepared.legs(item).iter().flat_map(|leg| {
        let transaction = |id: &B256| Name::Transaction((leg.chain_id, *id));
        prepared.ids(leg).iter().map(transaction)
    });
    let bundle = prepared.bundle(item);
    let bundle = bundle.map(|bundle| Name::Bundle(bundle.hash));
    bundle.into_iter().chain(transactions).collect()
}

fn terms(left: &Left) -> Option<Terms> {
    let bundle = left.parcel.bundle(&left.parcel.items[left.item]);
    bundle.map(|bundle| bundle.terms)
}

fn lost(node: Address, name: &Name) -> Violation {
    Violation::Lost {
        node,
        name: text(name),
        item: *name,
    }
}

fn text(name: &Name) -> String {
    match name {
        Name::Transaction((chain_id, id)) => format!("transaction {id} of rollup {chain_id}"),
        Name::Bundle(hash) => format!("bundle {hash}"),
    }
}

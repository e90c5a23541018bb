//! What holds for every block, written down a second time and as plainly as it goes.
//!
//! Only how much room a lane has is not computed here: a drop for it must point at a rollup whose
//! batch says that it was full for the lane, or that was still closed to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cloverleaf_bundle::{Ordered, Prepared, State, Window, apply};
use cloverleaf_types::merkle::root_of_branch;
use cloverleaf_types::rollup::{Status, Verification};
use cloverleaf_types::weight::{leg_weight, transaction_weight};
use cloverleaf_types::{
    Address, Block, ChainId, CommitCertificate, DecidedBlock, DropReason, Head, Height, Item, Plan,
    Round, TransactionKey, transaction_id,
};

use super::items::keys;
use super::network::{Network, Proposal};
use super::registry::Registry;

/// Checks a block that nobody has decided yet against everything it came from.
pub(crate) fn check(network: &Network, proposal: &Proposal, ordered: &Ordered) {
    let parent = &network.state;
    check_state(parent, ordered);
    let decoded = sent_and_decoded(&ordered.block);
    assert_eq!(decoded, ordered.block);
    let mut walk = Walk::new(network, &proposal.plan, &decoded);
    let mut drops = ordered.drops.iter().peekable();
    for (parcel, index) in linear_order(parent, proposal) {
        let slot = parcel.parcel.slot();
        let dropped = drops.next_if(|drop| (drop.slot, drop.item) == (slot, index));
        walk.step(&parcel, index, dropped.map(|drop| drop.reason));
    }
    assert_eq!(drops.next(), None, "a drop of nothing that was given");
    walk.registry.check(&ordered.state);
    walk.finish();
}

/// S2, M3: followers come to the same state, and so does whoever reads it back from disk.
fn check_state(parent: &State, ordered: &Ordered) {
    let Ordered { block, state, .. } = ordered;
    assert_eq!(apply(parent, block).as_ref(), Ok(state));
    assert_eq!(block.header.state_root, state.root());
    assert_eq!(block.header.heads_root, state.heads_root());
    let read = State::decode(&state.encode()).expect("a state that was written");
    assert_eq!(&read, state);
    assert_eq!(read.root(), state.root());
    assert_eq!(ordered.keys(), cloverleaf_bundle::window::keys(block));
    for (batch, branch) in block.batches.iter().zip(&ordered.branches) {
        let leaf = Head::of(batch.header()).leaf_hash();
        assert_eq!(root_of_branch(leaf, branch), block.header.heads_root);
    }
}

/// What another node makes of the block's bytes.
fn sent_and_decoded(block: &Block) -> Block {
    let certificate = CommitCertificate {
        height: block.header.height,
        round: Round::FIRST,
        block_hash: block.hash(),
        signatures: Vec::new(),
    };
    let decided = DecidedBlock {
        block: block.clone(),
        certificate,
    };
    let decoded = DecidedBlock::decode(decided.encode()).expect("canonical bytes");
    let verified = decoded.verify_parts().expect("parts that belong together");
    verified.into_inner().block
}

/// O1, word for word.
fn linear_order(parent: &State, proposal: &Proposal) -> Vec<(Arc<Prepared>, usize)> {
    let plan = &proposal.plan;
    let lane_count = parent.validators().validators().len() as u64;
    let mut parcels = Vec::new();
    for (entry, slice) in plan.cut.iter().zip(&proposal.slices) {
        let mut before = None;
        for parcel in slice {
            let header = parcel.parcel.header();
            let reached = [Some(header.time_ms), before, Some(parent.timestamp_ms())];
            let reached = reached.into_iter().flatten().max().expect("not empty");
            let key = reached.min(plan.timestamp_ms);
            let turn = (u64::from(entry.lane) + plan.height.0) % lane_count;
            parcels.push(((key, turn, header.seq), parcel));
            before = Some(key);
        }
    }
    parcels.sort_by_key(|(key, _)| *key);
    let items = parcels.iter().flat_map(|(_, parcel)| {
        (0..parcel.parcel.items().len()).map(|index| (Arc::clone(parcel), index))
    });
    items.collect()
}

/// One pass over the linear order, with a finger in every batch.
struct Walk<'a> {
    parent: &'a State,
    window: &'a Window,
    plan: &'a Plan,
    block: &'a Block,
    /// What the control transactions placed so far make of the registry (S1).
    registry: Registry,
    placed: BTreeSet<TransactionKey>,
    fingers: BTreeMap<ChainId, usize>,
    weights: BTreeMap<ChainId, u64>,
    manifests: usize,
    /// Lanes of which a drop proves that they were closed in this block, and whose drops do.
    closed: BTreeSet<(Address, ChainId)>,
    complained: BTreeSet<(Address, ChainId)>,
}

impl<'a> Walk<'a> {
    fn new(network: &'a Network, plan: &'a Plan, block: &'a Block) -> Self {
        Self {
            parent: &network.state,
            window: &network.window,
            plan,
            block,
            registry: Registry::of(&network.state),
            placed: BTreeSet::new(),
            fingers: BTreeMap::new(),
            weights: BTreeMap::new(),
            manifests: 0,
            closed: BTreeSet::new(),
            complained: BTreeSet::new(),
        }
    }

    fn step(&mut self, parcel: &Prepared, index: usize, dropped: Option<DropReason>) {
        let item = &parcel.parcel.items()[index];
        let header = parcel.parcel.header();
        let expected = self.expected_reason(item, header.seen);
        match (expected, dropped) {
            (None, None) => self.expect_placed(item, header.author, header.seen),
            (None, Some(DropReason::RollupFull)) => {
                self.expect_full(item, header.author, header.seen);
            }
            _ => assert_eq!(
                dropped,
                expected,
                "item {index} of {}",
                parcel.parcel.slot()
            ),
        }
    }

    /// O2 but for room.
    fn expected_reason(&self, item: &Item, seen: Height) -> Option<DropReason> {
        let Plan {
            height,
            timestamp_ms: now_ms,
            ..
        } = *self.plan;
        let rollup = |chain_id| self.parent.rollup(chain_id).map(|found| &found.rollup);
        let chains = || item.transactions().map(|(chain_id, _)| rollup(chain_id));
        let terms = match item {
            Item::Bundle(bundle) => Some(bundle.terms),
            Item::Transaction { .. } => None,
        };
        let parameters = self.parent.parameters();
        let checks = [
            (DropReason::Stale, !self.window.covers(seen)),
            (
                DropReason::Malformed,
                item.transactions().any(|(chain_id, transaction)| {
                    let wants = rollup(chain_id).map(|rollup| rollup.verification);
                    let everywhere = wants == Some(Verification::Everywhere);
                    everywhere && !transaction.checked
                }),
            ),
            (
                DropReason::TooEarly,
                terms.is_some_and(|it| height < it.min_height || now_ms < it.min_timestamp_ms),
            ),
            (
                DropReason::Expired,
                terms.is_some_and(|it| height > it.max_height || now_ms > it.max_timestamp_ms),
            ),
            (DropReason::UnknownRollup, chains().any(|it| it.is_none())),
            (
                DropReason::InactiveRollup,
                chains().flatten().any(|it| it.status != Status::Active),
            ),
            (
                DropReason::AtomicityRefused,
                terms.is_some() && chains().flatten().any(|it| !it.bundles),
            ),
            (
                DropReason::TooLarge,
                weights(item).iter().any(|(chain_id, weight)| {
                    rollup(*chain_id).is_some_and(|it| *weight > self.parent.weight_limit(it))
                }) || item.transactions().any(|(_, transaction)| {
                    transaction.raw.len() as u64 > parameters.transaction_bytes_max
                }),
            ),
            (
                DropReason::Duplicate,
                keys(item)
                    .iter()
                    .any(|key| self.placed.contains(key) || self.window.contains(key)),
            ),
            (
                DropReason::BadControl,
                item.transactions()
                    .any(|(id, it)| id == ChainId::CONTROL && !self.registry.allows(&it.raw)),
            ),
        ];
        let failed = checks.into_iter().find(|(_, failed)| *failed);
        failed.map(|(reason, _)| reason)
    }

    /// O1, B5, B6: at the end of its rollups' batches, in listed order, as its manifest says.
    fn expect_placed(&mut self, item: &Item, author: Address, seen: Height) {
        let mut firsts = BTreeMap::new();
        for (chain_id, transaction) in item.transactions() {
            assert!(!self.closed.contains(&(author, chain_id)), "O3: {chain_id}");
            let closed_at = self.parent.closed_at(author, chain_id);
            assert!(closed_at.is_none_or(|height| seen >= height), "O3");
            let finger = self.fingers.entry(chain_id).or_default();
            firsts.entry(chain_id).or_insert(*finger);
            let batch = self.block.batch(chain_id).expect("a batch");
            assert_eq!(batch.transactions().get(*finger), Some(&transaction.raw));
            *finger += 1;
            if chain_id == ChainId::CONTROL {
                self.registry.enact(&transaction.raw);
            }
            let key = (chain_id, transaction_id(&transaction.raw));
            assert!(self.placed.insert(key), "W1: placed twice");
        }
        for (chain_id, weight) in weights(item) {
            *self.weights.entry(chain_id).or_default() += weight;
        }
        if let Item::Bundle(bundle) = item {
            let manifest = &self.block.manifests[self.manifests];
            assert_eq!(manifest.bundle_hash(), bundle.hash());
            assert_eq!(manifest.index as usize, self.manifests);
            for (position, leg) in bundle.legs.iter().enumerate() {
                let named = manifest.legs[position];
                assert_eq!(named.chain_id, leg.chain_id, "B6");
                assert_eq!(named.first as usize, firsts[&leg.chain_id]);
                assert_eq!(named.count as usize, leg.transactions.len());
            }
            self.manifests += 1;
        }
    }

    /// O3: one of its rollups was closed to its lane, by an earlier block or by this one.
    fn expect_full(&mut self, item: &Item, author: Address, seen: Height) {
        let chains: BTreeSet<ChainId> = item.transactions().map(|(id, _)| id).collect();
        let still_closed = |chain_id: &ChainId| {
            let closed_at = self.parent.closed_at(author, *chain_id);
            closed_at.is_some_and(|height| seen < height)
        };
        let earlier = chains.iter().any(still_closed);
        let full: Vec<ChainId> = chains
            .into_iter()
            .filter(|chain_id| {
                let batch = self.block.batch(*chain_id);
                batch.is_some_and(|batch| batch.header().full.contains(&author))
            })
            .collect();
        assert!(
            earlier || !full.is_empty(),
            "O3: dropped without a closed rollup"
        );
        let complaints = full.iter().map(|chain_id| (author, *chain_id));
        self.complained.extend(complaints.clone());
        if !earlier && full.len() == 1 {
            self.closed.extend(complaints);
        }
    }

    /// Conservation: nothing is in the block that was not given.
    fn finish(self) {
        assert_eq!(self.manifests, self.block.manifests.len());
        let spans: usize = self.block.batches.iter().map(|it| it.spans().len()).sum();
        let legs: usize = self.block.manifests.iter().map(|it| it.legs.len()).sum();
        assert_eq!(spans, legs);
        for batch in &self.block.batches {
            let header = batch.header();
            let placed = self.fingers.get(&header.chain_id);
            assert_eq!(placed, Some(&batch.transactions().len()));
            let rollup = self.parent.rollup(header.chain_id).expect("registered");
            assert!(self.weights[&header.chain_id] <= self.parent.weight_limit(&rollup.rollup));
            assert!(header.full.is_sorted_by(|left, right| left < right));
            for author in &header.full {
                let closed = (*author, header.chain_id);
                assert!(
                    self.complained.contains(&closed),
                    "O3: closed without a drop"
                );
            }
        }
    }
}

/// What an item weighs against each rollup's limit (W4).
fn weights(item: &Item) -> Vec<(ChainId, u64)> {
    match item {
        Item::Transaction {
            chain_id,
            transaction,
        } => vec![(*chain_id, transaction_weight(transaction))],
        Item::Bundle(bundle) => {
            let legs = bundle.legs.iter();
            legs.map(|leg| (leg.chain_id, leg_weight(leg))).collect()
        }
    }
}

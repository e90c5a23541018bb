//! Placing (O1, B5, B6): each item in turn at the end of its rollups' batches, or not at all.

use std::borrow::Cow;

use alloy_primitives::map::HashSet;
use cloverleaf_types::{
    Atomicity, ChainId, ControlTransaction, DropReason, Item, Manifest, ManifestLeg, Plan, Span,
    TransactionKey,
};

use super::check::{Checks, Drafts, Refusal};
use super::linear::LinearItem;
use super::shares::Shares;
use super::{Draft, Dropped};
use crate::error::ControlError;
use crate::prepare::{PreparedBundle, PreparedLeg};
use crate::state::State;
use crate::window::Window;

/// A block in the making.
pub(super) struct Placement<'a> {
    parent: &'a State,
    /// The parent's state with the control transactions that were placed so far (S1).
    controlled: Cow<'a, State>,
    window: &'a Window,
    plan: &'a Plan,
    shares: Shares<'a>,
    placed: HashSet<TransactionKey>,
    drafts: Drafts,
    manifests: Vec<Manifest>,
    drops: Vec<Dropped>,
}

/// What was placed and what was not.
pub(super) struct Placed<'a> {
    pub(super) shares: Shares<'a>,
    pub(super) drafts: Drafts,
    pub(super) manifests: Vec<Manifest>,
    pub(super) drops: Vec<Dropped>,
}

impl<'a> Placement<'a> {
    pub(super) fn new(
        parent: &'a State,
        window: &'a Window,
        plan: &'a Plan,
        shares: Shares<'a>,
    ) -> Self {
        Self {
            parent,
            controlled: Cow::Borrowed(parent),
            window,
            plan,
            shares,
            placed: HashSet::default(),
            drafts: Drafts::new(),
            manifests: Vec::new(),
            drops: Vec::new(),
        }
    }

    /// Places the item or drops it; checks come first, so that a drop leaves no trace (B12).
    pub(super) fn take(&mut self, item: &LinearItem<'_>) {
        let checks = Checks {
            parent: self.parent,
            window: self.window,
            plan: self.plan,
            placed: &self.placed,
            shares: &self.shares,
        };
        match checks.refusal(item) {
            None => match self.control(item) {
                Ok(()) => self.place(item),
                Err(_) => self.drop(item, (DropReason::BadControl, Default::default())),
            },
            Some(refusal) => {
                let closes = match refusal.0 {
                    DropReason::RollupFull if checks.first_closed(item).is_none() => {
                        checks.first_without_room(item)
                    }
                    _ => None,
                };
                if let Some(leg) = closes {
                    self.close(item, leg);
                }
                self.drop(item, refusal);
            }
        }
    }

    /// S1: does what a control transaction says, if the state and those placed before allow it. No
    /// bundle has a leg on chain 0 (B1).
    fn control(&mut self, item: &LinearItem<'_>) -> Result<(), ControlError> {
        let Item::Transaction {
            chain_id: ChainId::CONTROL,
            transaction,
        } = &item.parcel.parcel.items()[item.index]
        else {
            return Ok(());
        };
        let transaction = ControlTransaction::decode(&transaction.raw)?;
        self.controlled.check_control(transaction.claimed())?;
        self.controlled.to_mut().enact(transaction.claimed())
    }

    fn drop(&mut self, item: &LinearItem<'_>, (reason, place): Refusal) {
        self.drops.push(Dropped {
            slot: item.parcel.parcel.slot(),
            item: item.index,
            reason,
            place,
        });
    }

    pub(super) fn finish(self) -> Placed<'a> {
        Placed {
            shares: self.shares,
            drafts: self.drafts,
            manifests: self.manifests,
            drops: self.drops,
        }
    }

    /// O3: the first listed leg without room closes its rollup for the lane, and no other.
    fn close(&mut self, item: &LinearItem<'_>, leg: usize) {
        let chain_id = item.item.legs[leg].chain_id;
        self.shares.close(chain_id, item.lane);
        let draft = self
            .drafts
            .get_mut(&chain_id)
            .expect("O3: a full rollup has a batch");
        draft.full.push(item.author);
    }

    fn place(&mut self, item: &LinearItem<'_>) {
        let mut raws = item.parcel.parcel.items()[item.index].transactions();
        let mut legs = Vec::with_capacity(item.item.legs.len());
        for (position, leg) in item.item.legs.iter().enumerate() {
            let raw = raws
                .by_ref()
                .take(leg.ids.len())
                .map(|(_, tx)| tx.raw.clone());
            let draft = self
                .drafts
                .entry(leg.chain_id)
                .or_insert_with(|| Draft::new(leg));
            let first = count(draft.transactions.len());
            draft.transactions.extend(raw);
            draft.ids.extend(&leg.ids);
            if item.item.bundle.is_some() {
                draft.spans.push(Span {
                    manifest: count(self.manifests.len()),
                    leg: count(position),
                    legs: count(item.item.legs.len()),
                    first,
                    count: count(leg.ids.len()),
                });
            }
            self.placed
                .extend(leg.ids.iter().map(|id| (leg.chain_id, *id)));
            self.shares.take(leg.chain_id, item.lane, leg.weight);
            legs.push((leg, first));
        }
        if let Some(bundle) = item.item.bundle {
            let manifest = self.manifest(bundle, &legs);
            self.manifests.push(manifest);
        }
    }

    fn manifest(&self, bundle: PreparedBundle, legs: &[(&PreparedLeg, u32)]) -> Manifest {
        let legs = legs.iter().map(|(leg, first)| ManifestLeg {
            chain_id: leg.chain_id,
            seq: self
                .parent
                .rollup(leg.chain_id)
                .map_or(0, |rollup| rollup.head.seq)
                + 1,
            first: *first,
            count: count(leg.ids.len()),
            leg_hash: leg.hash,
        });
        Manifest {
            index: count(self.manifests.len()),
            terms_hash: bundle.terms_hash,
            atomicity: Atomicity::Inclusion,
            legs: legs.collect(),
        }
    }
}

impl Draft {
    fn new(leg: &PreparedLeg) -> Self {
        Self {
            chain_id: leg.chain_id,
            transactions: Vec::new(),
            ids: Vec::new(),
            spans: Vec::new(),
            full: Vec::new(),
        }
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("a block's weight bounds its counts")
}

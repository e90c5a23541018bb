//! Why an item is not placed (O2): closed, total, in this order, for a bundle each check over all
//! legs before the next.

use std::collections::BTreeMap;

use cloverleaf_types::rollup::{Status, Verification};
use cloverleaf_types::{Atomicity, ChainId, DropReason, Item, Plan, Rollup, Terms, TransactionKey};

use super::linear::LinearItem;
use super::shares::Shares;
use super::{Draft, DropPlace};
use crate::state::State;
use crate::window::Window;

/// What the checks read.
pub(super) struct Checks<'a> {
    pub(super) parent: &'a State,
    pub(super) window: &'a Window,
    pub(super) plan: &'a Plan,
    pub(super) placed: &'a alloy_primitives::map::HashSet<TransactionKey>,
    pub(super) shares: &'a Shares<'a>,
}

/// A reason and where it was found.
pub(super) type Refusal = (DropReason, DropPlace);

impl Checks<'_> {
    /// The first check that fails, but for `badControl`, which is [`super::place`]'s: it depends on
    /// the control transactions placed before.
    pub(super) fn refusal(&self, item: &LinearItem<'_>) -> Option<Refusal> {
        self.stale(item)
            .or_else(|| self.malformed(item))
            .or_else(|| self.outside_terms(item))
            .or_else(|| self.unregistered(item))
            .or_else(|| self.too_large(item))
            .or_else(|| self.duplicate(item))
            .or_else(|| self.full(item))
    }

    fn rollup(&self, chain_id: ChainId) -> Option<&Rollup> {
        self.parent.rollup(chain_id).map(|state| &state.rollup)
    }

    /// W1.
    fn stale(&self, item: &LinearItem<'_>) -> Option<Refusal> {
        let covered = self.window.covers(item.parcel.parcel.header().seen);
        (!covered).then_some((DropReason::Stale, DropPlace::default()))
    }

    /// L1: a rollup that wants everybody's check takes nothing unchecked.
    fn malformed(&self, item: &LinearItem<'_>) -> Option<Refusal> {
        let unchecked = |chain_id: ChainId, checked: bool| {
            let rollup = self.rollup(chain_id);
            !checked && rollup.is_some_and(|rollup| rollup.verification == Verification::Everywhere)
        };
        let at = match &item.parcel.parcel.items()[item.index] {
            Item::Transaction {
                chain_id,
                transaction,
            } => unchecked(*chain_id, transaction.checked).then(DropPlace::default),
            Item::Bundle(bundle) => bundle.legs.iter().enumerate().find_map(|(leg, found)| {
                let mut checks = found
                    .transactions
                    .iter()
                    .map(|transaction| transaction.checked);
                let transaction = checks.position(|checked| unchecked(found.chain_id, checked))?;
                Some(DropPlace {
                    leg: Some(leg),
                    transaction: Some(transaction),
                })
            }),
        };
        at.map(|place| (DropReason::Malformed, place))
    }

    /// B4, B11: the block's height and time decide.
    fn outside_terms(&self, item: &LinearItem<'_>) -> Option<Refusal> {
        let Terms {
            min_height,
            max_height,
            min_timestamp_ms,
            max_timestamp_ms,
            ..
        } = item.item.bundle?.terms;
        let (height, now_ms) = (self.plan.height, self.plan.timestamp_ms);
        if height < min_height || now_ms < min_timestamp_ms {
            return Some((DropReason::TooEarly, DropPlace::default()));
        }
        if height > max_height || now_ms > max_timestamp_ms {
            return Some((DropReason::Expired, DropPlace::default()));
        }
        None
    }

    /// B2.
    fn unregistered(&self, item: &LinearItem<'_>) -> Option<Refusal> {
        let unknown = self.first_leg(item, |_, rollup| rollup.is_none());
        let inactive = || {
            self.first_leg(item, |_, rollup| {
                rollup.is_some_and(|rollup| rollup.status != Status::Active)
            })
        };
        let refuses = || {
            let Atomicity::Inclusion = item.item.bundle?.terms.atomicity;
            self.first_leg(item, |_, rollup| {
                rollup.is_some_and(|rollup| !rollup.bundles)
            })
        };
        unknown
            .map(|place| (DropReason::UnknownRollup, place))
            .or_else(|| inactive().map(|place| (DropReason::InactiveRollup, place)))
            .or_else(|| refuses().map(|place| (DropReason::AtomicityRefused, place)))
    }

    /// It would not fit an empty batch, now or later.
    fn too_large(&self, item: &LinearItem<'_>) -> Option<Refusal> {
        let raw_max = self.parent.parameters().transaction_bytes_max;
        let long = item.parcel.parcel.items()[item.index]
            .transactions()
            .any(|(_, transaction)| {
                u64::try_from(transaction.raw.len()).is_ok_and(|length| length > raw_max)
            });
        if long {
            return Some((DropReason::TooLarge, DropPlace::default()));
        }
        let heavy = |weight, rollup: Option<&Rollup>| {
            rollup.is_some_and(|rollup| weight > self.parent.weight_limit(rollup))
        };
        self.first_leg(item, heavy)
            .map(|place| (DropReason::TooLarge, place))
    }

    /// B7, W1.
    fn duplicate(&self, item: &LinearItem<'_>) -> Option<Refusal> {
        item.item.legs.iter().enumerate().find_map(|(leg, found)| {
            let transaction = found.ids.iter().position(|id| {
                let key = (found.chain_id, *id);
                self.placed.contains(&key) || self.window.contains(&key)
            })?;
            let place = match item.item.bundle {
                Some(_) => DropPlace {
                    leg: Some(leg),
                    transaction: Some(transaction),
                },
                None => DropPlace::default(),
            };
            Some((DropReason::Duplicate, place))
        })
    }

    /// O3: closed before, or no room now.
    fn full(&self, item: &LinearItem<'_>) -> Option<Refusal> {
        self.first_closed(item)
            .or_else(|| self.first_without_room(item))
            .map(|leg| (DropReason::RollupFull, place_of(item, leg)))
    }

    /// The first listed leg whose rollup is closed for the item's lane: in this block, or since a
    /// block that the parcel's author had not seen when it sealed.
    pub(super) fn first_closed(&self, item: &LinearItem<'_>) -> Option<usize> {
        let seen = item.parcel.parcel.header().seen;
        item.item.legs.iter().position(|leg| {
            let closed_at = self.parent.closed_at(item.author, leg.chain_id);
            self.shares.is_closed(leg.chain_id, item.lane) || closed_at.is_some_and(|at| seen < at)
        })
    }

    /// The first listed leg without room.
    pub(super) fn first_without_room(&self, item: &LinearItem<'_>) -> Option<usize> {
        let legs = &item.item.legs;
        legs.iter()
            .position(|leg| !self.shares.has_room(leg.chain_id, item.lane, leg.weight))
    }

    fn first_leg(
        &self,
        item: &LinearItem<'_>,
        refuses: impl Fn(u64, Option<&Rollup>) -> bool,
    ) -> Option<DropPlace> {
        let leg = item
            .item
            .legs
            .iter()
            .position(|leg| refuses(leg.weight, self.rollup(leg.chain_id)))?;
        Some(place_of(item, leg))
    }
}

fn place_of(item: &LinearItem<'_>, leg: usize) -> DropPlace {
    DropPlace {
        leg: item.item.bundle.map(|_| leg),
        transaction: None,
    }
}

/// The drafts of the rollups that a block has something for.
pub(super) type Drafts = BTreeMap<ChainId, Draft>;

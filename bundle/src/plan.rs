//! Whether a plan is one that a correct proposer makes (V2).
//!
//! Everything here is a pure function of parent state, plan and parcels. Whatever is local, a clock
//! or a parcel that has not arrived, only delays (V3) and is decided elsewhere.

use std::sync::Arc;

use cloverleaf_types::limits::LANE_WINDOW_PARCELS;
use cloverleaf_types::{Address, CutEntry, Header, Height, L1Ref, Plan, Slot};

use crate::error::PlanError;
use crate::prepare::Prepared;
use crate::state::State;

/// The parcels that one cut entry adds, in the lane's order.
pub type LaneSlice = Vec<Arc<Prepared>>;

/// Checks a plan against the parcels that its cut adds, one slice per cut entry.
///
/// # Errors
/// The rule that the plan breaks. Its proposer is at fault.
pub fn check_plan(parent: &State, plan: &Plan, lanes: &[LaneSlice]) -> Result<(), PlanError> {
    let next = parent.height().next();
    if plan.height != next {
        return Err(PlanError::WrongHeight {
            found: plan.height,
            expected: next,
        });
    }
    if plan.timestamp_ms <= parent.timestamp_ms() {
        let (found, parent) = (plan.timestamp_ms, parent.timestamp_ms());
        return Err(PlanError::TimeFalls { found, parent }); // T1
    }
    if plan.l1 != L1Ref::default() {
        return Err(PlanError::UnexpectedL1); // T1
    }
    let rising = plan.cut.windows(2).all(|pair| pair[0].lane < pair[1].lane);
    if !rising || plan.cut.len() != lanes.len() {
        return Err(PlanError::BadLane);
    }
    for (entry, slice) in plan.cut.iter().zip(lanes) {
        let author = parent.author_of(entry).ok_or(PlanError::BadLane)?;
        check_slice(parent, plan.height, author, entry, slice)?;
    }
    check_weight(parent, lanes)
}

/// L2: the slice continues the lane's last cut, inside one epoch, to the parcel that the cut names.
fn check_slice(
    parent: &State,
    height: Height,
    author: Address,
    entry: &CutEntry,
    slice: &LaneSlice,
) -> Result<(), PlanError> {
    let named = Slot {
        author,
        epoch: entry.epoch,
        seq: entry.seq,
    };
    let broken = PlanError::BrokenChain { slot: named };
    if u64::try_from(slice.len()).is_ok_and(|count| count > LANE_WINDOW_PARCELS) {
        return Err(PlanError::TooManyParcels {
            slot: named,
            count: slice.len(),
        });
    }
    if entry.epoch < parent.first_epoch(author) {
        return Err(broken); // what it sealed before it was removed has ended
    }
    let last_cut = parent.last_cut(author);
    let mut seen = last_cut.map_or(Height::GENESIS, |last_cut| last_cut.seen);
    let (mut seq, mut prev) = match last_cut {
        Some(last_cut) if last_cut.epoch == entry.epoch => (last_cut.seq + 1, last_cut.hash),
        Some(last_cut) if last_cut.epoch > entry.epoch => return Err(broken),
        _ => (0, Default::default()),
    };
    for prepared in slice {
        let header = prepared.parcel.header();
        let slot = prepared.parcel.slot();
        if slot
            != (Slot {
                author,
                epoch: entry.epoch,
                seq,
            })
            || header.prev != prev
        {
            return Err(broken);
        }
        if header.seen < seen || header.seen >= height {
            return Err(PlanError::BadSeen {
                slot,
                seen: header.seen,
            });
        }
        (seq, prev, seen) = (seq + 1, prepared.parcel.hash(), header.seen);
    }
    let reached = slice
        .last()
        .map(|prepared| (prepared.parcel.slot(), prepared.parcel.hash()));
    if reached == Some((named, entry.parcel_hash)) && seen == entry.seen {
        Ok(())
    } else {
        Err(broken)
    }
}

/// Compares the header that came with a plan with the one that [`crate::order()`] computed.
///
/// # Errors
/// The first field that differs. The proposer is at fault.
pub fn check_header(claimed: &Header, computed: &Header) -> Result<(), PlanError> {
    let same = [
        ("version", claimed.version == computed.version),
        ("network", claimed.network == computed.network),
        ("height", claimed.height == computed.height),
        ("round", claimed.round == computed.round),
        (
            "timestamp_ms",
            claimed.timestamp_ms == computed.timestamp_ms,
        ),
        ("parent", claimed.parent == computed.parent),
        ("l1", claimed.l1 == computed.l1),
        ("cut_hash", claimed.cut_hash == computed.cut_hash),
        ("heads_root", claimed.heads_root == computed.heads_root),
        (
            "bundles_root",
            claimed.bundles_root == computed.bundles_root,
        ),
        ("state_root", claimed.state_root == computed.state_root),
        (
            "validators_hash",
            claimed.validators_hash == computed.validators_hash,
        ),
        (
            "next_validators_hash",
            claimed.next_validators_hash == computed.next_validators_hash,
        ),
    ];
    match same.into_iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(PlanError::WrongHeader { field }),
        None => Ok(()),
    }
}

fn check_weight(parent: &State, lanes: &[LaneSlice]) -> Result<(), PlanError> {
    let weight = lanes
        .iter()
        .flatten()
        .map(|prepared| prepared.parcel.weight())
        .sum();
    let weight_max = parent.parameters().block_weight;
    if weight > weight_max {
        return Err(PlanError::TooHeavy { weight, weight_max }); // W4
    }
    Ok(())
}

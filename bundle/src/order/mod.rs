//! From a plan to its block: pure, total, the same on every machine (O1, O2).
//!
//! ```text
//! lanes ─ linear ─► items in one order ─ place ─► legs per rollup ─ assemble ─► block, next state
//!                                          └────► drops, each with its reason
//! ```

mod assemble;
mod check;
mod linear;
mod place;
mod room;
mod side_by_side;

use cloverleaf_types::merkle::Branch;
use cloverleaf_types::{Block, DropReason, Plan, Slot, TransactionId, TransactionKey};

use crate::plan::LaneSlice;
use crate::state::State;
use crate::window::Window;
use check::Candidates;
use place::Placement;
use room::Rooms;

pub use linear::{LinearParcel, linear_order};

/// An item that a block leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The parcel that holds it.
    pub slot: Slot,
    /// Its position in the parcel.
    pub item: usize,
    /// Why.
    pub reason: DropReason,
    /// Where: the leg of a bundle and its transaction, as far as the reason names one.
    pub place: DropPlace,
}

/// Which part of a dropped item gave the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropPlace {
    /// The leg.
    pub leg: Option<usize>,
    /// The transaction in the leg.
    pub transaction: Option<usize>,
}

/// A block that nobody has decided yet, with all that its commit needs.
#[derive(Clone, Debug)]
pub struct Ordered {
    /// The block.
    pub block: Block,
    /// The state after it.
    pub state: State,
    /// The ids of each batch's transactions.
    pub ids: Vec<Vec<TransactionId>>,
    /// From each batch's head to `heads_root`.
    pub branches: Vec<Branch>,
    /// What was left out.
    pub drops: Vec<Dropped>,
}

impl Ordered {
    /// The ids that the replay window takes in.
    #[must_use]
    pub fn keys(&self) -> Vec<TransactionKey> {
        let batches = self.block.batches.iter().zip(&self.ids);
        batches
            .flat_map(|(batch, ids)| ids.iter().map(|id| (batch.header().chain_id, *id)))
            .collect()
    }
}

/// Computes the block of a plan that [`crate::plan::check_plan`] accepts.
///
/// `lanes` holds, for each cut entry, the parcels that it adds. The result depends on these
/// arguments alone; in which order parcels arrived does not matter.
#[must_use]
pub fn order(parent: &State, window: &Window, plan: &Plan, lanes: &[LaneSlice]) -> Ordered {
    let parcels = linear_order(parent, plan, lanes).into_iter();
    let parcels: Vec<Candidates<'_>> = parcels
        .map(|parcel| Candidates::of(parcel, window))
        .collect();
    let transactions = parcels.iter().map(|it| it.prepared().ids.len()).sum();
    let place = |rooms| {
        let mut placement = Placement::new(parent, plan, rooms, window.set_beside(transactions));
        for parcel in &parcels {
            placement.take(parcel);
        }
        placement
    };
    // O3, B12: a lane carries what it would place if there were room for all, so that an item that is
    // dropped anyhow takes no share from anybody. If all of it fits, this is already the block.
    let mut placement = place(Rooms::unbounded(parent, plan));
    if let Some(rooms) = placement.divided() {
        placement = place(rooms);
    }
    assemble::assemble(parent, plan, placement.finish())
}

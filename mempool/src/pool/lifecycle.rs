//! The life of a transaction or bundle at its author: a pure state machine.
//!
//! ```text
//!              park            seal          hold            commit
//!  received ──► parked ─┐  ┌────────► sealed ────► available ──────► committed
//!     │           ▲ park│  │            │  retry       │
//!     │ admit     │     ▼  │            ▼              ▼
//!     └─────────► pending ◄┴────────────┴──────────────┘
//!
//!  ends of what is not sealed:  replace, cancel, expire, evict, drop, commit (another lane carried it)
//!  ends of what is sealed:      drop, commit
//!  end of what came:            reject
//! ```
//! "Partial" is no state: a bundle is committed whole or not at all (B5).

use cloverleaf_types::TransactionKey;
use cloverleaf_types::{Address, B256, ChainId, DropReason, Height, Slot, TransactionId};

/// What has a life: a transaction, alone or in a bundle, or a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// A transaction.
    Transaction(TransactionKey),
    /// A bundle, by its hash (M1).
    Bundle(B256),
}

/// The nonce that must come first (B9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The rollup.
    pub chain_id: ChainId,
    /// The sender.
    pub sender: Address,
    /// The first nonce that is missing.
    pub expected: u64,
}

/// Where a transaction or bundle is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is here, and not looked at yet.
    Received,
    /// It waits for an earlier nonce of a sender (`nonceGap`, B9).
    Parked {
        /// What it waits for.
        gap: Gap,
    },
    /// It waits for its turn, its window, or an earlier nonce that is here.
    Pending,
    /// It is in a parcel of this node's lane.
    Sealed {
        /// The parcel.
        slot: Slot,
    },
    /// Validators of power f + 1 hold the parcel durably.
    Available {
        /// The parcel.
        slot: Slot,
    },
    /// It is in a decided block.
    Committed {
        /// The block.
        height: Height,
    },
    /// It was refused when it came, or gave way in a full pool.
    Rejected,
    /// Another took its nonce (B8).
    Replaced {
        /// The other, unless it came through another node.
        by: Option<TransactionId>,
    },
    /// Its sender took it back (B10).
    Cancelled,
    /// Its window, or the longest wait, has passed (B11).
    Expired,
    /// The block left it out (O2).
    Dropped {
        /// Why.
        reason: DropReason,
        /// The leg that gave the reason, if one did.
        leg: Option<usize>,
        /// The transaction that gave the reason, if one did.
        transaction: Option<TransactionId>,
    },
}

/// What happens to a transaction or bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An earlier nonce is missing.
    Park(Gap),
    /// Nothing is missing.
    Admit,
    /// It was not admitted.
    Reject,
    /// It went into a parcel.
    Seal(Slot),
    /// Power f + 1 holds the parcel.
    Hold,
    /// A block holds it.
    Commit(Height),
    /// The block left it out, and it is to be sealed again.
    Retry,
    /// The block left it out for good, or can only do so.
    Drop {
        /// Why.
        reason: DropReason,
        /// The leg that gave the reason.
        leg: Option<usize>,
        /// The transaction that gave the reason.
        transaction: Option<TransactionId>,
    },
    /// Another took its nonce.
    Replace(Option<TransactionId>),
    /// Its sender took it back.
    Cancel,
    /// The pool is full, and what came pays more.
    Evict,
    /// Its time has passed.
    Expire,
}

impl State {
    /// The state after an event; nothing when the event cannot happen in this state.
    #[must_use]
    pub fn after(self, event: Event) -> Option<Self> {
        use Event as On;
        use State::{
            Available, Cancelled, Committed, Dropped, Expired, Parked, Pending, Received, Rejected,
            Replaced, Sealed,
        };
        let next = match (self, event) {
            (Received | Parked { .. } | Pending, On::Park(gap)) => Parked { gap },
            (Received | Parked { .. } | Pending, On::Admit) => Pending,
            (Received, On::Reject) | (Parked { .. } | Pending, On::Evict) => Rejected,
            (Parked { .. } | Pending, On::Replace(by)) => Replaced { by },
            (Parked { .. } | Pending, On::Cancel) => Cancelled,
            (Parked { .. } | Pending, On::Expire) => Expired,
            (Pending, On::Seal(slot)) => Sealed { slot },
            (Sealed { slot }, On::Hold) => Available { slot },
            (Sealed { .. } | Available { .. }, On::Retry) => Pending,
            (
                Parked { .. } | Pending | Sealed { .. } | Available { .. },
                On::Drop {
                    reason,
                    leg,
                    transaction,
                },
            ) => Dropped {
                reason,
                leg,
                transaction,
            },
            // Another lane may carry what ended here.
            (
                Parked { .. }
                | Pending
                | Sealed { .. }
                | Available { .. }
                | Rejected
                | Replaced { .. }
                | Cancelled
                | Expired
                | Dropped { .. },
                On::Commit(height),
            ) => Committed { height },
            _ => return None,
        };
        Some(next)
    }

    /// Its name on every interface.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Parked { .. } => "parked",
            Self::Pending => "pending",
            Self::Sealed { .. } => "sealed",
            Self::Available { .. } => "available",
            Self::Committed { .. } => "committed",
            Self::Rejected => "rejected",
            Self::Replaced { .. } => "replaced",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Dropped { .. } => "dropped",
        }
    }

    /// True when the pool does nothing more for it.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(
            self,
            Self::Committed { .. }
                | Self::Rejected
                | Self::Replaced { .. }
                | Self::Cancelled
                | Self::Expired
                | Self::Dropped { .. }
        )
    }

    /// True while it is in a parcel whose fate is open.
    #[must_use]
    pub const fn is_sealed(self) -> bool {
        matches!(self, Self::Sealed { .. } | Self::Available { .. })
    }
}

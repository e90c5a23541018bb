//! Why an item is dropped. The reasons of `order` are closed, total, and checked in this order (O2).

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    (
        order { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }
        author { $($(#[$own_doc:meta])* $own:ident = $own_text:literal,)+ }
    ) => {
        /// Why an item was dropped. The first check that fails names the reason.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "camelCase")]
        pub enum DropReason {
            $($(#[$doc])* $variant,)+
            $($(#[$own_doc])* $own,)+
        }

        impl DropReason {
            /// Every reason of `order`, in the order in which they are checked.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name on every interface.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                    $(Self::$own => $own_text,)+
                }
            }
        }
    };
}

reasons! {
    order {
        /// Its parcel was made before the replay window; the author pools it again (W1).
        Stale = "stale",
        /// It needs every validator's check and is not marked for it (L1).
        Malformed = "malformed",
        /// The block is before the bundle's window (B4).
        TooEarly = "tooEarly",
        /// The block is after the bundle's window (B11).
        Expired = "expired",
        /// The rollup is not registered.
        UnknownRollup = "unknownRollup",
        /// The rollup is paused or retired.
        InactiveRollup = "inactiveRollup",
        /// The rollup takes no bundles of this atomicity (B2).
        AtomicityRefused = "atomicityRefused",
        /// It would not fit an empty batch.
        TooLarge = "tooLarge",
        /// Its id is in the replay window, or already in this block (B7, W1).
        Duplicate = "duplicate",
        /// The rollup is full for this lane; the author pools it again (O3).
        RollupFull = "rollupFull",
        /// A control transaction that the state does not allow (S1).
        BadControl = "badControl",
    }
    author {
        /// Its author was removed from the validators before a block named its parcel (L2). Not a
        /// reason of `order`: the author says it of what it still holds.
        AuthorRemoved = "authorRemoved",
    }
}

impl DropReason {
    /// True when the author takes the item back and seals it again; all other drops are final.
    #[must_use]
    pub const fn is_retried(self) -> bool {
        matches!(self, Self::Stale | Self::RollupFull)
    }
}

impl core::fmt::Display for DropReason {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(self.text())
    }
}

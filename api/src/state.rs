//! The life of a transaction and of a bundle, in the names that every interface uses.
//!
//! ```text
//! received ─► parked | pending ─► sealed ─► available ─► committed
//! ends: rejected, replaced, cancelled, expired, dropped
//! ```
//! "Partial" is not a state: a node that observed one would stop.

use serde::{Deserialize, Serialize};

use crate::proto::sequencer::v1 as proto;

macro_rules! states {
    ($($(#[$doc:meta])* $state:ident = $text:literal, $status:literal;)+) => {
        /// How far a transaction or a bundle has come.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "camelCase")]
        pub enum State {
            $($(#[$doc])* $state,)+
        }

        impl State {
            /// Every state, in the order of a life.
            pub const ALL: &'static [Self] = &[$(Self::$state,)+];

            /// Its name.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$state => $text,)+ }
            }

            /// Its EIP-5792 number: 100 pending, 200 committed on all legs, 400 failed. 500
            /// (reverted when executed) needs feedback from execution; 600 (partial) is impossible.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$state => $status,)+ }
            }
        }

        impl From<State> for proto::State {
            fn from(state: State) -> Self {
                match state { $(State::$state => Self::$state,)+ }
            }
        }

        impl State {
            /// The state of a gRPC message; nothing for a number that this version does not know.
            #[must_use]
            pub fn from_proto(state: i32) -> Option<Self> {
                match proto::State::try_from(state).ok()? {
                    proto::State::Unspecified => None,
                    $(proto::State::$state => Some(Self::$state),)+
                }
            }
        }
    };
}

states! {
    /// Taken in, not yet looked at by the pool.
    Received = "received", 100;
    /// Waits in the pool for something, such as an earlier nonce.
    Parked = "parked", 100;
    /// In the pool, ready to be sealed.
    Pending = "pending", 100;
    /// In a parcel of this node's lane.
    Sealed = "sealed", 100;
    /// Held durably by enough validators to survive the faults the network tolerates.
    Available = "available", 100;
    /// In a decided block.
    Committed = "committed", 200;
    /// Refused when it came, or gave way to what pays more in a full pool.
    Rejected = "rejected", 400;
    /// Another took its place in the pool.
    Replaced = "replaced", 400;
    /// Withdrawn by its submitter.
    Cancelled = "cancelled", 400;
    /// Its window ended first.
    Expired = "expired", 400;
    /// Ordered and not placed.
    Dropped = "dropped", 400;
}

impl State {
    /// True when nothing follows.
    #[must_use]
    pub const fn is_final(self) -> bool {
        self.status() != 100
    }
}

impl core::fmt::Display for State {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_one_name_everywhere() {
        for state in State::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.text());
            let proto = proto::State::from(*state);
            assert_eq!(
                proto.as_str_name(),
                format!("STATE_{}", state.text().to_uppercase())
            );
            assert_eq!(State::from_proto(proto.into()), Some(*state));
        }
        assert_eq!(State::from_proto(0), None);
        assert_eq!(State::from_proto(99), None);
    }

    #[test]
    fn partial_is_not_a_status() {
        assert!(
            State::ALL
                .iter()
                .all(|state| [100, 200, 400].contains(&state.status()))
        );
        assert!(!State::Available.is_final() && State::Committed.is_final());
    }
}

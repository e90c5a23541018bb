//! Registry entries: what the network knows of a rollup.

use alloy_primitives::Address;
use alloy_rlp::{BufMut, Decodable, Encodable, RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::ChainId;
use crate::limits::{ROLLUP_NAME_BYTES_MAX, ROLLUP_SHARE_MAX};

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$variant_doc:meta])* $variant:ident = $number:literal $text:literal,)+
    }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize,
        )]
        #[serde(rename_all = "lowercase")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Its name in files, on interfaces and in what wallets sign.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl Encodable for $name {
            fn encode(&self, out: &mut dyn BufMut) {
                let number: u8 = match self { $(Self::$variant => $number,)+ };
                number.encode(out);
            }

            fn length(&self) -> usize {
                1
            }
        }

        impl Decodable for $name {
            fn decode(buf: &mut &[u8]) -> alloy_rlp::Result<Self> {
                match u8::decode(buf)? {
                    $($number => Ok(Self::$variant),)+
                    _ => Err(alloy_rlp::Error::Custom("unknown choice")),
                }
            }
        }
    };
}

choice! {
    /// How a rollup's transactions are encoded.
    Format {
        /// EIP-2718 envelopes with the rollup's chain id.
        #[default]
        Evm = 0 "evm",
        /// Bytes that only the rollup understands.
        Opaque = 1 "opaque",
    }
}

choice! {
    /// Who verifies a rollup's transactions (L1).
    Verification {
        /// The author.
        #[default]
        Once = 0 "once",
        /// Every validator, before it acknowledges a parcel.
        Everywhere = 1 "everywhere",
        /// Nobody: the bytes are opaque.
        Opaque = 2 "opaque",
    }
}

choice! {
    /// In which order an author's pool seals a rollup's transactions (A2).
    Policy {
        /// As they arrived.
        #[default]
        Fifo = 0 "fifo",
        /// By `max_priority_fee_per_gas`.
        Priority = 1 "priority",
    }
}

choice! {
    /// Whether a rollup takes part.
    Status {
        /// It does.
        #[default]
        Active = 0 "active",
        /// Its transactions are dropped for now.
        Paused = 1 "paused",
        /// For good; its head stays in the tree.
        Retired = 2 "retired",
    }
}

/// A registered rollup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
#[serde(deny_unknown_fields)]
pub struct Rollup {
    /// Its EIP-155 chain id, not 0.
    pub chain_id: ChainId,
    /// Its name for people: 1 to [`ROLLUP_NAME_BYTES_MAX`] bytes.
    pub name: String,
    /// How its transactions are encoded.
    #[serde(default)]
    pub format: Format,
    /// Who verifies them.
    #[serde(default)]
    pub verification: Verification,
    /// In which order a pool seals them.
    #[serde(default)]
    pub policy: Policy,
    /// Most weight (W4) that one block gives it; 0 stands for the block's own limit.
    #[serde(default)]
    pub weight_limit: u64,
    /// Its share of a parcel when rollups compete, at least 1.
    #[serde(default = "one")]
    pub share: u64,
    /// Whether it takes part.
    #[serde(default)]
    pub status: Status,
    /// Who may change this entry.
    pub operator: Address,
    /// It accepts legs of bundles (B2).
    #[serde(default = "yes")]
    pub bundles: bool,
}

/// A registry entry that no network takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RollupError {
    /// Chain 0 is the network's own.
    #[error("chain 0 is the network's own; a rollup needs a chain id from 1")]
    ControlChain,
    /// A name that is empty, long or not printable.
    #[error("the name of rollup {chain_id} must have 1 to 64 bytes and no control characters")]
    Name {
        /// The rollup.
        chain_id: ChainId,
    },
    /// A share of nothing, or beyond [`ROLLUP_SHARE_MAX`].
    #[error("rollup {chain_id} has share {share}; it must be between 1 and 1000000")]
    Share {
        /// The rollup.
        chain_id: ChainId,
        /// Its share.
        share: u64,
    },
}

impl Rollup {
    /// Checks what holds of every registry entry, on every network.
    ///
    /// # Errors
    /// What to change in the entry.
    pub fn check(&self) -> Result<(), RollupError> {
        let Self {
            chain_id, share, ..
        } = *self;
        if chain_id == ChainId::CONTROL {
            return Err(RollupError::ControlChain);
        }
        let lengths = 1..=ROLLUP_NAME_BYTES_MAX;
        if !lengths.contains(&self.name.len()) || self.name.chars().any(char::is_control) {
            return Err(RollupError::Name { chain_id });
        }
        if !(1..=ROLLUP_SHARE_MAX).contains(&share) {
            return Err(RollupError::Share { chain_id, share });
        }
        Ok(())
    }
}

fn one() -> u64 {
    1
}

fn yes() -> bool {
    true
}

//! Registry entries: what the network knows of a rollup.

use alloy_primitives::Address;
use alloy_rlp::{BufMut, Decodable, Encodable, RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::ChainId;

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)+ }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize,
        )]
        #[serde(rename_all = "lowercase")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
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
        Evm = 0,
        /// Bytes that only the rollup understands.
        Opaque = 1,
    }
}

choice! {
    /// Who verifies a rollup's transactions (L1).
    Verification {
        /// The author.
        #[default]
        Once = 0,
        /// Every validator, before it acknowledges a parcel.
        Everywhere = 1,
        /// Nobody: the bytes are opaque.
        Opaque = 2,
    }
}

choice! {
    /// In which order an author's pool seals a rollup's transactions (A2).
    Policy {
        /// As they arrived.
        #[default]
        Fifo = 0,
        /// By `max_priority_fee_per_gas`.
        Priority = 1,
    }
}

choice! {
    /// Whether a rollup takes part.
    Status {
        /// It does.
        #[default]
        Active = 0,
        /// Its transactions are dropped for now.
        Paused = 1,
        /// For good; its head stays in the tree.
        Retired = 2,
    }
}

/// A registered rollup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
#[serde(deny_unknown_fields)]
pub struct Rollup {
    /// Its EIP-155 chain id, not 0.
    pub chain_id: ChainId,
    /// Its name for people.
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

fn one() -> u64 {
    1
}

fn yes() -> bool {
    true
}

//! Names and positions: small numbers that must not be mixed up.

use alloy_primitives::{Address, B256};
use alloy_rlp::{RlpDecodableWrapper, RlpEncodableWrapper};
use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            RlpEncodableWrapper, RlpDecodableWrapper, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl core::fmt::Display for $name {
            fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }
    };
}

number! {
    /// A rollup's EIP-155 chain id; chain 0 is the network's own.
    ChainId(u64)
}
number! {
    /// The position of a decided block, from 1; 0 is genesis.
    Height(u64)
}
number! {
    /// An attempt within a height, from 0.
    Round(u32)
}
number! {
    /// The height from which a lane's author may sign: a restart of its lane (L2).
    Epoch(u64)
}

impl ChainId {
    /// The network's own chain, whose transactions are control transactions (S1).
    pub const CONTROL: Self = Self(0);
}

impl Height {
    /// The height before the first block.
    pub const GENESIS: Self = Self(0);

    /// The height after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The height `count` blocks before this one, or genesis.
    #[must_use]
    pub const fn back(self, count: u64) -> Self {
        Self(self.0.saturating_sub(count))
    }
}

impl Round {
    /// The first round of every height.
    pub const FIRST: Self = Self(0);

    /// The round after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// `keccak256` of a transaction's raw bytes.
pub type TransactionId = B256;

/// The hash of a network's genesis: its name in everything signed.
pub type NetworkId = B256;

/// Names one transaction in the replay window: the same bytes may live on two opaque rollups.
pub type TransactionKey = (ChainId, TransactionId);

/// A place in a lane: which parcel of which author.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    alloy_rlp::RlpEncodable,
    alloy_rlp::RlpDecodable,
)]
pub struct Slot {
    /// The lane's owner.
    pub author: Address,
    /// The restart of the lane.
    pub epoch: Epoch,
    /// The parcel's number within the epoch, from 0.
    pub seq: u64,
}

impl core::fmt::Display for Slot {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "{}/{}/{}", self.author, self.epoch, self.seq)
    }
}

/// What a hash table hashes of a name on a rollup: the first 16 bytes of a hash or an address tell it from
/// all others, and whoever looks for two with the same needs 2^64 tries.
///
/// # Panics
/// The name is shorter than 16 bytes.
#[must_use]
pub fn hash_words(ChainId(chain_id): ChainId, name: &[u8]) -> [u64; 3] {
    let word = |at: usize| {
        let bytes = name[at..].first_chunk().expect("16 bytes at least");
        u64::from_le_bytes(*bytes)
    };
    [chain_id, word(0), word(8)]
}

//! Cuts, plans and headers: what consensus decides (H1).

use alloy_primitives::B256;
use alloy_rlp::{RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::codec::decode_exact;
use crate::error::DecodeError;
use crate::hash::{Preimage, Tag};
use crate::limits::{VALIDATORS_MAX, VALUE_BYTES_MAX};
use crate::{Epoch, Height, NetworkId, Round};

/// A block of the layer that the network settles on; zeros in a network without one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable,
)]
#[serde(rename_all = "camelCase")]
pub struct L1Ref {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Its time, in seconds.
    pub timestamp: u64,
}

/// How far one lane goes in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct CutEntry {
    /// The lane: its author's position in the height's set, by address.
    pub lane: u32,
    /// The epoch of the last parcel taken.
    pub epoch: Epoch,
    /// The number of the last parcel taken.
    pub seq: u64,
    /// The hash of the last parcel taken.
    pub parcel_hash: B256,
    /// The `seen` of the last parcel taken, so that followers need no parcels (S2).
    pub seen: Height,
}

/// The lanes that advance in a block, by rising lane.
pub type Cut = Vec<CutEntry>;

/// `cut_hash` of a header.
#[must_use]
pub fn cut_hash(cut: &[CutEntry]) -> B256 {
    Preimage::new(Tag::CUT).with_list(cut).hash()
}

/// The proposer's whole say about a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The block's height.
    pub height: Height,
    /// The round in which it was first proposed.
    pub round: Round,
    /// The block's time, in milliseconds (T1).
    pub timestamp_ms: u64,
    /// The layer-1 block it refers to.
    pub l1: L1Ref,
    /// How far each lane goes.
    pub cut: Cut,
}

/// A block's header: commits to everything in the block and to the state after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The format's version: 1.
    pub version: u8,
    /// The network.
    pub network: NetworkId,
    /// Its position.
    pub height: Height,
    /// The round in which it was first proposed (H1).
    pub round: Round,
    /// Its time, in milliseconds; strictly rising.
    pub timestamp_ms: u64,
    /// The hash of the block before it; the network's id for the first.
    pub parent: B256,
    /// The layer-1 block it refers to.
    pub l1: L1Ref,
    /// Commits to the cut.
    pub cut_hash: B256,
    /// The root over all rollups' heads after this block (M3).
    pub heads_root: B256,
    /// The root over the block's manifests.
    pub bundles_root: B256,
    /// The root over the state after this block.
    pub state_root: B256,
    /// The set that decides this block.
    pub validators_hash: B256,
    /// The set that decides the next one.
    pub next_validators_hash: B256,
}

impl Header {
    /// The format's version.
    pub const VERSION: u8 = 1;

    /// The block's hash: what validators vote for.
    #[must_use]
    pub fn hash(&self) -> B256 {
        Preimage::new(Tag::BLOCK).with(self).hash()
    }
}

/// The value that consensus decides: a header and the cut that it commits to.
///
/// ```text
/// rlp([header, [cut entry, …]])     at most 16 KiB
/// ```
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Value {
    /// The block's header.
    pub header: Header,
    /// How far each lane goes.
    pub cut: Cut,
}

impl Value {
    /// The block's hash.
    #[must_use]
    pub fn id(&self) -> B256 {
        self.header.hash()
    }

    /// The proposer's say, as the header and the cut repeat it.
    #[must_use]
    pub fn plan(&self) -> Plan {
        Plan {
            height: self.header.height,
            round: self.header.round,
            timestamp_ms: self.header.timestamp_ms,
            l1: self.header.l1,
            cut: self.cut.clone(),
        }
    }

    /// Decodes a value and checks its shape: version, `cut_hash`, rising lanes.
    ///
    /// # Errors
    /// Not canonical, too long, or its parts do not belong together.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let value: Self = decode_exact(bytes, VALUE_BYTES_MAX)?;
        value.check_shape()?;
        Ok(value)
    }

    /// Checks version, `cut_hash` and rising lanes.
    ///
    /// # Errors
    /// Its parts do not belong together.
    pub fn check_shape(&self) -> Result<(), DecodeError> {
        if self.header.version != Header::VERSION {
            return Err(DecodeError::OutOfRange {
                what: "header version",
            });
        }
        if self.cut.len() > VALIDATORS_MAX {
            return Err(DecodeError::TooMany {
                what: "cut entries",
                count_max: VALIDATORS_MAX,
            });
        }
        if self.cut.windows(2).any(|pair| pair[0].lane >= pair[1].lane) {
            return Err(DecodeError::OutOfRange {
                what: "order of cut entries",
            });
        }
        if cut_hash(&self.cut) != self.header.cut_hash {
            return Err(DecodeError::OutOfRange { what: "cut_hash" });
        }
        Ok(())
    }
}

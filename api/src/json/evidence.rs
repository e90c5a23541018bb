//! `seq_listEvidence` and `seq_getEvidence`: what validators signed that no correct one signs. A piece is
//! a file in its own right, as proofs are.

use alloy_primitives::{Address, B256, Bytes};
use cloverleaf_types::{Height, NetworkId, Signature};
use serde::{Deserialize, Serialize};

/// A piece of evidence, without what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceName {
    /// Its name at this node: the kind, the offender, and the range of heights of which it is the first.
    pub name: String,
    /// `votes`, `proposals`, `parcels` or `mark`.
    pub kind: String,
    /// Who signed.
    pub offender: Address,
}

/// A piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Evidence {
    /// The network that it was signed for.
    pub network: NetworkId,
    /// `votes`, `proposals` or `parcels`: two of one slot; or `mark`: a parcel that says of a sender what
    /// is not so.
    pub kind: String,
    /// Who signed.
    pub offender: Address,
    /// The height that it was signed for; of parcels, the height that their author had applied.
    pub height: Height,
    /// The slot, in words.
    pub slot: String,
    /// What was signed: two of one slot, or the one parcel.
    pub signed: Vec<SignedHash>,
    /// All of it, in the network's encoding: what is verified. The rest says the same.
    pub encoded: Bytes,
}

/// A digest and the signature over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignedHash {
    /// What was signed.
    pub digest: B256,
    /// The signature.
    pub signature: Signature,
}

//! Heads: the latest batch of every rollup (M3).

use alloy_primitives::B256;
use alloy_rlp::{RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::batch::{BatchHeader, empty_head};
use crate::{ChainId, NetworkId, merkle};

/// A rollup's latest batch. Since batches are chained, one branch to it verifies any number of
/// heights in which the rollup had none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The rollup.
    pub chain_id: ChainId,
    /// The batch's number; 0 before the first.
    pub seq: u64,
    /// The batch's hash; [`empty_head`] before the first.
    pub batch_hash: B256,
}

impl Head {
    /// The head of a rollup without a batch.
    #[must_use]
    pub fn empty(network: NetworkId, chain_id: ChainId) -> Self {
        Self {
            chain_id,
            seq: 0,
            batch_hash: empty_head(network, chain_id),
        }
    }

    /// The head that a batch makes.
    #[must_use]
    pub fn of(header: &BatchHeader) -> Self {
        Self {
            chain_id: header.chain_id,
            seq: header.seq,
            batch_hash: header.hash(),
        }
    }

    /// Its leaf in the tree of heads (M2).
    #[must_use]
    pub fn leaf_hash(&self) -> B256 {
        merkle::leaf_hash(&alloy_rlp::encode(self))
    }
}

//! `seq_getTransactionStatus` and `seq_getBundleStatus`: how far something has come.

use alloy_primitives::{Address, B256};
use cloverleaf_types::{ChainId, Epoch, Height, Manifest, Slot, TransactionId};
use serde::{Deserialize, Serialize};

use super::output::TransactionOutcome;
use super::quantity;
use crate::proto::sequencer::v1 as proto;
use crate::state::State;

/// A state, with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The state's EIP-5792 number.
    pub status: u16,
    /// The state's name.
    pub state: State,
    /// Why, when parked, rejected or dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The leg at fault, when a bundle was dropped or parked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<u32>,
    /// The transaction in that leg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx: Option<u32>,
    /// The parcel, from sealed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<SlotName>,
    /// The block, once committed.
    #[serde(
        default,
        with = "quantity::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub height: Option<Height>,
    /// The block's time in milliseconds since 1970, once committed.
    #[serde(
        default,
        with = "quantity::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub timestamp: Option<u64>,
}

/// A parcel of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SlotName {
    /// The lane's owner.
    pub author: Address,
    /// The restart of the lane.
    #[serde(with = "quantity")]
    pub epoch: Epoch,
    /// The parcel's number in the epoch.
    #[serde(with = "quantity")]
    pub seq: u64,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransactionStatus {
    /// keccak256 of its raw bytes.
    pub hash: TransactionId,
    /// Its rollup.
    #[serde(with = "quantity")]
    pub chain_id: ChainId,
    /// How far it has come.
    #[serde(flatten)]
    pub progress: Progress,
    /// The rollup's batch, once committed.
    #[serde(
        default,
        with = "quantity::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub seq: Option<u64>,
    /// Its position in the batch, once committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// The bundle that it came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_hash: Option<B256>,
    /// What the rollup made of it, where this node can know. A skipped transaction never has a
    /// receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<TransactionOutcome>,
}

/// What became of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleStatus {
    /// The bundle's name.
    pub bundle_hash: B256,
    /// How far it has come.
    #[serde(flatten)]
    pub progress: Progress,
    /// The last block time that may place it, in milliseconds since 1970, where known.
    #[serde(
        default,
        with = "quantity::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub max_timestamp: Option<u64>,
    /// Its legs, in listed order.
    pub legs: Vec<LegStatus>,
}

/// What became of a leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LegStatus {
    /// Its rollup.
    #[serde(with = "quantity")]
    pub chain_id: ChainId,
    /// The ids of its transactions, in order.
    pub txs: Vec<TransactionId>,
    /// The rollup's batch, once committed.
    #[serde(
        default,
        with = "quantity::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub seq: Option<u64>,
    /// The first transaction's position in the batch, once committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u32>,
}

impl Progress {
    /// A state of which no more is known.
    #[must_use]
    pub const fn new(state: State) -> Self {
        Self {
            status: state.status(),
            state,
            reason: None,
            leg: None,
            tx: None,
            slot: None,
            height: None,
            timestamp: None,
        }
    }

    /// A state and why.
    #[must_use]
    pub fn because(state: State, reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..Self::new(state)
        }
    }

    /// In a parcel: `sealed` or `available`.
    #[must_use]
    pub fn in_slot(state: State, slot: Slot) -> Self {
        Self {
            slot: Some(slot.into()),
            ..Self::new(state)
        }
    }

    /// In a decided block.
    #[must_use]
    pub const fn committed(height: Height, timestamp_ms: u64) -> Self {
        let mut progress = Self::new(State::Committed);
        progress.height = Some(height);
        progress.timestamp = Some(timestamp_ms);
        progress
    }

    fn to_proto(&self, places: Vec<proto::Place>) -> proto::Status {
        proto::Status {
            state: proto::State::from(self.state).into(),
            reason: self.reason.clone().unwrap_or_default(),
            leg: self.leg,
            tx: self.tx,
            slot: self.slot.map(|slot| proto::Slot {
                author: prost::bytes::Bytes::copy_from_slice(slot.author.as_slice()),
                epoch: slot.epoch.0,
                seq: slot.seq,
            }),
            height: self.height.map_or(0, |height| height.0),
            timestamp_ms: self.timestamp.unwrap_or(0),
            places,
            execution: None,
        }
    }
}

impl LegStatus {
    /// The legs of a decided bundle; `legs` are their ids, in listed order.
    #[must_use]
    pub fn of(manifest: &Manifest, legs: Vec<Vec<TransactionId>>) -> Vec<Self> {
        let places = manifest.legs.iter().zip(legs);
        let leg = places.map(|(leg, txs)| Self {
            chain_id: leg.chain_id,
            txs,
            seq: Some(leg.seq),
            first: Some(leg.first),
        });
        leg.collect()
    }

    fn place(&self) -> Option<proto::Place> {
        Some(proto::Place {
            chain_id: self.chain_id.0,
            seq: self.seq?,
            first: self.first?,
            count: u32::try_from(self.txs.len()).ok()?,
        })
    }
}

impl From<Slot> for SlotName {
    fn from(slot: Slot) -> Self {
        Self {
            author: slot.author,
            epoch: slot.epoch,
            seq: slot.seq,
        }
    }
}

impl From<&TransactionStatus> for proto::Status {
    fn from(status: &TransactionStatus) -> Self {
        let place = status
            .seq
            .zip(status.index)
            .map(|(seq, first)| proto::Place {
                chain_id: status.chain_id.0,
                seq,
                first,
                count: 1,
            });
        let execution = status.execution.as_ref().map(proto::Execution::from);
        Self {
            execution,
            ..status.progress.to_proto(place.into_iter().collect())
        }
    }
}

impl From<&TransactionOutcome> for proto::Execution {
    fn from(outcome: &TransactionOutcome) -> Self {
        match outcome {
            TransactionOutcome::Executed { status, .. } => Self {
                status: Some((*status).into()),
                ..Self::default()
            },
            TransactionOutcome::Skipped {
                reason, message, ..
            } => Self {
                status: None,
                skipped: reason.clone(),
                message: message.clone(),
            },
        }
    }
}

impl From<&BundleStatus> for proto::Status {
    fn from(status: &BundleStatus) -> Self {
        let places = status.legs.iter().filter_map(LegStatus::place);
        status.progress.to_proto(places.collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn committed() -> BundleStatus {
        let hash = B256::repeat_byte;
        let leg = |chain_id, txs, seq, first| LegStatus {
            chain_id: ChainId(chain_id),
            txs,
            seq: Some(seq),
            first: Some(first),
        };
        BundleStatus {
            bundle_hash: hash(1),
            progress: Progress::committed(Height(57), 1_000),
            max_timestamp: None,
            legs: vec![
                leg(901, vec![hash(2)], 31, 0),
                leg(902, vec![hash(3), hash(4)], 28, 5),
            ],
        }
    }

    #[test]
    fn committed_bundle_is_written_with_number_name_and_places() {
        let written = serde_json::to_value(committed()).unwrap();
        let hash = |byte| B256::repeat_byte(byte).to_string();
        assert_eq!(
            written,
            json!({
                "bundleHash": hash(1), "status": 200, "state": "committed",
                "height": "0x39", "timestamp": "0x3e8",
                "legs": [
                    {"chainId": "0x385", "txs": [hash(2)], "seq": "0x1f", "first": 0},
                    {"chainId": "0x386", "txs": [hash(3), hash(4)], "seq": "0x1c", "first": 5},
                ],
            })
        );
        assert_eq!(
            serde_json::from_value::<BundleStatus>(written).unwrap(),
            committed()
        );
    }

    #[test]
    fn parked_transaction_says_why() {
        let status = TransactionStatus {
            hash: B256::ZERO,
            chain_id: ChainId(901),
            progress: Progress::because(State::Parked, "nonceGap"),
            seq: None,
            index: None,
            bundle_hash: None,
            execution: None,
        };
        let written = serde_json::to_value(&status).unwrap();
        let expected = json!({
            "hash": B256::ZERO.to_string(), "chainId": "0x385",
            "status": 100, "state": "parked", "reason": "nonceGap",
        });
        assert_eq!(written, expected);
        assert_eq!(
            serde_json::from_value::<TransactionStatus>(written).unwrap(),
            status
        );
    }

    #[test]
    fn grpc_names_the_same_places() {
        let status = proto::Status::from(&committed());
        assert_eq!(State::from_proto(status.state), Some(State::Committed));
        assert_eq!((status.height, status.timestamp_ms), (57, 1_000));
        let places = status.places.iter();
        let places: Vec<_> = places
            .map(|place| (place.chain_id, place.seq, place.first, place.count))
            .collect();
        assert_eq!(places, [(901, 31, 0, 1), (902, 28, 5, 2)]);
    }
}

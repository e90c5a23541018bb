//! What server-sent events and `seq_subscribe` carry: the shapes of the calls, and proofs on demand.

use alloy_primitives::B256;
use cloverleaf_types::merkle::Branch;
use cloverleaf_types::proof::HeadProof;
use cloverleaf_types::{DecidedBlock, Height, Manifest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::batch::Batch;
use super::block::BundleSummary;
use super::quantity::{self, Quantity};

/// A batch of a stream: as `seq_getBatch` has it, with a proof where one was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamedBatch {
    /// The batch.
    #[serde(flatten)]
    pub batch: Batch,
    /// Proves the head that this batch makes, as `seq_getProof` has it, in the batch's own block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<HeadProof>,
    /// With a proof: the bundle of each span, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bundles: Vec<ProvenBundle>,
}

/// A bundle, and the way from it to its block's header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvenBundle {
    /// Where its legs are.
    pub manifest: Manifest,
    /// From the manifest to `bundlesRoot` of the proof's header.
    pub branch: Branch,
}

/// The bundles of a block, for those who follow bundles alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockBundles {
    /// The block's position.
    #[serde(with = "quantity")]
    pub height: Height,
    /// The block's hash.
    pub hash: B256,
    /// The block's time in milliseconds since 1970.
    #[serde(with = "quantity")]
    pub timestamp: u64,
    /// Its bundles, by index; at least one.
    pub bundles: Vec<BundleSummary>,
}

/// How often a proof is wanted: `"every"`, `"never"`, or a number n for every n-th batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProofsWanted {
    /// With every batch.
    Every,
    /// With batches whose number is a multiple; at least 1.
    EveryNth(u64),
    /// With none: what a reader gets that does not ask.
    #[default]
    Never,
}

impl BlockBundles {
    /// The bundles of a decided block; nothing when there are none.
    #[must_use]
    pub fn of(decided: &DecidedBlock) -> Option<Self> {
        let block = &decided.block;
        (!block.manifests.is_empty()).then(|| Self {
            height: block.header.height,
            hash: block.hash(),
            timestamp: block.header.timestamp_ms,
            bundles: block.manifests.iter().map(BundleSummary::from).collect(),
        })
    }
}

impl ProofsWanted {
    /// Reads a word or a number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "every" => Some(Self::Every),
            "never" => Some(Self::Never),
            text => {
                let number = quantity::parse(text).or_else(|| text.parse().ok());
                number.filter(|n| *n > 0).map(Self::EveryNth)
            }
        }
    }
}

impl Serialize for ProofsWanted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Every => serializer.serialize_str("every"),
            Self::Never => serializer.serialize_str("never"),
            Self::EveryNth(n) => quantity::serialize(n, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ProofsWanted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(Quantity),
            Word(String),
        }
        let wanted = match Either::deserialize(deserializer)? {
            Either::Number(Quantity(0)) => None,
            Either::Number(Quantity(n)) => Some(Self::EveryNth(n)),
            Either::Word(word) => Self::parse(&word),
        };
        wanted.ok_or_else(|| de::Error::custom("expected \"every\", \"never\" or a number above 0"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn proofs_are_wanted_by_a_word_or_a_number() {
        for (value, wanted) in [
            (json!("every"), ProofsWanted::Every),
            (json!("never"), ProofsWanted::Never),
            (json!(3), ProofsWanted::EveryNth(3)),
            (json!("0x3"), ProofsWanted::EveryNth(3)),
        ] {
            let read: ProofsWanted = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(read, wanted);
            let text = value.as_str().map_or(value.to_string(), str::to_owned);
            assert_eq!(ProofsWanted::parse(&text), Some(wanted));
            let written: Value = serde_json::to_value(wanted).unwrap();
            assert_eq!(
                serde_json::from_value::<ProofsWanted>(written).unwrap(),
                wanted
            );
        }
        for wrong in [
            json!(0),
            json!("0x0"),
            json!("often"),
            json!(-1),
            json!(null),
        ] {
            assert!(serde_json::from_value::<ProofsWanted>(wrong).is_err());
        }
    }
}

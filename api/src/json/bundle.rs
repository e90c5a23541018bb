//! `seq_sendBundle`: a bundle as its submitter writes it (protocol, section 6).
//!
//! ```json
//! {"legs": [{"chainId": "0x385", "txs": ["0x02…"]}, {"chainId": "0x386", "txs": ["0x02…"]}],
//!  "atomicity": "inclusion", "minHeight": "0x1", "maxTimestamp": "0x19…"}
//! ```
//! Only `legs` is needed. Timestamps are block times in milliseconds. A field that is known and not
//! enforced is refused, and so is one that is unknown: nothing is ignored in silence.

use alloy_primitives::{Address, Bytes, hex};
use cloverleaf_types::limits::{BUNDLE_LIFETIME_DEFAULT_MS, BUNDLE_LIFETIME_MAX_MS};
use cloverleaf_types::{Atomicity, Bundle, ChainId, Height, Leg, Terms, Transaction};
use serde::Serialize;
use serde_json::{Map, Value};

use super::quantity;
use crate::error::{RpcError, hex as hex_quantity};
use crate::proto::sequencer::v1 as proto;
use crate::reason::Reason;

/// Fields of a bundle that others define and nobody here enforces yet.
const REFUSED_FIELDS: [&str; 15] = [
    "tip",
    "fee",
    "feeAsset",
    "refund",
    "refundPercent",
    "refundRecipient",
    "refundTxHashes",
    "privacy",
    "order",
    "blockNumber",
    "maxBlockNumber",
    "replacementUuid",
    "replacementNonce",
    "revertingTxHashes",
    "droppingTxHashes",
];

/// Fields of a leg that others define and nobody here enforces yet.
const REFUSED_LEG_FIELDS: [&str; 6] = [
    "revertingTxHashes",
    "droppingTxHashes",
    "placement",
    "conditional",
    "minBatch",
    "maxBatch",
];

/// A bundle as its submitter writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SendBundle {
    /// The legs, in the order in which they are placed.
    pub legs: Vec<SendLeg>,
    /// What the legs promise each other.
    pub atomicity: Atomicity,
    /// First height that may place it.
    #[serde(with = "quantity::option", skip_serializing_if = "Option::is_none")]
    pub min_height: Option<Height>,
    /// Last height that may place it.
    #[serde(with = "quantity::option", skip_serializing_if = "Option::is_none")]
    pub max_height: Option<Height>,
    /// First block time that may place it, in milliseconds since 1970.
    #[serde(with = "quantity::option", skip_serializing_if = "Option::is_none")]
    pub min_timestamp: Option<u64>,
    /// Last block time that may place it, in milliseconds since 1970; by default receipt + 10 s.
    #[serde(with = "quantity::option", skip_serializing_if = "Option::is_none")]
    pub max_timestamp: Option<u64>,
}

/// One rollup's part of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SendLeg {
    /// The rollup.
    #[serde(with = "quantity")]
    pub chain_id: ChainId,
    /// Its raw transactions, in order.
    pub txs: Vec<Bytes>,
}

impl SendBundle {
    /// A bundle that may be placed at once and until its default end.
    #[must_use]
    pub fn new(legs: Vec<SendLeg>) -> Self {
        Self {
            legs,
            atomicity: Atomicity::Inclusion,
            min_height: None,
            max_height: None,
            min_timestamp: None,
            max_timestamp: None,
        }
    }

    /// Reads the parameter of `seq_sendBundle`.
    ///
    /// # Errors
    /// -32602 with the field at fault: `malformedJson`, `badHex`, `unknownField`, `notSupported`.
    pub fn from_json(value: &Value) -> Result<Self, RpcError> {
        let mut bundle = Self::new(Vec::new());
        let mut legs = None;
        for (field, value) in object(value, "bundle")? {
            match field.as_str() {
                "version" => check_version(value)?,
                "legs" => legs = Some(read_legs(value)?),
                "atomicity" => bundle.atomicity = read_atomicity(value)?,
                "revertMode" if value == "fail" => {}
                "revertMode" => return Err(RpcError::not_supported(field)),
                "minHeight" => bundle.min_height = Some(Height(number(field, value)?)),
                "maxHeight" => bundle.max_height = Some(Height(number(field, value)?)),
                "minTimestamp" => bundle.min_timestamp = Some(number(field, value)?),
                "maxTimestamp" => bundle.max_timestamp = Some(number(field, value)?),
                _ => return Err(stranger(field, &REFUSED_FIELDS)),
            }
        }
        bundle.legs = legs.ok_or_else(|| malformed("legs", "the bundle has no `legs`"))?;
        Ok(bundle)
    }

    /// The terms of the bundle when it was received at `received_ms`, in milliseconds since 1970.
    ///
    /// # Errors
    /// `windowTooFar`: `maxTimestamp` is more than 120 s after that (W1).
    pub fn terms(&self, received_ms: u64) -> Result<Terms, RpcError> {
        let latest = received_ms.saturating_add(BUNDLE_LIFETIME_MAX_MS);
        let default = received_ms.saturating_add(BUNDLE_LIFETIME_DEFAULT_MS);
        let max_timestamp_ms = self.max_timestamp.unwrap_or(default);
        if max_timestamp_ms > latest {
            let detail = format_args!("maxTimestamp {max_timestamp_ms} ms, latest {latest} ms");
            return Err(RpcError::because(Reason::WindowTooFar, detail)
                .with("maxTimestamp", hex_quantity(max_timestamp_ms))
                .with("latest", hex_quantity(latest)));
        }
        let open = Terms::until(max_timestamp_ms);
        Ok(Terms {
            atomicity: self.atomicity,
            min_height: self.min_height.unwrap_or(open.min_height),
            max_height: self.max_height.unwrap_or(open.max_height),
            min_timestamp_ms: self.min_timestamp.unwrap_or(open.min_timestamp_ms),
            ..open
        })
    }

    /// The bundle without the senders, which the author recovers (L1, B3); B1 is checked.
    ///
    /// # Errors
    /// `windowTooFar`, or the rule of B1 that it breaks.
    pub fn bundle(&self, received_ms: u64) -> Result<Bundle, RpcError> {
        let transaction = |raw: &Bytes| Transaction {
            sender: Address::ZERO,
            checked: false,
            raw: raw.0.clone(),
        };
        let legs = self.legs.iter().map(|leg| Leg {
            chain_id: leg.chain_id,
            transactions: leg.txs.iter().map(transaction).collect(),
        });
        let bundle = Bundle {
            terms: self.terms(received_ms)?,
            legs: legs.collect(),
        };
        bundle.check()?;
        Ok(bundle)
    }
}

impl TryFrom<proto::SubmitBundleRequest> for SendBundle {
    type Error = RpcError;

    fn try_from(request: proto::SubmitBundleRequest) -> Result<Self, RpcError> {
        proto::Atomicity::try_from(request.atomicity)
            .map_err(|_| RpcError::not_supported("atomicity"))?;
        let legs = request.legs.into_iter().map(|leg| SendLeg {
            chain_id: ChainId(leg.chain_id),
            txs: leg.transactions.into_iter().map(Bytes).collect(),
        });
        Ok(Self {
            min_height: request.min_height.map(Height),
            max_height: request.max_height.map(Height),
            min_timestamp: request.min_timestamp_ms,
            max_timestamp: request.max_timestamp_ms,
            ..Self::new(legs.collect())
        })
    }
}

fn read_legs(value: &Value) -> Result<Vec<SendLeg>, RpcError> {
    let legs = value
        .as_array()
        .ok_or_else(|| malformed("legs", "`legs` is a list"))?;
    legs.iter()
        .enumerate()
        .map(|(index, leg)| read_leg(index, leg))
        .collect()
}

fn read_leg(index: usize, value: &Value) -> Result<SendLeg, RpcError> {
    let mut chain_id = None;
    let mut txs = None;
    for (field, value) in object(value, "leg")? {
        match field.as_str() {
            "chainId" => chain_id = Some(ChainId(number(field, value)?)),
            "txs" => txs = Some(read_txs(index, value)?),
            _ => return Err(stranger(field, &REFUSED_LEG_FIELDS).with("leg", index)),
        }
    }
    let missing = |field| malformed(field, format_args!("leg {index} has no `{field}`"));
    Ok(SendLeg {
        chain_id: chain_id.ok_or_else(|| missing("chainId"))?,
        txs: txs.ok_or_else(|| missing("txs"))?,
    })
}

fn read_txs(leg: usize, value: &Value) -> Result<Vec<Bytes>, RpcError> {
    let txs = value
        .as_array()
        .ok_or_else(|| malformed("txs", "`txs` is a list"))?;
    let read = |(tx, value): (usize, &Value)| {
        let place = |error: RpcError| error.with("leg", leg).with("tx", tx);
        let text = value
            .as_str()
            .ok_or_else(|| place(malformed("txs", "an entry of `txs` is a hex string")))?;
        bytes("txs", text).map_err(place)
    };
    txs.iter().enumerate().map(read).collect()
}

fn read_atomicity(value: &Value) -> Result<Atomicity, RpcError> {
    match value.as_str() {
        Some("inclusion") => Ok(Atomicity::Inclusion),
        Some("simulated" | "committed") => {
            let detail = "`atomicity` is \"inclusion\": all legs in one block, or none";
            let error = RpcError::because(Reason::NotSupported, detail);
            Err(error.with("field", "atomicity"))
        }
        _ => Err(malformed("atomicity", "`atomicity` is \"inclusion\"")),
    }
}

fn check_version(value: &Value) -> Result<(), RpcError> {
    if number("version", value)? == u64::from(Terms::VERSION) {
        Ok(())
    } else {
        Err(RpcError::because(Reason::NotSupported, "`version` is 1").with("field", "version"))
    }
}

/// Reads bytes in hex with 0x in front.
///
/// # Errors
/// `badHex` with the field.
pub fn bytes(field: &str, text: &str) -> Result<Bytes, RpcError> {
    let digits = text.strip_prefix("0x");
    let decoded = digits.and_then(|digits| hex::decode(digits).ok());
    decoded.map(Bytes::from).ok_or_else(|| {
        let detail = format_args!("`{field}` is an even number of hex digits after 0x");
        RpcError::because(Reason::BadHex, detail).with("field", field)
    })
}

fn number(field: &str, value: &Value) -> Result<u64, RpcError> {
    match value {
        Value::String(text) => quantity::parse(text).ok_or_else(|| {
            let detail = format_args!("`{field}` is a quantity such as \"0x385\", or a number");
            RpcError::because(Reason::BadHex, detail).with("field", field)
        }),
        other => {
            let detail = format_args!("`{field}` is a quantity such as \"0x385\", or a number");
            other.as_u64().ok_or_else(|| malformed(field, detail))
        }
    }
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, RpcError> {
    value
        .as_object()
        .ok_or_else(|| malformed(what, format_args!("a {what} is an object")))
}

fn malformed(field: &str, detail: impl core::fmt::Display) -> RpcError {
    RpcError::because(Reason::MalformedJson, detail).with("field", field)
}

fn stranger(field: &str, refused: &[&str]) -> RpcError {
    if refused.contains(&field) {
        return RpcError::not_supported(field);
    }
    RpcError::because(Reason::UnknownField, format_args!("`{field}`")).with("field", field)
}

#[cfg(test)]
mod tests;

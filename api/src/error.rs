//! Errors as they go over the wire.

use cloverleaf_types::error::{BundleError, DecodeError};
use prost::bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeStruct as _};
use serde_json::{Map, Value};

use crate::grpc;
use crate::reason::Reason;

/// A refusal: JSON-RPC's `{code, message, data: {reason, …evidence, docs}}`, or a gRPC status with
/// the same in its details.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct RpcError {
    /// Why.
    pub reason: Reason,
    /// For people: the reason's words, and the figures.
    pub message: String,
    /// For machines: the figures by name.
    pub evidence: Map<String, Value>,
}

/// A message from the other side that is not what its proto file says. The other side is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A field does not hold its canonical encoding.
    #[error("field `{field}` of the message: {source}")]
    Decode {
        /// The field.
        field: &'static str,
        /// What is wrong.
        source: DecodeError,
    },
    /// A field that must be there is not.
    #[error("field `{field}` of the message is missing")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A hash, an address or a number that cannot be one.
    #[error("field `{field}` of the message is out of range")]
    OutOfRange {
        /// The field.
        field: &'static str,
    },
}

impl RpcError {
    /// A refusal in the reason's own words.
    #[must_use]
    pub fn new(reason: Reason) -> Self {
        Self {
            reason,
            message: reason.words().into(),
            evidence: Map::new(),
        }
    }

    /// A refusal with figures for people: `words: detail`, as geth writes it.
    #[must_use]
    pub fn because(reason: Reason, detail: impl core::fmt::Display) -> Self {
        Self {
            message: format!("{}: {detail}", reason.words()),
            ..Self::new(reason)
        }
    }

    /// Adds a figure for machines.
    ///
    /// `reason` and `docs` are taken; a figure of that name is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.evidence.insert(name.into(), value.into());
        self
    }

    /// Says how long to wait before the request makes sense again, in milliseconds.
    #[must_use]
    pub fn retry_after(self, milliseconds: u64) -> Self {
        self.with("retryAfterMs", milliseconds)
    }

    /// No such method, in the words that libraries match.
    #[must_use]
    pub fn method_not_found(method: &str) -> Self {
        let message = format!("the method {method} does not exist/is not available");
        Self {
            message,
            ..Self::new(Reason::MethodNotFound)
        }
    }

    /// A field that is known and refused.
    #[must_use]
    pub fn not_supported(field: &str) -> Self {
        let detail = format_args!("`{field}` is not enforced by this version; leave it out");
        Self::because(Reason::NotSupported, detail).with("field", field)
    }

    /// The JSON-RPC error code.
    #[must_use]
    pub const fn code(&self) -> i32 {
        self.reason.code()
    }

    /// The HTTP status of a single call.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        self.reason.http_status()
    }

    /// The value of `Retry-After` in whole seconds, for refusals that name a wait.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u64> {
        let milliseconds = self.evidence.get("retryAfterMs")?.as_u64()?;
        Some(milliseconds.div_ceil(1000))
    }

    /// `data` of the JSON-RPC error.
    #[must_use]
    pub fn data(&self) -> Value {
        if self.reason.has_hash_alone() {
            return self.evidence.get("hash").cloned().unwrap_or_default();
        }
        let mut data = self.evidence.clone();
        data.insert("reason".into(), self.reason.text().into());
        data.insert("docs".into(), self.reason.docs().into());
        Value::Object(data)
    }

    /// The details of a gRPC status: an encoded `google.rpc.Status` with one `ErrorInfo`.
    #[must_use]
    pub fn grpc_details(&self) -> Bytes {
        grpc::details(self)
    }
}

impl Serialize for RpcError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut error = serializer.serialize_struct("RpcError", 3)?;
        error.serialize_field("code", &self.code())?;
        error.serialize_field("message", &self.message)?;
        error.serialize_field("data", &self.data())?;
        error.end()
    }
}

impl From<BundleError> for RpcError {
    fn from(error: BundleError) -> Self {
        let because = |reason| Self::because(reason, &error);
        match &error {
            BundleError::ZeroLegs => because(Reason::ZeroLegs),
            BundleError::TooManyLegs { count } => {
                because(Reason::TooManyLegs).with("count", *count)
            }
            BundleError::EmptyLeg { chain_id } => {
                because(Reason::EmptyLeg).with("chainId", hex(chain_id.0))
            }
            BundleError::TooManyTransactions { count } => {
                because(Reason::TooManyTransactions).with("count", *count)
            }
            BundleError::TooLarge { bytes } => {
                because(Reason::BundleTooLarge).with("bytes", *bytes)
            }
            BundleError::DuplicateRollup { chain_id } => {
                because(Reason::DuplicateRollup).with("chainId", hex(chain_id.0))
            }
            BundleError::DuplicateTransaction { id } => {
                because(Reason::DuplicateTransaction).with("hash", id.to_string())
            }
            BundleError::ControlLeg => because(Reason::ControlLeg),
            BundleError::WindowEmpty { what } => because(Reason::WindowEmpty).with("window", *what),
        }
    }
}

/// A number as Ethereum's RPC writes it.
#[must_use]
pub fn hex(number: u64) -> String {
    format!("{number:#x}")
}

#[cfg(test)]
mod tests {
    use cloverleaf_types::ChainId;
    use serde_json::json;

    use super::*;

    #[test]
    fn refusal_has_code_words_evidence_and_docs() {
        let error = RpcError::because(Reason::NonceTooLow, "next nonce 5, tx nonce 3")
            .with("expected", "0x5")
            .with("got", "0x3");
        assert_eq!(
            serde_json::to_value(&error).unwrap(),
            json!({
                "code": -32000,
                "message": "nonce too low: next nonce 5, tx nonce 3",
                "data": {
                    "reason": "nonceTooLow", "expected": "0x5", "got": "0x3",
                    "docs": "docs/spec/errors.md#nonceTooLow",
                },
            })
        );
    }

    #[test]
    fn synchronous_refusals_have_the_hash_alone_as_their_data() {
        let error = RpcError::new(Reason::TimedOut).with("hash", "0x07");
        let written = serde_json::to_value(&error).unwrap();
        assert_eq!(
            (&written["code"], &written["data"]),
            (&json!(4), &json!("0x07"))
        );
    }

    #[test]
    fn unknown_method_is_worded_as_libraries_match_it() {
        let error = RpcError::method_not_found("eth_fillTransaction");
        assert_eq!(error.code(), -32601);
        assert_eq!(
            error.message,
            "the method eth_fillTransaction does not exist/is not available"
        );
    }

    #[test]
    fn wait_is_rounded_up_to_seconds_for_http() {
        let error = RpcError::new(Reason::PoolFull).retry_after(1_200);
        assert_eq!(
            (error.http_status(), error.retry_after_seconds()),
            (429, Some(2))
        );
        assert_eq!(RpcError::new(Reason::NoQuorum).retry_after_seconds(), None);
    }

    #[test]
    fn every_fault_of_a_bundle_has_its_reason() {
        let chain_id = ChainId(901);
        let id = cloverleaf_types::B256::ZERO;
        let faults = [
            (BundleError::ZeroLegs, "zeroLegs"),
            (BundleError::TooManyLegs { count: 17 }, "tooManyLegs"),
            (BundleError::EmptyLeg { chain_id }, "emptyLeg"),
            (
                BundleError::TooManyTransactions { count: 65 },
                "tooManyTransactions",
            ),
            (BundleError::TooLarge { bytes: 262_145 }, "bundleTooLarge"),
            (BundleError::DuplicateRollup { chain_id }, "duplicateRollup"),
            (
                BundleError::DuplicateTransaction { id },
                "duplicateTransaction",
            ),
            (BundleError::ControlLeg, "controlLeg"),
            (BundleError::WindowEmpty { what: "height" }, "windowEmpty"),
        ];
        for (fault, reason) in faults {
            let error = RpcError::from(fault);
            assert_eq!((error.reason.text(), error.code()), (reason, -32602));
        }
    }
}

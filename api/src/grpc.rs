//! Reasons in gRPC: `google.rpc.ErrorInfo` in the status's details.
//!
//! The three messages are Google's, written by hand: their field numbers are all there is to them.

use std::collections::BTreeMap;

use prost::Message as _;
use prost::bytes::Bytes;
use serde_json::Value;

use crate::error::RpcError;
use crate::proto::sequencer::v1 as proto;
use crate::reason::Reason;

/// The domain of our reasons.
pub const DOMAIN: &str = "cloverleaf";

const ERROR_INFO_TYPE: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// `google.rpc.ErrorInfo`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ErrorInfo {
    /// A name of `docs/spec/errors.md`.
    #[prost(string, tag = "1")]
    pub reason: String,
    /// [`DOMAIN`].
    #[prost(string, tag = "2")]
    pub domain: String,
    /// The evidence; what is no string in JSON is its JSON text.
    #[prost(btree_map = "string, string", tag = "3")]
    pub metadata: BTreeMap<String, String>,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

impl ErrorInfo {
    /// Reads the details of a gRPC status; nothing when they are not ours.
    #[must_use]
    pub fn from_details(details: &[u8]) -> Option<Self> {
        let status = Status::decode(details).ok()?;
        let any = status
            .details
            .iter()
            .find(|any| any.type_url == ERROR_INFO_TYPE)?;
        let info = Self::decode(any.value.clone()).ok()?;
        (info.domain == DOMAIN).then_some(info)
    }

    /// The reason, if this version knows it.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        Reason::from_text(&self.reason)
    }
}

impl From<&RpcError> for proto::Refusal {
    fn from(error: &RpcError) -> Self {
        Self {
            code: error.reason.grpc_code().number(),
            message: error.message.clone(),
            reason: error.reason.text().into(),
            metadata: metadata(error),
        }
    }
}

fn metadata(error: &RpcError) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let evidence = error.evidence.iter();
    evidence
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

pub(crate) fn details(error: &RpcError) -> Bytes {
    let info = ErrorInfo {
        reason: error.reason.text().into(),
        domain: DOMAIN.into(),
        metadata: metadata(error),
    };
    let any = Any {
        type_url: ERROR_INFO_TYPE.into(),
        value: info.encode_to_vec().into(),
    };
    let status = Status {
        code: error.reason.grpc_code().number(),
        message: error.message.clone(),
        details: vec![any],
    };
    status.encode_to_vec().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_a_grpc_status() {
        for reason in Reason::ALL {
            let error = RpcError::new(*reason)
                .with("limit", 50)
                .with("chainId", "0x385");
            let info = ErrorInfo::from_details(&error.grpc_details()).unwrap();
            assert_eq!(info.reason(), Some(*reason));
            assert_eq!(info.metadata["limit"], "50");
            assert_eq!(info.metadata["chainId"], "0x385");
        }
    }

    #[test]
    fn details_of_others_are_no_reason() {
        assert_eq!(ErrorInfo::from_details(b""), None);
        assert_eq!(ErrorInfo::from_details(b"\xff\xff\xff"), None);
    }
}

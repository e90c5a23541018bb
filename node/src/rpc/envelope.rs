//! JSON-RPC's envelope: one call or an array of them, each with its own answer.

use std::time::Duration;

use cloverleaf_api::error::RpcError;
use cloverleaf_api::reason::Reason;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::limits::{BATCH_CALLS_MAX, BUSY_RETRY_MS, JSON_DEPTH_MAX};

/// A call, its parameters not looked at yet.
#[derive(Debug, Deserialize)]
pub(crate) struct Call {
    /// Absent in a notification, which gets no answer.
    #[serde(default, deserialize_with = "some_raw")]
    pub(crate) id: Option<Box<RawValue>>,
    /// The method's name.
    pub(crate) method: String,
    /// Its parameters.
    #[serde(default)]
    pub(crate) params: Option<Box<RawValue>>,
}

/// What is no call, and the id that it has nevertheless.
#[derive(Debug)]
pub(crate) struct NoCall {
    /// Null in the answer when it has none, or none that can be read.
    pub(crate) id: Option<Box<RawValue>>,
    /// What is wrong with it.
    pub(crate) error: RpcError,
}

/// What is read of a call that is none.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Id {
    id: Option<Box<RawValue>>,
}

/// What goes back for a request's body, over whatever transport it came.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Reply {
    /// Nothing in it asks for an answer.
    Nothing,
    /// The answer to one call.
    Single(Box<Answer>),
    /// The answers to a batch, in the order of its calls.
    Batch(Vec<Answer>),
}

/// What a request's body holds.
#[derive(Debug)]
pub(crate) enum Body {
    /// One call.
    Single(Result<Call, NoCall>),
    /// Calls that are answered together, in their order.
    Batch(Vec<Result<Call, NoCall>>),
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// With a result.
    Result(Box<RawValue>),
    /// With a refusal of ours.
    Error(RpcError),
    /// With an error object of the rollup's execution RPC, passed on as it came.
    Foreign(Box<RawValue>),
}

impl Outcome {
    /// How it is counted: `ok`, the reason of an error of ours, or `rollup`.
    pub(crate) fn text(&self) -> &'static str {
        match self {
            Self::Result(_) => "ok",
            Self::Error(error) => error.reason.text(),
            Self::Foreign(_) => "rollup",
        }
    }

    /// A result of any shape.
    pub(crate) fn of<T: Serialize>(result: Result<T, RpcError>) -> Self {
        match result.and_then(|value| {
            serde_json::value::to_raw_value(&value)
                .map_err(|error| RpcError::because(Reason::Internal, error))
        }) {
            Ok(result) => Self::Result(result),
            Err(error) => Self::Error(error),
        }
    }
}

/// An answer on its way out.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    jsonrpc: &'static str,
    id: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorObject>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ErrorObject {
    Own(RpcError),
    Foreign(Box<RawValue>),
}

impl Answer {
    /// The answer to the call with this id.
    pub(crate) fn new(id: Option<Box<RawValue>>, outcome: Outcome) -> Self {
        let (result, error) = match outcome {
            Outcome::Result(result) => (Some(result), None),
            Outcome::Error(error) => (None, Some(ErrorObject::Own(error))),
            Outcome::Foreign(error) => (None, Some(ErrorObject::Foreign(error))),
        };
        Self {
            jsonrpc: "2.0",
            id,
            result,
            error,
        }
    }

    /// The answer to a call whose time is over.
    pub(crate) fn late(id: Option<Box<RawValue>>, time: Duration) -> Self {
        let detail = format_args!("no answer within {} s", time.as_secs());
        let error = RpcError::because(Reason::RateLimited, detail).retry_after(BUSY_RETRY_MS);
        Self::new(id, Outcome::Error(error))
    }

    /// The answer to a call for which a batch has no room any more.
    pub(crate) fn beyond_batch(id: Option<Box<RawValue>>, bytes_max: usize) -> Self {
        let detail = format_args!("its answers have more than {bytes_max} bytes; ask for the rest");
        let error = RpcError::because(Reason::BatchTooLarge, detail).with("limit", bytes_max);
        Self::new(id, Outcome::Error(error))
    }

    /// The id of its call.
    pub(crate) fn into_id(self) -> Option<Box<RawValue>> {
        self.id
    }

    /// About how many bytes it has: those that grow with what was asked.
    pub(crate) fn bytes(&self) -> usize {
        let foreign = match &self.error {
            Some(ErrorObject::Foreign(error)) => error.get().len(),
            _ => 0,
        };
        foreign + self.result.as_ref().map_or(0, |result| result.get().len())
    }

    /// Our own refusal in it.
    pub(crate) fn refusal(&self) -> Option<&RpcError> {
        match &self.error {
            Some(ErrorObject::Own(error)) => Some(error),
            _ => None,
        }
    }
}

/// Reads a request's body.
pub(crate) fn parse(bytes: &[u8]) -> Body {
    if depth(bytes) > JSON_DEPTH_MAX {
        let error = RpcError::because(
            Reason::ParseError,
            format_args!("nested deeper than {JSON_DEPTH_MAX} levels"),
        );
        return Body::Single(Err(error.into()));
    }
    let no_json = |error| Body::Single(Err(RpcError::because(Reason::ParseError, error).into()));
    if !bytes.trim_ascii_start().starts_with(b"[") {
        return match serde_json::from_slice(bytes) {
            Ok(call) => Body::Single(parse_call(call)),
            Err(error) => no_json(error),
        };
    }
    match serde_json::from_slice::<Vec<&RawValue>>(bytes) {
        Ok(calls) if calls.is_empty() => {
            let error = RpcError::because(Reason::MalformedJson, "the batch is empty");
            Body::Single(Err(error.into()))
        }
        Ok(calls) if calls.len() > BATCH_CALLS_MAX => {
            let detail = format_args!("{} calls; at most {BATCH_CALLS_MAX} go in one", calls.len());
            let error = RpcError::because(Reason::BatchTooLarge, detail);
            Body::Single(Err(error.with("limit", BATCH_CALLS_MAX).into()))
        }
        Ok(calls) => Body::Batch(calls.into_iter().map(parse_call).collect()),
        Err(error) => no_json(error),
    }
}

fn parse_call(call: &RawValue) -> Result<Call, NoCall> {
    // Serde would read a list as the fields of a call, in their order.
    if !call.get().starts_with('{') {
        return Err(RpcError::because(Reason::MalformedJson, "a call is an object").into());
    }
    serde_json::from_str(call.get()).map_err(|error| {
        let error = RpcError::because(Reason::MalformedJson, error);
        let Id { id } = serde_json::from_str(call.get()).unwrap_or_default();
        NoCall { id, error }
    })
}

impl From<RpcError> for NoCall {
    fn from(error: RpcError) -> Self {
        Self { id: None, error }
    }
}

/// A `null` that is there: an id of `null` is an id; only an absent one makes a notification.
pub(super) fn some_raw<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

/// The deepest nesting of brackets outside strings; whether the text is JSON is seen later.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in bytes {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_are_no_depth() {
        assert_eq!(depth(br#"{"a":"[[[\"[","b":[1]}"#), 2);
    }

    #[test]
    fn nesting_has_a_limit_at_sixteen() {
        let nested = |levels: usize| {
            format!(
                r#"{{"id":1,"method":"m","params":{}{}}}"#,
                "[".repeat(levels),
                "]".repeat(levels)
            )
        };
        assert!(matches!(parse(nested(15).as_bytes()), Body::Single(Ok(_))));
        assert!(matches!(parse(nested(16).as_bytes()), Body::Single(Err(_))));
    }

    // jsonrpsee 0.26: a batch may have any number of calls.
    #[test]
    fn batches_have_a_limit_at_fifty() {
        let batch =
            |calls: usize| format!("[{}]", vec![r#"{"id":1,"method":"m"}"#; calls].join(","));
        assert!(matches!(parse(batch(50).as_bytes()), Body::Batch(calls) if calls.len() == 50));
        let Body::Single(Err(NoCall { error, .. })) = parse(batch(51).as_bytes()) else {
            panic!("refused")
        };
        assert_eq!(error.reason, Reason::BatchTooLarge);
    }

    #[test]
    fn what_is_no_call_keeps_its_id() {
        let id = |text: &str| match parse(text.as_bytes()) {
            Body::Single(Err(NoCall { id, .. })) => id.map(|id| id.get().to_owned()),
            _ => panic!("no call"),
        };
        assert_eq!(id(r#"{"id":7}"#).as_deref(), Some("7"));
        assert_eq!(id(r#"{"id":"a","method":2}"#).as_deref(), Some(r#""a""#));
        for none in ["7", "[]", "{", "{}", r#"{"id":1,"id":2}"#] {
            assert_eq!(id(none), None, "{none}");
        }
    }

    #[test]
    fn a_list_is_no_call() {
        let Body::Batch(calls) = parse(br#"[[1, "m", []], {"id": 1, "method": "m"}]"#) else {
            panic!("a batch");
        };
        assert!(matches!(&calls[..], [Err(NoCall { id: None, .. }), Ok(_)]));
    }

    #[test]
    fn a_call_without_id_is_a_notification_and_null_is_an_id() {
        let id = |text: &str| match parse(text.as_bytes()) {
            Body::Single(Ok(call)) => call.id.map(|id| id.get().to_owned()),
            _ => panic!("a call"),
        };
        assert_eq!(id(r#"{"method":"m"}"#), None);
        assert_eq!(id(r#"{"method":"m","id":null}"#), Some("null".to_owned()));
    }
}
